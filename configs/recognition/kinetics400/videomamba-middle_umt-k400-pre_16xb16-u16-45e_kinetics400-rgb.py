# 16 frames.
_base_ = './videomamba-middle_umt-k400-pre_16xb32-u8-45e_kinetics400-rgb.py'
from mmvideomamba.config_edit import edit

num_frames = 16
model = dict(backbone=dict(num_frames=num_frames))

edit(_base_, '*_pipeline', 'UniformSample', clip_len=num_frames)
train_dataloader = dict(batch_size=16)

optim_wrapper = dict(
    # 1e-4 * 512 clips / 256.
    optimizer=dict(lr=2e-4))
auto_scale_lr = dict(base_batch_size=256)
