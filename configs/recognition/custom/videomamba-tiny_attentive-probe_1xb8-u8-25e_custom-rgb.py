# A learned query that attends to all tokens of a frozen VideoMamba-Tiny, and
# a linear classifier, for few videos. Name the trained file:
# docs/adaptation.md.
_base_ = './videomamba-tiny_1xb8-u8-25e_custom-rgb.py'

model = dict(
    # All 24 blocks and the final norm stay as they are, and cost no gradient.
    backbone=dict(frozen_stages=24, out_type='raw'),
    cls_head=dict(type='mmvideomamba.AttentiveHead', num_heads=4))
# New weights alone learn.
optim_wrapper = dict(optimizer=dict(lr=1e-3))
