# The clips of tools/data/motion_noise/make_motion_noise.py kinds: 18 kinds of
# motion, each frame pure noise. A leaf for letters changes data_root and
# num_classes.
dataset_type = 'mmvideomamba.CheckedVideoDataset'
data_root = 'data/motion_noise/kinds'
num_classes = 18
num_frames = 16
img_size = 64

# Neighbouring frames at their own size: scaled noise, or noise without the
# frames in between, is other noise. No flip and no crop: a flip turns a class
# into another class.
train_pipeline = [
    dict(type='mmvideomamba.OpenVideo'),
    dict(type='SampleFrames', clip_len=num_frames),
    dict(type='mmvideomamba.DecodeFrames'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs')
]
# The middle of a longer video. Resize changes no clip of this set; it tells an
# exported model the size.
val_pipeline = [
    dict(type='mmvideomamba.OpenVideo'),
    dict(type='SampleFrames', clip_len=num_frames, test_mode=True),
    dict(type='mmvideomamba.DecodeFrames'),
    dict(type='Resize', scale=(img_size, img_size), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs')
]
test_pipeline = val_pipeline

train_dataloader = dict(
    batch_size=128,
    num_workers=8,
    # Workers go on: a start in each of the short epochs would cost seconds.
    persistent_workers=True,
    drop_last=True,
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
    batch_size=128,
    num_workers=4,
    persistent_workers=True,
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
    batch_size=128,
    num_workers=4,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='test.txt',
        data_prefix=dict(video=''),
        num_classes=num_classes,
        metainfo=dict(classes=f'{data_root}/classes.txt'),
        bad_media='report',
        pipeline=test_pipeline,
        test_mode=True))

val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
