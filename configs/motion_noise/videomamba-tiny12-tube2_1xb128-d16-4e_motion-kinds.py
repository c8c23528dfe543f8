# Kinds of motion: 12 blocks of width 192 from scratch, tubelets of 2 frames,
# 156 steps an epoch. A GPU; d16: 16 neighbouring frames.
_base_ = [
    '../_base_/models/videomamba_tiny.py',
    '../_base_/datasets/motion_noise.py',
    '../_base_/schedules/adamw_videomamba.py',
    '../_base_/schedules/cosine_25e.py', '../_base_/default_runtime.py'
]
from mmvideomamba.config_edit import edit

max_epochs = 4
warmup_epochs = 1

model = dict(
    backbone=dict(
        arch=dict(_delete_=True, embed_dims=192, num_layers=12),
        img_size=_base_.img_size,
        patch_size=8,
        num_frames=_base_.num_frames,
        tubelet_size=2,
        scan_order='spatial_first',
        drop_path_rate=0.),
    cls_head=dict(num_classes=_base_.num_classes, in_channels=192),
    # Black and white become -1 and 1.
    data_preprocessor=dict(
        mean=[127.5, 127.5, 127.5], std=[127.5, 127.5, 127.5]))

optim_wrapper = dict(
    type='AmpOptimWrapper', dtype='bfloat16', clip_grad=dict(max_norm=1))

train_cfg = dict(max_epochs=max_epochs)
edit(_base_, 'param_scheduler', 'LinearLR', end=warmup_epochs)
edit(
    _base_,
    'param_scheduler',
    'CosineAnnealingLR',
    begin=warmup_epochs,
    end=max_epochs,
    T_max=max_epochs - warmup_epochs)

randomness = dict(seed=0)

# --auto-scale-lr of the tools: videos of a step, all GPUs.
auto_scale_lr = dict(enable=False, base_batch_size=128)
