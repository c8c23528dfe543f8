# Runtime of the published image runs: another seed for each process.
_base_ = './image_runtime.py'

randomness = dict(seed=0, diff_rank_seed=True)
