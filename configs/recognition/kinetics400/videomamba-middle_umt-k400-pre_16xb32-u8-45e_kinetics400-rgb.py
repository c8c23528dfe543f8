# VideoMamba-Middle on Kinetics-400: 8 frames of 224 px, from masked
# pretraining.
_base_ = [
    '../../_base_/models/videomamba_tiny.py',
    '../../_base_/datasets/kinetics400.py',
    '../../_base_/schedules/finetune_video.py',
    '../../_base_/default_runtime.py'
]
from mmvideomamba.config_edit import edit

model = dict(
    backbone=dict(
        arch='middle',
        drop_path_rate=0.4,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='checkpoints/videomamba_m16_k400_mask_pt_f8_res224.pth')
    ),
    cls_head=dict(in_channels=576, label_smooth_eps=0.1),
    data_preprocessor=dict(blending=_base_.blending))

# The embeddings learn slowly: layer decay 0.8 reaches them alone.
embed_lr_mult = 0.8**33
optim_wrapper = dict(
    # 1e-4 * 1024 clips / 256.
    optimizer=dict(lr=4e-4),
    paramwise_cfg=dict(
        custom_keys={
            'cls_token': dict(lr_mult=embed_lr_mult),
            'pos_embed': dict(lr_mult=embed_lr_mult),
            'patch_embed.proj.weight': dict(lr_mult=embed_lr_mult),
            'patch_embed.proj.bias': dict(lr_mult=embed_lr_mult)
        }))
max_epochs = 45
train_cfg = dict(max_epochs=max_epochs)
edit(_base_, 'param_scheduler', 'LinearLR', start_factor=0.01)
edit(
    _base_,
    'param_scheduler',
    'CosineAnnealingLR',
    eta_min_ratio=0.01,
    end=max_epochs,
    T_max=max_epochs - 5)
train_dataloader = dict(batch_size=32)
