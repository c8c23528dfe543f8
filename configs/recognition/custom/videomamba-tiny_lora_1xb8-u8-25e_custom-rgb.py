# LoRA on the projections of every mixer of a VideoMamba-Tiny, for few
# videos: docs/adaptation.md.
_base_ = './videomamba-tiny_1xb8-u8-25e_custom-rgb.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.LoRAModel',
        module=dict(
            # Checkpoints hold adapters and head alone, so testing and
            # resuming need this file as well.
            init_cfg=dict(
                type='Pretrained',
                checkpoint='checkpoints/videomamba_t16_k400_f8_res224.pth'),
            **_base_.model.backbone),
        alpha=16,
        rank=8,
        # Each is the end of a name; x_proj_b is the backward scan's.
        targets=[
            dict(type='in_proj'),
            dict(type='x_proj'),
            dict(type='x_proj_b'),
            dict(type='out_proj')
        ]))
# New weights alone learn.
optim_wrapper = dict(optimizer=dict(lr=1e-3))
