# The small recognizer, with workers in each loader, waiting for signals.
_base_ = '../integration/tiny_recognizer.py'

val_dataloader = dict(num_workers=1)
custom_imports = dict(imports=['mmvideomamba', 'pause_hook'])
custom_hooks = [*_base_.custom_hooks, dict(type='PauseHook')]
