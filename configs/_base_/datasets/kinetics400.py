# Kinetics-400, and the pipelines of all published fine-tuning runs: 8 frames
# of 224 px, spread over the whole video. tools/data/kinetics400.py writes the
# annotation files, lines of `path,label`.
dataset_type = 'mmvideomamba.CheckedVideoDataset'
data_root = 'data/kinetics400'
num_classes = 400
num_frames = 8
img_size = 224

# Mixes the clips of a batch, all copies of all videos; for the leaf's data
# preprocessor. Mixup or CutMix, each with probability 1/2.
blending = dict(
    type='RandomBatchAugment',
    augments=[
        dict(type='MixupBlending', alpha=0.8, num_classes=num_classes),
        dict(type='CutmixBlending', alpha=1.0, num_classes=num_classes)
    ])

train_pipeline = [
    dict(type='mmvideomamba.OpenVideo'),
    dict(type='UniformSample', clip_len=num_frames),
    dict(type='mmvideomamba.DecodeFrames'),
    dict(
        type='mmvideomamba.ClipRandAugment',
        magnitude=7,
        num_layers=4,
        magnitude_std=0.5),
    dict(type='mmvideomamba.ClipRandomResizedCrop', scale=img_size),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='mmvideomamba.ClipRandomErasing', erase_prob=0.25),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs')
]
val_pipeline = [
    dict(type='mmvideomamba.OpenVideo'),
    dict(type='UniformSample', clip_len=num_frames, test_mode=True),
    dict(type='mmvideomamba.DecodeFrames'),
    dict(type='mmvideomamba.ResizeShortEdge', scale=img_size),
    dict(type='mmvideomamba.EvenCrops', crop_size=img_size, num_crops=1),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs')
]
# 4 clips x 3 crops; the head averages the probabilities of the 12 views.
test_pipeline = [
    dict(type='mmvideomamba.OpenVideo'),
    dict(
        type='UniformSample', clip_len=num_frames, num_clips=4,
        test_mode=True),
    dict(type='mmvideomamba.DecodeFrames'),
    dict(type='mmvideomamba.ResizeShortEdge', scale=img_size),
    dict(type='mmvideomamba.EvenCrops', crop_size=img_size),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs')
]

# Videos per GPU; each is in the batch twice (num_repeats).
train_dataloader = dict(
    batch_size=64,
    num_workers=16,
    persistent_workers=True,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    collate_fn=dict(type='repeat_pseudo_collate'),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='train.csv',
        data_prefix=dict(video='videos'),
        delimiter=',',
        num_classes=num_classes,
        num_repeats=2,
        bad_media='replace',
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=16,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='val.csv',
        data_prefix=dict(video='videos'),
        delimiter=',',
        num_classes=num_classes,
        bad_media='report',
        pipeline=val_pipeline,
        test_mode=True))
test_dataloader = dict(
    batch_size=1,
    num_workers=8,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='val.csv',
        data_prefix=dict(video='videos'),
        delimiter=',',
        num_classes=num_classes,
        bad_media='report',
        pipeline=test_pipeline,
        test_mode=True))

val_evaluator = dict(type='AccMetric')
test_evaluator = val_evaluator
