# Self-distillation of a video recognizer: the teacher is the quickstart's
# model, the student has half the width and depth. Run the quickstart first.
_base_ = '../quickstart/videomamba-micro_1xb8-u8-25e_quickstart-rgb.py'

teacher = _base_.model.backbone
model = dict(
    type='mmvideomamba.DistilledRecognizer3D',
    backbone=dict(arch=dict(embed_dims=48, num_layers=2)),
    cls_head=dict(in_channels=48),
    distill_head=dict(
        type='mmvideomamba.TokenDistillHead',
        in_channels=48,
        teacher=teacher,
        checkpoint='work_dirs/quickstart/epoch_25.pth'))
