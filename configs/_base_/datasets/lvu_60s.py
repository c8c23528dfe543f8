# LVU, task `director`, cut into windows of 60 s that start each 16 s: each
# window is a sample, and a video's prediction is the mean over its windows.
_base_ = './lvu.py'
num_frames = 32

sampler = 'mmvideomamba.UniformWindowSample'
train_pipeline = _base_.train_pipeline
train_pipeline[1].type = sampler
val_pipeline = _base_.val_pipeline
val_pipeline[1].type = sampler
test_pipeline = _base_.test_pipeline
test_pipeline[1].type = sampler

data = dict(window=60., stride=16.)
train_dataloader = dict(dataset=dict(data, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(data, pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(data, pipeline=test_pipeline))
