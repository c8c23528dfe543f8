# A recognizer and clips small enough for a run of seconds. The tools are
# started in the parent folder of data/, see conftest.py.
_base_ = [
    '../../configs/_base_/models/videomamba_tiny.py',
    '../../configs/_base_/default_runtime.py'
]
num_classes = 2
num_frames = 4
img_size = 32

model = dict(
    backbone=dict(
        arch=dict(_delete_=True, embed_dims=32, num_layers=2),
        img_size=img_size,
        num_frames=num_frames,
        # Draws random numbers in the training process.
        drop_path_rate=0.3),
    cls_head=dict(num_classes=num_classes, in_channels=32, dropout_ratio=0.2))

train_pipeline = [
    dict(type='mmvideomamba.OpenVideo', min_frames=num_frames),
    dict(type='UniformSample', clip_len=num_frames),
    dict(type='mmvideomamba.DecodeFrames'),
    # Draws random numbers in the workers.
    dict(type='RandomResizedCrop', area_range=(0.3, 1.0)),
    dict(type='Resize', scale=(img_size, img_size), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs')
]
test_pipeline = [
    dict(type='mmvideomamba.OpenVideo', min_frames=num_frames),
    dict(type='UniformSample', clip_len=num_frames, test_mode=True),
    dict(type='mmvideomamba.DecodeFrames'),
    dict(type='Resize', scale=(-1, img_size)),
    dict(type='CenterCrop', crop_size=img_size),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs')
]

train_dataloader = dict(
    batch_size=2,
    num_workers=1,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmvideomamba.CheckedVideoDataset',
        ann_file='data/train.txt',
        data_prefix=dict(video='data'),
        num_classes=num_classes,
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=2,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type='mmvideomamba.CheckedVideoDataset',
        ann_file='data/val.txt',
        data_prefix=dict(video='data'),
        num_classes=num_classes,
        pipeline=test_pipeline,
        test_mode=True))
test_dataloader = val_dataloader
val_evaluator = dict(type='AccMetric', metric_list='top_k_accuracy')
test_evaluator = val_evaluator

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=3, val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
optim_wrapper = dict(
    type='OptimWrapper', optimizer=dict(type='AdamW', lr=1e-3))
param_scheduler = dict(
    type='CosineAnnealingLR',
    T_max=3,
    by_epoch=True,
    convert_to_iter_based=True)

default_hooks = dict(checkpoint=dict(max_keep_ckpts=-1))
randomness = dict(seed=0, deterministic=True)
