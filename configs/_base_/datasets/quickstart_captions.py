# The clips and captions of
# tools/data/quickstart/make_quickstart_captions.py.
dataset_type = 'mmvideomamba.RetrievalDataset'
data_root = 'data/quickstart_captions'
num_frames = 4
img_size = 32

# No flip: captions tell left from right.
train_pipeline = [
    dict(type='mmvideomamba.OpenVideo'),
    dict(type='mmvideomamba.IntervalSample', clip_len=num_frames, mode='rand'),
    dict(type='mmvideomamba.DecodeFrames'),
    dict(
        type='RandomResizedCrop',
        area_range=(0.8, 1.0),
        aspect_ratio_range=(0.8, 1.25)),
    dict(type='Resize', scale=(img_size, img_size), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', algorithm_keys=('text', 'pair_id'))
]
val_pipeline = [
    dict(type='mmvideomamba.OpenVideo'),
    dict(type='mmvideomamba.IntervalSample', clip_len=num_frames),
    dict(type='mmvideomamba.DecodeFrames'),
    dict(type='Resize', scale=(img_size, img_size), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', algorithm_keys=('video_index', ))
]
test_pipeline = val_pipeline

train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    persistent_workers=False,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='train.json',
        data_prefix=dict(video=''),
        bad_media='replace',
        pipeline=train_pipeline))
# The checkpoint is chosen on val.json and reported on test.json.
val_dataloader = dict(
    batch_size=40,
    num_workers=1,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='val.json',
        data_prefix=dict(video=''),
        bad_media='report',
        pipeline=val_pipeline,
        test_mode=True))
test_dataloader = dict(
    batch_size=40,
    num_workers=1,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='test.json',
        data_prefix=dict(video=''),
        bad_media='report',
        pipeline=test_pipeline,
        test_mode=True))

val_evaluator = dict(type='mmvideomamba.VideoTextRecall')
test_evaluator = val_evaluator
