# The control: the frames of each clip in random order. Test a model of the
# parent with this config, or train a model; both end near chance, 12.5 %.
_base_ = './videomamba-micro_1xb8-u8-25e_quickstart-rgb.py'
from mmvideomamba.config_edit import insert

shuffle = dict(type='mmvideomamba.ShuffleFrames')
insert(_base_, '*_pipeline', shuffle, after='mmvideomamba.DecodeFrames')
