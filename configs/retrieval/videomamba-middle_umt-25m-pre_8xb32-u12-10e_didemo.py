# Fine-tuning on DiDeMo with 12 frames; the best epoch on the validation
# videos counts.
_base_ = './videomamba-middle_umt-25m-pre_8xb32-u12-5e_msrvtt-9k.py'

max_epochs = 10
model = dict(tokenizer=dict(max_length=64))
# Only the first 30 seconds are looked at.
train_pipeline = _base_.train_pipeline
train_pipeline[1].max_seconds = 30
val_pipeline = _base_.val_pipeline
val_pipeline[1].max_seconds = 30
test_pipeline = val_pipeline

train_dataloader = dict(
    dataset=dict(
        data_root='data/didemo',
        ann_file='didemo_ret_train.json',
        paragraph=True,
        pipeline=train_pipeline))
val_dataloader = dict(
    dataset=dict(
        data_root='data/didemo',
        ann_file='didemo_ret_val.json',
        paragraph=True,
        pipeline=val_pipeline))
test_dataloader = dict(
    dataset=dict(
        data_root='data/didemo',
        ann_file='didemo_ret_test.json',
        paragraph=True,
        pipeline=test_pipeline))

train_cfg = dict(max_epochs=max_epochs)
param_scheduler = dict(T_max=max_epochs)
default_hooks = dict(checkpoint=dict(save_best='mean_recall'))
