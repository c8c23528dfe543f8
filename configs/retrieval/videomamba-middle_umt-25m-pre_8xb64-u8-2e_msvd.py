# MSVD: several captions per video.
_base_ = './videomamba-middle_umt-25m-pre_8xb64-u8-2e_msrvtt.py'

model = dict(tokenizer=dict(max_length=64))
train_dataloader = dict(
    dataset=dict(data_root='data/msvd', ann_file='msvd_ret_train.json'))
val_dataloader = dict(
    dataset=dict(data_root='data/msvd', ann_file='msvd_ret_test.json'))
test_dataloader = val_dataloader
