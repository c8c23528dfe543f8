# VideoMamba-Tiny for images of 224 px, 1000 classes. An image is a clip of
# a single frame, and no dropout or drop path regularises so small a model.
model = dict(
    type='ImageClassifier',
    backbone=dict(
        type='mmvideomamba.VideoMamba',
        arch='tiny',
        img_size=224,
        patch_size=16,
        num_frames=1,
        drop_path_rate=0.,
        out_type='cls_token'),
    head=dict(
        type='LinearClsHead',
        num_classes=1000,
        in_channels=192,
        init_cfg=dict(type='TruncNormal', layer='Linear', std=0.02),
        # Smoothing after mixing gives the same target as smoothing before.
        loss=dict(
            type='LabelSmoothLoss', label_smooth_val=0.1, mode='original')),
    # Mixup or CutMix, drawn for each batch.
    train_cfg=dict(augments=[
        dict(type='Mixup', alpha=0.8),
        dict(type='CutMix', alpha=1.0)
    ]))
