# Fine-tuning on MSRVTT with 12 frames: 9k videos for training. As in the
# published runs, the last epoch counts, not the best.
_base_ = './videomamba-middle_umt-25m-pre_8xb64-u8-2e_msrvtt.py'

max_epochs = 5
num_frames = 12
model = dict(vision_encoder=dict(backbone=dict(num_frames=num_frames)))
train_pipeline = _base_.train_pipeline
train_pipeline[1].clip_len = num_frames
val_pipeline = _base_.val_pipeline
val_pipeline[1].clip_len = num_frames
test_pipeline = val_pipeline

train_dataloader = dict(batch_size=32, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = val_dataloader

train_cfg = dict(max_epochs=max_epochs)
param_scheduler = dict(T_max=max_epochs, warmup=0)
default_hooks = dict(checkpoint=dict(save_best=None))
