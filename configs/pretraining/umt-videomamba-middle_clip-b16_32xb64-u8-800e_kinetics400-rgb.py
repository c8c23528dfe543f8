# The published masked distillation on Kinetics-400.
_base_ = [
    '../_base_/models/umt_videomamba_middle.py',
    '../_base_/datasets/kinetics400_pretraining.py',
    '../_base_/schedules/adamw_videomamba.py',
    '../_base_/schedules/umt_800e.py', '../_base_/default_runtime.py'
]

# Autocast to bfloat16, and a loss scaler as in the published runs.
optim_wrapper = dict(
    type='AmpOptimWrapper',
    dtype='bfloat16',
    optimizer=dict(lr=1.2e-3, betas=(0.9, 0.95), weight_decay=0.05))

default_hooks = dict(
    # The newest state alone, as published.
    checkpoint=dict(interval=1, max_keep_ckpts=1, save_best=None),
    # Pictures of the student's mask and of the similarity to the teacher.
    visualization=dict(type='mmvideomamba.AlignmentHook', interval=2000))
