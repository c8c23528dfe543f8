# The ViT of VideoMAE in mmaction2, of the same width, depth, tubelets and
# steps; attention over all tokens.
_base_ = './videomamba-tiny12-tube2_1xb128-d16-4e_motion-kinds.py'

model = dict(
    backbone=dict(
        _delete_=True,
        type='VisionTransformer',
        img_size=_base_.img_size,
        patch_size=8,
        embed_dims=192,
        depth=12,
        num_heads=3,
        mlp_ratio=4,
        num_frames=_base_.num_frames,
        tubelet_size=2,
        norm_cfg=dict(type='LN', eps=1e-6)),
    cls_head=dict(
        _delete_=True,
        type='TimeSformerHead',
        num_classes=_base_.num_classes,
        in_channels=192,
        average_clips='prob'))
