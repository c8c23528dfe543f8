# 64 frames, from Kinetics-400 with as many.
_base_ = './videomamba-tiny_k400-u32-pre_8xb32-u32-40e_coin-rgb.py'
from mmvideomamba.config_edit import edit

num_frames = 64
init_cfg = dict(
    type='Pretrained',
    checkpoint='checkpoints/videomamba_t16_k400_f64_res224.pth')
model = dict(backbone=dict(num_frames=num_frames, init_cfg=init_cfg))

edit(_base_, '*_pipeline', 'UniformSample', clip_len=num_frames)
train_dataloader = dict(batch_size=16)
