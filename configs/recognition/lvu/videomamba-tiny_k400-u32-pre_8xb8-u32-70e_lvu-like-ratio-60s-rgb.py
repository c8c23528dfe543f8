# VideoMamba-Tiny on LVU, likes per vote: 32 frames of windows of 60 s, from
# Kinetics-400.
_base_ = [
    '../../_base_/models/videomamba_tiny.py',
    '../../_base_/datasets/lvu_60s.py',
    '../../_base_/schedules/finetune_video.py',
    '../../_base_/default_runtime.py'
]
from mmvideomamba.config_edit import edit

# A number instead of classes: no mixing, no smoothing.
model = dict(
    backbone=dict(
        num_frames=_base_.num_frames,
        drop_path_rate=0.15,
        init_cfg=dict(
            type='Pretrained',
            checkpoint='checkpoints/videomamba_t16_k400_f32_res224.pth')),
    cls_head=dict(
        _delete_=True,
        type='mmvideomamba.VideoMambaRegressionHead',
        in_channels=192))

task = 'like_ratio'
num_classes = None
data = dict(num_classes=num_classes, regression=True)
train_dataloader = dict(dataset=dict(data, ann_file=f'{task}/train.csv'))
val_dataloader = dict(dataset=dict(data, ann_file=f'{task}/val.csv'))
test_dataloader = dict(dataset=dict(data, ann_file=f'{task}/test.csv'))
val_evaluator = dict(_delete_=True, type='mmvideomamba.MSEMetric')
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='regression/mse', rule='less'))

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
