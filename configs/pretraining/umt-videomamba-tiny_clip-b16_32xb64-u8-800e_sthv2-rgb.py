# The recipe of the middle model for VideoMamba-Tiny; not published. The
# rate of dropped paths is ours.
_base_ = './umt-videomamba-middle_clip-b16_32xb64-u8-800e_kinetics400-rgb.py'

data_root = 'data/sthv2'
train_dataloader = dict(
    dataset=dict(data_root=data_root, ann_file='pretraining.csv'))

model = dict(
    backbone=dict(arch='tiny', drop_path_rate=0.1), neck=dict(in_channels=192))
