# Your own videos, listed by tools/data/build_annotations.py.
# 8 frames of 224 px; a leaf config sets data_root and the classes.
dataset_type = 'mmvideomamba.CheckedVideoDataset'
data_root = 'data/custom'
num_frames = 8
img_size = 224

# No flip, as left and right may make your classes; docs/your_own_videos.md
# tells how to add a flip.
train_pipeline = [
    dict(type='mmvideomamba.OpenVideo'),
    dict(type='UniformSample', clip_len=num_frames),
    dict(type='mmvideomamba.DecodeFrames'),
    dict(type='RandomResizedCrop', area_range=(0.3, 1.0)),
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
# 4 clips x 3 crops; the head averages the scores of the 12 views.
test_pipeline = [
    dict(type='mmvideomamba.OpenVideo'),
    dict(
        type='UniformSample', clip_len=num_frames, num_clips=4,
        test_mode=True),
    dict(type='mmvideomamba.DecodeFrames'),
    dict(type='Resize', scale=(-1, img_size)),
    dict(type='ThreeCrop', crop_size=img_size),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs')
]

train_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='train.txt',
        data_prefix=dict(video=''),
        bad_media='replace',
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=8,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='val.txt',
        data_prefix=dict(video=''),
        bad_media='report',
        pipeline=val_pipeline,
        test_mode=True))
test_dataloader = dict(
    batch_size=1,
    num_workers=4,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='val.txt',
        data_prefix=dict(video=''),
        bad_media='report',
        pipeline=test_pipeline,
        test_mode=True))

# No top-5: among a handful of classes nearly every prediction is in it.
val_evaluator = dict(
    type='AccMetric', metric_options=dict(top_k_accuracy=dict(topk=(1, ))))
test_evaluator = val_evaluator
