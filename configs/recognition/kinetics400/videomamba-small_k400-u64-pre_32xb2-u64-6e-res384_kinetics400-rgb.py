# 64 frames of 384 px, from the file with 64 frames of 224 px.
_base_ = './videomamba-small_in1k-pre_8xb64-u8-50e_kinetics400-rgb.py'
from mmvideomamba.config_edit import edit

img_size = 384
num_frames = 64
init_cfg = dict(
    type='Pretrained',
    checkpoint='checkpoints/videomamba_s16_k400_f64_res224.pth')
model = dict(
    backbone=dict(img_size=img_size, num_frames=num_frames, init_cfg=init_cfg),
    cls_head=dict(init_cfg=init_cfg))

edit(_base_, '*_pipeline', 'UniformSample', clip_len=num_frames)
edit(
    _base_,
    'train_pipeline',
    'mmvideomamba.ClipRandomResizedCrop',
    scale=img_size)
views = ['val_pipeline', 'test_pipeline']
edit(_base_, views, 'mmvideomamba.ResizeShortEdge', scale=img_size)
edit(_base_, views, 'mmvideomamba.EvenCrops', crop_size=img_size)
train_dataloader = dict(batch_size=2)

optim_wrapper = dict(
    # 5e-6 * 256 clips / 256, in 2 steps.
    optimizer=dict(lr=5e-6, weight_decay=1e-8),
    accumulative_counts=2)
max_epochs = 6
warmup_epochs = 1
train_cfg = dict(max_epochs=max_epochs)
# Both steps of an update have the same rate, as published.
edit(
    _base_,
    'param_scheduler',
    'LinearLR',
    type='mmvideomamba.PerUpdateLinearLR',
    start_factor=0.2,
    end=warmup_epochs)
edit(
    _base_,
    'param_scheduler',
    'CosineAnnealingLR',
    type='mmvideomamba.PerUpdateCosineAnnealingLR',
    eta_min_ratio=0.2,
    begin=warmup_epochs,
    end=max_epochs,
    T_max=max_epochs - warmup_epochs)
auto_scale_lr = dict(base_batch_size=64)
