# 32 frames.
_base_ = './videomamba-middle_in1k-pre_16xb32-u8-50e_kinetics400-rgb.py'
from mmvideomamba.config_edit import edit

num_frames = 32
model = dict(backbone=dict(num_frames=num_frames))

edit(_base_, '*_pipeline', 'UniformSample', clip_len=num_frames)
train_dataloader = dict(batch_size=8)

optim_wrapper = dict(
    # 1e-4 * 256 clips / 256.
    optimizer=dict(lr=1e-4))
edit(_base_, 'param_scheduler', 'LinearLR', start_factor=0.01)
edit(_base_, 'param_scheduler', 'CosineAnnealingLR', eta_min_ratio=0.01)
auto_scale_lr = dict(base_batch_size=128)
