# 16 frames.
_base_ = './videomamba-middle_umt-ssv2-pre_16xb32-u8-30e_sthv2-rgb.py'
from mmvideomamba.config_edit import edit

num_frames = 16
model = dict(backbone=dict(num_frames=num_frames))

edit(_base_, '*_pipeline', 'mmvideomamba.SegmentSample', clip_len=num_frames)
train_dataloader = dict(batch_size=16)

optim_wrapper = dict(
    # 1e-4 * 512 clips / 256.
    optimizer=dict(lr=2e-4))
auto_scale_lr = dict(base_batch_size=256)
