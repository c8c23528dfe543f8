# Fine-tuning on DiDeMo with 12 frames; the best epoch on the validation
# videos counts.
_base_ = './videomamba-middle_umt-25m-pre_8xb64-u8-2e_didemo.py'

max_epochs = 10
num_frames = 12
model = dict(vision_encoder=dict(backbone=dict(num_frames=num_frames)))
train_pipeline = _base_.train_pipeline
train_pipeline[1].clip_len = num_frames
val_pipeline = _base_.val_pipeline
val_pipeline[1].clip_len = num_frames
test_pipeline = val_pipeline

train_dataloader = dict(batch_size=32, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(
    dataset=dict(ann_file='didemo_ret_val.json', pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

train_cfg = dict(max_epochs=max_epochs)
param_scheduler = dict(T_max=max_epochs, warmup=0)
