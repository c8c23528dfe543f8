# 16 frames of 288 px, from the file with 16 frames of 224 px.
_base_ = './videomamba-small_in1k-pre_8xb64-u8-30e_sthv2-rgb.py'
from mmvideomamba.config_edit import edit

img_size = 288
num_frames = 16
init_cfg = dict(
    type='Pretrained',
    checkpoint='checkpoints/videomamba_s16_ssv2_f16_res224.pth')
model = dict(
    backbone=dict(img_size=img_size, num_frames=num_frames, init_cfg=init_cfg),
    cls_head=dict(init_cfg=init_cfg))

edit(_base_, '*_pipeline', 'mmvideomamba.SegmentSample', clip_len=num_frames)
edit(
    _base_,
    'train_pipeline',
    'mmvideomamba.ClipRandomResizedCrop',
    scale=img_size)
views = ['val_pipeline', 'test_pipeline']
edit(_base_, views, 'mmvideomamba.ResizeShortEdge', scale=img_size)
edit(_base_, views, 'mmvideomamba.EvenCrops', crop_size=img_size)
train_dataloader = dict(batch_size=12)

optim_wrapper = dict(
    # 5e-6 * 384 clips / 256.
    optimizer=dict(lr=7.5e-6, weight_decay=1e-8))
max_epochs = 10
warmup_epochs = 2
train_cfg = dict(max_epochs=max_epochs)
edit(
    _base_, 'param_scheduler', 'LinearLR', start_factor=0.2, end=warmup_epochs)
edit(
    _base_,
    'param_scheduler',
    'CosineAnnealingLR',
    eta_min_ratio=0.2,
    begin=warmup_epochs,
    end=max_epochs,
    T_max=max_epochs - warmup_epochs)
auto_scale_lr = dict(base_batch_size=192)
