# MSRVTT: videos and captions, 1000 pairs for test.
dataset_type = 'mmvideomamba.RetrievalDataset'
data_root = 'data/msrvtt'
num_frames = 8
img_size = 224

train_pipeline = [
    dict(type='mmvideomamba.OpenVideo'),
    dict(type='mmvideomamba.IntervalSample', clip_len=num_frames, mode='rand'),
    dict(type='mmvideomamba.DecodeFrames'),
    dict(type='RandomResizedCrop', area_range=(0.5, 1.0)),
    dict(
        type='Resize',
        scale=(img_size, img_size),
        keep_ratio=False,
        interpolation='bicubic'),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', algorithm_keys=('text', 'pair_id'))
]
# The aspect ratio is not kept.
val_pipeline = [
    dict(type='mmvideomamba.OpenVideo'),
    dict(type='mmvideomamba.IntervalSample', clip_len=num_frames),
    dict(type='mmvideomamba.DecodeFrames'),
    dict(
        type='Resize',
        scale=(img_size, img_size),
        keep_ratio=False,
        interpolation='bicubic'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', algorithm_keys=('video_index', ))
]
test_pipeline = val_pipeline

train_dataloader = dict(
    batch_size=64,
    num_workers=12,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='msrvtt_ret_train9k.json',
        data_prefix=dict(video='videos'),
        bad_media='replace',
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=64,
    num_workers=12,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='msrvtt_ret_test1k.json',
        data_prefix=dict(video='videos'),
        bad_media='report',
        pipeline=val_pipeline,
        test_mode=True))
test_dataloader = val_dataloader

val_evaluator = dict(type='mmvideomamba.VideoTextRecall')
test_evaluator = val_evaluator
