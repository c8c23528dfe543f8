# ActivityNet Captions: all sentences of a video are joined to a single text.
_base_ = './videomamba-middle_umt-25m-pre_8xb64-u8-2e_msrvtt.py'

model = dict(tokenizer=dict(max_length=150))
train_dataloader = dict(
    dataset=dict(
        data_root='data/activitynet',
        ann_file='anet_ret_train.json',
        paragraph=True))
val_dataloader = dict(
    dataset=dict(
        data_root='data/activitynet',
        ann_file='anet_ret_val.json',
        paragraph=True))
test_dataloader = val_dataloader
