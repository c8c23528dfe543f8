# The same student, taught by the micro model. Train that one first, with
# the working folder that it has by default.
_base_ = './videomamba-nano_1xb32-15e_digits.py'

model = dict(
    type='mmvideomamba.DistilledClassifier',
    distill_head=dict(
        type='mmvideomamba.TokenDistillHead',
        in_channels=48,
        # 1 as published is too faint for so short a training.
        loss_weight=4.,
        teacher=dict(
            type='mmvideomamba.VideoMamba',
            arch=dict(embed_dims=96, num_layers=4),
            img_size=_base_.img_size,
            patch_size=8,
            num_frames=1),
        checkpoint='work_dirs/videomamba-micro_1xb32-60e_digits/epoch_60.pth'))
