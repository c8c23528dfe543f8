# The same run, which kills its own process within the second epoch.
_base_ = './tiny_recognizer.py'

custom_imports = dict(imports=['mmvideomamba', 'kill_hook'])
custom_hooks = [*_base_.custom_hooks, dict(type='KillHook', iteration=5)]
