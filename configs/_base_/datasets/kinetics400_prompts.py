# Kinetics-400 for recognition by prompts: a test only. The lists are the same
# as for recognition, see kinetics400.py; frames are resized as in retrieval,
# without a constant aspect ratio.
dataset_type = 'mmvideomamba.CheckedVideoDataset'
data_root = 'data/kinetics400'
num_classes = 400
num_frames = 8
img_size = 224

test_pipeline = [
    dict(type='mmvideomamba.OpenVideo'),
    dict(type='mmvideomamba.IntervalSample', clip_len=num_frames),
    dict(type='mmvideomamba.DecodeFrames'),
    dict(
        type='Resize',
        scale=(img_size, img_size),
        keep_ratio=False,
        interpolation='bicubic'),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs')
]
test_dataloader = dict(
    batch_size=64,
    num_workers=12,
    persistent_workers=True,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file='val.csv',
        data_prefix=dict(video='videos'),
        delimiter=',',
        num_classes=num_classes,
        # A name a line, in the order of the labels.
        metainfo=dict(classes=f'{data_root}/classes.txt'),
        bad_media='report',
        pipeline=test_pipeline,
        test_mode=True))
test_evaluator = dict(type='mmvideomamba.PromptAccMetric')
