# 5M: WebVid-2M and CC3M, validated on MSRVTT. Each source is a JSON list, a
# .jsonl, an SQLite file or tar shards; see docs/video_text.md.
data_root = 'data'
num_frames = 8
img_size = 224

augment = [
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
train_pipeline = [
    dict(type='mmvideomamba.OpenClip'),
    dict(type='mmvideomamba.IntervalSample', clip_len=num_frames, mode='rand'),
    dict(type='mmvideomamba.DecodeFrames'), *augment
]
image_pipeline = [dict(type='mmvideomamba.ReadImage'), *augment]
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

image_sources = [dict(ann_file='cc3m/train.sqlite', media_root='cc3m')]
train_dataloader = dict(
    batch_size=128,
    num_workers=6,
    persistent_workers=False,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmvideomamba.CaptionDataset',
        data_root=data_root,
        modality='video',
        sources=[
            dict(
                ann_file='webvid2m/train.sqlite', media_root='webvid2m/videos')
        ],
        pipeline=train_pipeline))
image_dataloader = dict(
    batch_size=128,
    num_workers=6,
    persistent_workers=False,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmvideomamba.CaptionDataset',
        data_root=data_root,
        modality='image',
        sources=image_sources,
        pipeline=image_pipeline))
val_dataloader = dict(
    batch_size=64,
    num_workers=6,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(
        type='mmvideomamba.RetrievalDataset',
        data_root='data/msrvtt',
        ann_file='msrvtt_ret_test1k.json',
        data_prefix=dict(video='videos'),
        pipeline=val_pipeline,
        test_mode=True))
test_dataloader = val_dataloader
val_evaluator = dict(type='mmvideomamba.VideoTextRecall')
test_evaluator = val_evaluator
