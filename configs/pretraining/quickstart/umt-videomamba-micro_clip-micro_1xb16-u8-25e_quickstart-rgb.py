# Masked distillation on the quickstart's training videos, labels unused: the
# quickstart's student, with patches of 8 px, from the teacher beside this.
_base_ = '../../quickstart/videomamba-micro_1xb8-u8-25e_quickstart-rgb.py'
from mmvideomamba.config_edit import edit, insert

img_size = _base_.img_size
teacher_checkpoint = 'work_dirs/quickstart_pretraining/teacher/epoch_15.pth'

backbone = _base_.model.backbone
backbone.update(
    patch_size=8,
    out_type='raw',
    # The published student, out_indices=() and stream_indices=-2, leaves the
    # last block untrained: a quarter of this model of four blocks.
    out_indices=-1)
model = dict(
    _delete_=True,
    type='mmvideomamba.UMT',
    backbone=backbone,
    target_generator=dict(
        type='mmvideomamba.CLIPTeacher',
        arch=dict(
            width=96, num_layers=4, num_heads=4, patch_size=8,
            out_channels=64),
        img_size=img_size,
        init_cfg=dict(type='Pretrained', checkpoint=teacher_checkpoint)),
    neck=dict(type='mmvideomamba.UMTDecoder', in_channels=96, out_channels=64),
    head=dict(
        type='mmpretrain.MIMHead',
        loss=dict(type='mmvideomamba.AlignmentLoss')),
    mask_source='attention',
    mask_ratio=0.8,
    data_preprocessor=_base_.model.data_preprocessor)

# Frames, crops and flips as published.
edit(
    _base_,
    'train_pipeline',
    'UniformSample',
    type='mmvideomamba.SegmentSample')
edit(
    _base_,
    'train_pipeline',
    'RandomResizedCrop',
    _delete_=True,
    type='MultiScaleCrop',
    input_size=img_size,
    scales=(1, 0.875, 0.75, 0.66),
    max_wh_scale_gap=1,
    num_fixed_crops=13)
insert(
    _base_,
    'train_pipeline',
    dict(type='Flip', flip_ratio=0.5),
    before='FormatShape')
train_dataloader = dict(batch_size=16)
val_dataloader = val_cfg = val_evaluator = None
test_dataloader = test_cfg = test_evaluator = None

default_hooks = dict(
    checkpoint=dict(interval=5, save_best=None),
    # Pictures of the student's mask and of the similarity to the teacher.
    visualization=dict(
        _delete_=True, type='mmvideomamba.AlignmentHook', interval=150))
auto_scale_lr = dict(base_batch_size=16)
