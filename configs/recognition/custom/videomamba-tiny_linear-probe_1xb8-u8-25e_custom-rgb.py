# A linear classifier on the class token of a frozen VideoMamba-Tiny, for few
# videos. Name the trained file: docs/adaptation.md.
_base_ = './videomamba-tiny_1xb8-u8-25e_custom-rgb.py'

# All 24 blocks and the final norm stay as they are, and cost no gradient.
model = dict(backbone=dict(frozen_stages=24))
# New weights alone learn.
optim_wrapper = dict(optimizer=dict(lr=1e-2, weight_decay=0.))
