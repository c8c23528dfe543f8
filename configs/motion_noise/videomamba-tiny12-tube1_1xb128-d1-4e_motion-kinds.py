# The control: a single frame, which is noise for any class.
_base_ = './videomamba-tiny12-tube2_1xb128-d16-4e_motion-kinds.py'
from mmvideomamba.config_edit import edit

model = dict(backbone=dict(num_frames=1, tubelet_size=1))
edit(_base_, '*_pipeline', 'SampleFrames', type='UniformSample', clip_len=1)
