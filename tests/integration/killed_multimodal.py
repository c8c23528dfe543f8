# The run of tiny_multimodal.py with workers and checkpoints of iterations; the
# process is killed within the second epoch.
_base_ = './tiny_multimodal.py'

train_dataloader = dict(num_workers=1)
default_hooks = dict(
    checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=3))
custom_imports = dict(imports=['mmvideomamba', 'kill_hook'])
custom_hooks = [*_base_.custom_hooks, dict(type='KillHook', iteration=8)]
