# Fine-tuning on ActivityNet Captions with 12 frames; masked words are
# guessed, too.
_base_ = './videomamba-middle_umt-25m-pre_8xb32-u12-5e_msrvtt-9k.py'

max_epochs = 10
model = dict(
    text_encoder=dict(with_mlm=True),
    tokenizer=dict(max_length=64),
    loss_weights=dict(mlm=1.))
train_dataloader = dict(
    dataset=dict(
        data_root='data/activitynet',
        ann_file='anet_ret_train.json',
        paragraph=True))
val_dataloader = dict(
    dataset=dict(
        data_root='data/activitynet',
        ann_file='anet_ret_val_1.json',
        paragraph=True))
test_dataloader = val_dataloader

train_cfg = dict(max_epochs=max_epochs)
param_scheduler = dict(T_max=max_epochs, warmup=1)
default_hooks = dict(checkpoint=dict(save_best='mean_recall'))
