# Masked distillation small enough for a run of seconds, on the clips of
# tiny_recognizer.py; the teacher is random.
_base_ = './tiny_recognizer.py'

backbone = _base_.model.backbone
backbone.update(
    num_frames=8,
    patch_size=8,
    out_type='raw',
    out_indices=(),
    stream_indices=-2)
model = dict(
    _delete_=True,
    type='mmvideomamba.UMT',
    backbone=backbone,
    target_generator=dict(
        type='mmvideomamba.CLIPTeacher',
        arch=dict(
            width=16, num_layers=2, num_heads=2, patch_size=8,
            out_channels=12),
        img_size=_base_.img_size),
    neck=dict(type='mmvideomamba.UMTDecoder', in_channels=32, out_channels=12),
    head=dict(
        type='mmpretrain.MIMHead',
        loss=dict(type='mmvideomamba.AlignmentLoss')),
    data_preprocessor=_base_.model.data_preprocessor)

train_pipeline = [
    dict(type='mmvideomamba.OpenVideo'),
    dict(type='mmvideomamba.SegmentSample', clip_len=8),
    dict(type='mmvideomamba.DecodeFrames'),
    dict(type='MultiScaleCrop', input_size=32, scales=(1, 0.875, 0.75, 0.66)),
    dict(type='Resize', scale=(32, 32), keep_ratio=False),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs')
]
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = val_cfg = val_evaluator = None
test_dataloader = test_cfg = test_evaluator = None

default_hooks = dict(
    checkpoint=dict(save_best=None),
    # Drawing must not change the random draws of the training.
    visualization=dict(type='mmvideomamba.AlignmentHook', interval=3))
