# LSMDC: 1000 pairs for test.
_base_ = './videomamba-middle_umt-25m-pre_8xb64-u8-2e_msrvtt.py'

model = dict(tokenizer=dict(max_length=96))
train_dataloader = dict(
    dataset=dict(data_root='data/lsmdc', ann_file='lsmdc_ret_train.json'))
val_dataloader = dict(
    dataset=dict(data_root='data/lsmdc', ann_file='lsmdc_ret_test_1000.json'))
test_dataloader = val_dataloader
