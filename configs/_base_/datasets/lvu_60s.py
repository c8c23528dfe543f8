# LVU, task `director`, cut into windows of 60 s, with a start every 16 s: each
# window is a sample, and a video's prediction is the mean over all windows.
_base_ = './lvu.py'
from mmvideomamba.config_edit import edit

num_frames = 32

sampler = 'mmvideomamba.UniformWindowSample'
edit(_base_, '*_pipeline', 'UniformSample', type=sampler)

data = dict(window=60., stride=16.)
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
