# DiDeMo: all sentences of a video are joined to a single text. A fine-tuning
# picks the best epoch on the validation videos.
_base_ = './videomamba-middle_umt-25m-pre_8xb64-u8-2e_msrvtt.py'
from mmvideomamba.config_edit import edit

# Only the first 30 seconds are looked at.
edit(_base_, '*_pipeline', 'mmvideomamba.IntervalSample', max_seconds=30)

model = dict(tokenizer=dict(max_length=64))
train_dataloader = dict(
    dataset=dict(
        data_root='data/didemo',
        ann_file='didemo_ret_train.json',
        paragraph=True))
val_dataloader = dict(
    dataset=dict(
        data_root='data/didemo',
        ann_file='didemo_ret_val.json',
        paragraph=True))
test_dataloader = dict(
    dataset=dict(
        data_root='data/didemo',
        ann_file='didemo_ret_test.json',
        paragraph=True))
