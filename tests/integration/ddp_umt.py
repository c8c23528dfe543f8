# Masked distillation with a loss independent of the number of processes: fixed
# views, and masks drawn by sample number.
_base_ = './tiny_umt.py'

custom_imports = dict(imports=['mmvideomamba', 'ddp_parts'])
model = dict(mask_source='data', backbone=dict(drop_path_rate=0.))
train_pipeline = [
    dict(type='mmvideomamba.OpenVideo'),
    dict(type='mmvideomamba.SegmentSample', clip_len=8, test_mode=True),
    dict(type='mmvideomamba.DecodeFrames'),
    dict(type='Resize', scale=(32, 32), keep_ratio=False),
    dict(type='SampleMask', kind='tube', mask_ratio=0.7, grid=(8, 4, 4)),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', algorithm_keys=('mask', ))
]
train_dataloader = dict(
    num_workers=0,
    sampler=dict(shuffle=False),
    dataset=dict(pipeline=train_pipeline))
train_cfg = dict(max_epochs=2)
custom_hooks = [dict(type='LossHook')]
default_hooks = dict(
    visualization=dict(type='mmvideomamba.AlignmentHook', interval=1000))
