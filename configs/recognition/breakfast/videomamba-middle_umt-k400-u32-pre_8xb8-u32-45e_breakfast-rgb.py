# VideoMamba-Middle on Breakfast: 32 frames of 224 px, from Kinetics-400, 32
# frames after masked pretraining.
_base_ = [
    '../../_base_/models/videomamba_tiny.py',
    '../../_base_/datasets/breakfast.py',
    '../../_base_/schedules/finetune_video.py',
    '../../_base_/default_runtime.py'
]
from mmvideomamba.config_edit import edit

model = dict(
    backbone=dict(
        arch='middle',
        num_frames=_base_.num_frames,
        drop_path_rate=0.4,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='checkpoints/videomamba_m16_k400_mask_ft_f32_res224.pth'
        )),
    cls_head=dict(
        num_classes=_base_.num_classes, in_channels=576, label_smooth_eps=0.1),
    data_preprocessor=dict(blending=_base_.blending))

# The embeddings learn slowly: layer decay 0.8 reaches them alone.
embed_lr_mult = 0.8**33
optim_wrapper = dict(
    # 2e-4 * 128 clips / 256.
    optimizer=dict(lr=1e-4),
    paramwise_cfg=dict(
        custom_keys={
            'cls_token': dict(lr_mult=embed_lr_mult),
            'pos_embed': dict(lr_mult=embed_lr_mult),
            'patch_embed.proj.weight': dict(lr_mult=embed_lr_mult),
            'patch_embed.proj.bias': dict(lr_mult=embed_lr_mult)
        }))
max_epochs = 45
train_cfg = dict(max_epochs=max_epochs)
edit(
    _base_,
    'param_scheduler',
    'CosineAnnealingLR',
    end=max_epochs,
    T_max=max_epochs - 5)
train_dataloader = dict(batch_size=8)
auto_scale_lr = dict(base_batch_size=64)
