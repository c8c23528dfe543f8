# Kinetics-400 for masked distillation: a clip of 8 segments per video, labels
# unused. The list is the published list, PATH,LABEL.
data_root = 'data/kinetics400'
num_frames = 8
img_size = 224

train_pipeline = [
    dict(type='mmvideomamba.OpenVideo'),
    dict(type='mmvideomamba.SegmentSample', clip_len=num_frames),
    dict(type='mmvideomamba.DecodeFrames'),
    # 4 corners, the centre, 4 centres of edges and 4 quarter points.
    dict(
        type='MultiScaleCrop',
        input_size=img_size,
        scales=(1, 0.875, 0.75, 0.66),
        max_wh_scale_gap=1,
        num_fixed_crops=13),
    dict(type='Resize', scale=(img_size, img_size), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs')
]
train_dataloader = dict(
    batch_size=64,
    num_workers=12,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmvideomamba.CheckedVideoDataset',
        data_root=data_root,
        ann_file='train.csv',
        delimiter=',',
        data_prefix=dict(video='videos'),
        bad_media='replace',
        pipeline=train_pipeline))
