# The control: the frames of each clip in random order. Test a model of the
# parent with it, or train one.
_base_ = './videomamba-tiny12-tube2_1xb128-d16-4e_motion-kinds.py'
from mmvideomamba.config_edit import insert

shuffle = dict(type='mmvideomamba.ShuffleFrames')
insert(_base_, '*_pipeline', shuffle, after='mmvideomamba.DecodeFrames')
