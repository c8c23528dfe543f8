# 16 frames.
_base_ = './videomamba-tiny_in1k-pre_8xb64-u8-70e_kinetics400-rgb.py'

num_frames = 16
model = dict(backbone=dict(num_frames=num_frames))

train_pipeline = _base_.train_pipeline
train_pipeline[1].clip_len = num_frames
val_pipeline = _base_.val_pipeline
val_pipeline[1].clip_len = num_frames
test_pipeline = _base_.test_pipeline
test_pipeline[1].clip_len = num_frames
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
