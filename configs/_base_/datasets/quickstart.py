# The clips of tools/data/quickstart/make_quickstart_videos.py: 8 classes,
# direction and starting point of an object travelling a full circle.
dataset_type = 'mmvideomamba.CheckedVideoDataset'
data_root = 'data/quickstart'
num_classes = 8
num_frames = 8
img_size = 48

# No flip: a flipped clip shows the opposite direction, another class.
train_pipeline = [
    dict(type='mmvideomamba.OpenVideo'),
    dict(type='UniformSample', clip_len=num_frames),
    dict(type='mmvideomamba.DecodeFrames'),
    dict(
        type='RandomResizedCrop',
        area_range=(0.7, 1.0),
        aspect_ratio_range=(0.8, 1.25)),
    dict(type='Resize', scale=(img_size, img_size), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs')
]
val_pipeline = [
    dict(type='mmvideomamba.OpenVideo'),
    dict(type='UniformSample', clip_len=num_frames, test_mode=True),
    dict(type='mmvideomamba.DecodeFrames'),
    dict(type='Resize', scale=(-1, img_size)),
    dict(type='CenterCrop', crop_size=img_size),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs')
]
# 2 clips x 3 crops; the head averages the scores of the 6 views.
test_pipeline = [
    dict(type='mmvideomamba.OpenVideo'),
    dict(
        type='UniformSample', clip_len=num_frames, num_clips=2,
        test_mode=True),
    dict(type='mmvideomamba.DecodeFrames'),
    dict(type='Resize', scale=(-1, img_size)),
    dict(type='ThreeCrop', crop_size=img_size),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs')
]

train_dataloader = dict(
    batch_size=8,
    num_workers=1,
    # New workers each epoch draw the same numbers whether or not the training
    # was interrupted before.
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='train.txt',
        data_prefix=dict(video=''),
        num_classes=num_classes,
        metainfo=dict(classes=f'{data_root}/classes.txt'),
        bad_media='replace',
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=16,
    num_workers=1,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='val.txt',
        data_prefix=dict(video=''),
        num_classes=num_classes,
        metainfo=dict(classes=f'{data_root}/classes.txt'),
        bad_media='report',
        pipeline=val_pipeline,
        test_mode=True))
test_dataloader = dict(
    batch_size=4,
    num_workers=1,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='val.txt',
        data_prefix=dict(video=''),
        num_classes=num_classes,
        metainfo=dict(classes=f'{data_root}/classes.txt'),
        bad_media='report',
        pipeline=test_pipeline,
        test_mode=True))

val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
