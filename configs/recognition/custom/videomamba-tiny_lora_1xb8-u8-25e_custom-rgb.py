# LoRA on the projections of every mixer of a VideoMamba-Tiny, for few
# videos. Name the trained file: docs/adaptation.md.
_base_ = './videomamba-tiny_1xb8-u8-25e_custom-rgb.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='mmpretrain.LoRAModel',
        # Its init_cfg names the trained file. Checkpoints hold adapters and
        # head alone, so testing and resuming need that file as well.
        module=_base_.model.backbone,
        alpha=16,
        rank=8,
        # Each is the end of a name; x_proj_b and dt_proj_b are others.
        targets=[
            dict(type='in_proj'),
            dict(type='x_proj'),
            dict(type='x_proj_b'),
            dict(type='out_proj')
        ]))
# New weights alone learn.
optim_wrapper = dict(optimizer=dict(lr=1e-3))
