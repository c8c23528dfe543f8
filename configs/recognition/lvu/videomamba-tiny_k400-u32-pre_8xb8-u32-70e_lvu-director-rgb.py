# VideoMamba-Tiny on LVU, task `director`: 32 frames of the whole video, from
# Kinetics-400.
_base_ = [
    '../../_base_/models/videomamba_tiny.py', '../../_base_/datasets/lvu.py',
    '../../_base_/schedules/finetune_video.py',
    '../../_base_/default_runtime.py'
]
from mmvideomamba.config_edit import edit

model = dict(
    backbone=dict(
        num_frames=_base_.num_frames,
        drop_path_rate=0.15,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='checkpoints/videomamba_t16_k400_f32_res224.pth')),
    cls_head=dict(num_classes=_base_.num_classes, label_smooth_eps=0.1),
    data_preprocessor=dict(blending=_base_.blending))

# The embeddings learn slowly: layer decay 0.75 reaches them alone.
embed_lr_mult = 0.75**25
optim_wrapper = dict(
    # 4e-4 * 128 clips / 256.
    optimizer=dict(lr=2e-4, weight_decay=0.1),
    paramwise_cfg=dict(
        custom_keys={
            'cls_token': dict(lr_mult=embed_lr_mult),
            'pos_embed': dict(lr_mult=embed_lr_mult),
            'patch_embed.proj.weight': dict(lr_mult=embed_lr_mult),
            'patch_embed.proj.bias': dict(lr_mult=embed_lr_mult)
        }))
max_epochs = 70
train_cfg = dict(max_epochs=max_epochs)
edit(_base_, 'param_scheduler', 'LinearLR', start_factor=0.0025)
edit(
    _base_,
    'param_scheduler',
    'CosineAnnealingLR',
    eta_min_ratio=0.0025,
    end=max_epochs,
    T_max=max_epochs - 5)
auto_scale_lr = dict(base_batch_size=64)
