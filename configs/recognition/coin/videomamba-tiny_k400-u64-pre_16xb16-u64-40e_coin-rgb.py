# 64 frames, from Kinetics-400 with as many.
_base_ = './videomamba-tiny_k400-u32-pre_8xb32-u32-40e_coin-rgb.py'

num_frames = 64
init_cfg = dict(
    type='Pretrained',
    checkpoint='checkpoints/videomamba_t16_k400_f64_res224.pth')
model = dict(backbone=dict(num_frames=num_frames, init_cfg=init_cfg))

train_pipeline = _base_.train_pipeline
train_pipeline[1].clip_len = num_frames
val_pipeline = _base_.val_pipeline
val_pipeline[1].clip_len = num_frames
test_pipeline = _base_.test_pipeline
test_pipeline[1].clip_len = num_frames
train_dataloader = dict(batch_size=16, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
