# The same model, taught by the model of 60 epochs. Train the teacher first,
# in the default working folder.
_base_ = './videomamba-micro_1xb32-15e_digits.py'

model = dict(
    type='mmvideomamba.DistilledClassifier',
    distill_head=dict(
        type='mmvideomamba.TokenDistillHead',
        in_channels=96,
        teacher=_base_.model.backbone,
        checkpoint='work_dirs/videomamba-micro_1xb32-60e_digits/epoch_60.pth'))
