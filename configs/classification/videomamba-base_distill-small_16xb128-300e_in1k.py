# VideoMamba-Base on ImageNet-1K, taught by the trained Small model.
_base_ = './videomamba-middle_distill-small_16xb128-300e_in1k.py'

model = dict(
    backbone=dict(arch='base'),
    head=dict(in_channels=768),
    distill_head=dict(in_channels=768))
