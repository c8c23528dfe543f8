# The digits of tools/data/digits/make_digits.py: 898 training and 899
# validation scans of 8x8 pixels, 10 classes, enlarged to 32x32.
dataset_type = 'mmvideomamba.CheckedImageFolder'
data_root = 'data/digits'
num_classes = 10
img_size = 32

data_preprocessor = dict(
    num_classes=num_classes,
    # Mean and deviation of the training pixels.
    mean=[78., 78., 78.],
    std=[96., 96., 96.],
    to_rgb=True)

# No flip: a mirrored digit is none.
train_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(
        type='RandomCrop',
        crop_size=8,
        padding=1,
        pad_val=0,
        padding_mode='constant'),
    dict(type='Resize', scale=(img_size, img_size), interpolation='bicubic'),
    dict(type='PackInputs')
]
test_pipeline = [
    dict(type='LoadImageFromFile'),
    dict(type='Resize', scale=(img_size, img_size), interpolation='bicubic'),
    dict(type='PackInputs')
]

train_dataloader = dict(
    batch_size=32,
    num_workers=1,
    # New workers each epoch draw the same numbers whether or not the training
    # was interrupted before.
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix='train',
        bad_media='replace',
        pipeline=train_pipeline))
val_dataloader = dict(
    batch_size=128,
    num_workers=1,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        data_prefix='val',
        bad_media='report',
        pipeline=test_pipeline))
test_dataloader = val_dataloader

val_evaluator = dict(type='Accuracy', topk=1)
test_evaluator = val_evaluator
