# 16 frames.
_base_ = './videomamba-tiny_in1k-pre_8xb64-u8-70e_kinetics400-rgb.py'
from mmvideomamba.config_edit import edit

num_frames = 16
model = dict(backbone=dict(num_frames=num_frames))

edit(_base_, '*_pipeline', 'UniformSample', clip_len=num_frames)
