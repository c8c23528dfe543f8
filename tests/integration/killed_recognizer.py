# The run of tiny_recognizer.py, killed within the second epoch.
_base_ = './tiny_recognizer.py'

custom_imports = dict(imports=['mmvideomamba', 'kill_hook'])
custom_hooks = [*_base_.custom_hooks, dict(type='KillHook', iteration=5)]
