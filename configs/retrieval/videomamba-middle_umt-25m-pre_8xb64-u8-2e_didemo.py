# DiDeMo: all sentences of a video are one text.
_base_ = './videomamba-middle_umt-25m-pre_8xb64-u8-2e_msrvtt.py'

# Only the first 30 seconds are looked at.
train_pipeline = _base_.train_pipeline
train_pipeline[1].max_seconds = 30
val_pipeline = _base_.val_pipeline
val_pipeline[1].max_seconds = 30
test_pipeline = val_pipeline

model = dict(tokenizer=dict(max_length=64))
train_dataloader = dict(
    dataset=dict(
        data_root='data/didemo',
        ann_file='didemo_ret_train.json',
        paragraph=True,
        pipeline=train_pipeline))
val_dataloader = dict(
    dataset=dict(
        data_root='data/didemo',
        ann_file='didemo_ret_test.json',
        paragraph=True,
        pipeline=val_pipeline))
test_dataloader = val_dataloader
