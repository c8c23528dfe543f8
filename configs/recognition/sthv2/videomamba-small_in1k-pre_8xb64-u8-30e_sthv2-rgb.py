# VideoMamba-Small on Something-Something V2: 8 frames of 224 px, from the
# image model.
_base_ = [
    '../../_base_/models/videomamba_tiny.py', '../../_base_/datasets/sthv2.py',
    '../../_base_/schedules/finetune_video.py',
    '../../_base_/default_runtime.py'
]
from mmvideomamba.config_edit import edit

model = dict(
    backbone=dict(
        arch='small',
        drop_path_rate=0.35,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='checkpoints/videomamba_s16_in1k_res224.pth')),
    cls_head=dict(
        num_classes=_base_.num_classes, in_channels=384, label_smooth_eps=0.1),
    data_preprocessor=dict(blending=_base_.blending))

# The embeddings learn slowly: layer decay 0.75 reaches them alone.
embed_lr_mult = 0.75**25
optim_wrapper = dict(
    # 4e-4 * 1024 clips / 256.
    optimizer=dict(lr=1.6e-3),
    paramwise_cfg=dict(
        custom_keys={
            'cls_token': dict(lr_mult=embed_lr_mult),
            'pos_embed': dict(lr_mult=embed_lr_mult),
            'patch_embed.proj.weight': dict(lr_mult=embed_lr_mult),
            'patch_embed.proj.bias': dict(lr_mult=embed_lr_mult)
        }))
max_epochs = 30
train_cfg = dict(max_epochs=max_epochs)
edit(_base_, 'param_scheduler', 'LinearLR', start_factor=0.0025)
edit(
    _base_,
    'param_scheduler',
    'CosineAnnealingLR',
    eta_min_ratio=0.0025,
    end=max_epochs,
    T_max=max_epochs - 5)
