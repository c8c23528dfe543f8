# 16 frames.
_base_ = './videomamba-middle_in1k-pre_16xb32-u8-50e_kinetics400-rgb.py'

num_frames = 16
model = dict(backbone=dict(num_frames=num_frames))

train_pipeline = _base_.train_pipeline
train_pipeline[1].clip_len = num_frames
val_pipeline = _base_.val_pipeline
val_pipeline[1].clip_len = num_frames
test_pipeline = _base_.test_pipeline
test_pipeline[1].clip_len = num_frames
train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

optim_wrapper = dict(
    # 1e-4 * 512 clips / 256.
    optimizer=dict(lr=2e-4))
param_scheduler = _base_.param_scheduler
param_scheduler[0].update(dict(start_factor=0.01))
param_scheduler[1].update(dict(eta_min_ratio=0.01))
auto_scale_lr = dict(base_batch_size=256)
