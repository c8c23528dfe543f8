# Runtime of the published image runs: another seed for each process, and an
# end at a loss that is no number.
_base_ = './image_runtime.py'

randomness = dict(seed=0, diff_rank_seed=True)
custom_hooks = [dict(type='mmvideomamba.FiniteLossHook')]
