# Attentive probe: a learned query over all tokens of a frozen VideoMamba-Tiny,
# and a linear classifier, for few videos: docs/adaptation.md.
_base_ = './videomamba-tiny_1xb8-u8-25e_custom-rgb.py'

model = dict(
    backbone=dict(
        # All 24 blocks and the final norm keep the weights of the file, and
        # cost no gradient.
        frozen_stages=24,
        out_type='raw',
        init_cfg=dict(
            type='Pretrained',
            checkpoint='checkpoints/videomamba_t16_k400_f8_res224.pth')),
    cls_head=dict(type='mmvideomamba.AttentiveHead', num_heads=4))
# New weights alone learn.
optim_wrapper = dict(optimizer=dict(lr=1e-3))
