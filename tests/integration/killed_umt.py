# The run of tiny_umt.py, killed within the second epoch, without pictures.
_base_ = './tiny_umt.py'

custom_imports = dict(imports=['mmvideomamba', 'kill_hook'])
custom_hooks = [*_base_.custom_hooks, dict(type='KillHook', iteration=5)]
default_hooks = dict(
    visualization=dict(type='mmvideomamba.AlignmentHook', interval=1000))
