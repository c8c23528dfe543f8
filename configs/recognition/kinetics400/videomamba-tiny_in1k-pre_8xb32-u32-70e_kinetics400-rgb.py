# 32 frames.
_base_ = './videomamba-tiny_in1k-pre_8xb64-u8-70e_kinetics400-rgb.py'
from mmvideomamba.config_edit import edit

num_frames = 32
model = dict(backbone=dict(num_frames=num_frames))

edit(_base_, '*_pipeline', 'UniformSample', clip_len=num_frames)
train_dataloader = dict(batch_size=32)

optim_wrapper = dict(
    # 2e-4 * 512 clips / 256.
    optimizer=dict(lr=4e-4))
auto_scale_lr = dict(base_batch_size=256)
