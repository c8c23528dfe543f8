# The same run, which kills its own process within the second epoch, and
# draws no pictures.
_base_ = './tiny_umt.py'

custom_imports = dict(imports=['mmvideomamba', 'kill_hook'])
custom_hooks = [*_base_.custom_hooks, dict(type='KillHook', iteration=5)]
default_hooks = dict(
    visualization=dict(type='mmvideomamba.AlignmentHook', interval=1000))
