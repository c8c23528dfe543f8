# Something-Something V2, texts made of the labels: several videos per text.
# As in the published runs, the last epoch counts, not the best.
_base_ = './videomamba-middle_umt-25m-pre_8xb32-u12-5e_msrvtt-9k.py'
from mmvideomamba.config_edit import remove

max_epochs = 10
model = dict(tokenizer=dict(max_length=25))
# No flip: texts tell left from right.
remove(_base_, 'train_pipeline', 'Flip')
train_dataloader = dict(
    dataset=dict(
        data_root='data/sthv2',
        ann_file='ssv2_ret_label_train.json',
        # Videos of the same text are positives of each other.
        pair_ids='caption'))
val_dataloader = dict(
    dataset=dict(
        data_root='data/sthv2', ann_file='ssv2_ret_label_val_small.json'))
test_dataloader = val_dataloader

optim_wrapper = dict(optimizer=dict(lr=1e-4))
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = dict(T_max=max_epochs)
