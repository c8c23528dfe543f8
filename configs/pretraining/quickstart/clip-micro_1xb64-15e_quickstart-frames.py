# The teacher of the embedded default: an image tower of CLIP's form, 0.5 M
# parameters, trained to find the place of the object in a frame. The teacher
# sees single frames, and no label of a video.
_base_ = [
    '../../_base_/schedules/adamw_videomamba.py',
    '../../_base_/schedules/cosine_25e.py', '../../_base_/default_runtime.py'
]
from mmvideomamba.config_edit import edit

default_scope = 'mmpretrain'
data_root = 'data/quickstart_frames'
img_size = 48
max_epochs = 15

model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='mmvideomamba.CLIPTower',
        arch=dict(
            width=96, num_layers=4, num_heads=4, patch_size=8,
            out_channels=64),
        img_size=img_size),
    head=dict(type='LinearClsHead', num_classes=8, in_channels=64),
    # The student's mean and std: the teacher gets the student's pixels.
    data_preprocessor=dict(
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        to_rgb=True))

train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='RandomResizedCrop',
        scale=img_size,
        crop_ratio_range=(0.8, 1.0),
        aspect_ratio_range=(0.8, 1.25)),
    dict(type='PackInputs')
]
val_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='ResizeEdge', scale=img_size, edge='short'),
    dict(type='CenterCrop', crop_size=img_size),
    dict(type='PackInputs')
]
train_dataloader = dict(
    batch_size=64,
    num_workers=1,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmvideomamba.CheckedImageFolder',
        data_root=data_root,
        data_prefix='train',
        bad_media='replace',
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=64,
    num_workers=1,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmvideomamba.CheckedImageFolder',
        data_root=data_root,
        data_prefix='val',
        bad_media='report',
        pipeline=val_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(type='Accuracy', topk=(1, ))
test_evaluator = val_evaluator

optim_wrapper = dict(optimizer=dict(lr=1e-3))
train_cfg = dict(max_epochs=max_epochs, val_interval=5)
# All but 2 epochs of warm-up.
edit(_base_, 'param_scheduler', 'CosineAnnealingLR', end=max_epochs, T_max=13)

default_hooks = dict(checkpoint=dict(interval=max_epochs, save_best=None))
visualizer = dict(
    _delete_=True,
    type='UniversalVisualizer',
    vis_backends=[dict(type='LocalVisBackend')])
randomness = dict(seed=0)

# --auto-scale-lr of the tools: images of a step, all GPUs.
auto_scale_lr = dict(enable=False, base_batch_size=64)
