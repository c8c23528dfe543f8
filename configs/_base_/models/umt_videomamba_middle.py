# Masked distillation of VideoMamba-Middle, 8 frames of 224 px, from the image
# tower of CLIP-B/16.
#
# The teacher's file is OpenAI's, brought into a plain form by
# tools/model_converters/clip_to_teacher.py; files of open_clip and Hugging
# Face are taken as well. Without the file the training stops at the start.
model = dict(
    type='mmvideomamba.UMT',
    backbone=dict(
        type='mmvideomamba.VideoMamba',
        arch='middle',
        img_size=224,
        patch_size=16,
        num_frames=8,
        drop_path_rate=0.4,
        out_type='raw',
        # As published: the residual stream before the last block, not normed,
        # so the last block and the final norm get no training at all.
        # out_indices=-1, stream_indices=() trains them, too.
        out_indices=(),
        stream_indices=-2),
    target_generator=dict(
        type='mmvideomamba.CLIPTeacher',
        arch='b16',
        # The last layer alone; the class token is the mean over the frames.
        num_levels=1,
        with_cls_token=True,
        norm='l2',
        init_cfg=dict(
            type='Pretrained', checkpoint='checkpoints/clip_vit-b16.pth')),
    neck=dict(
        type='mmvideomamba.UMTDecoder',
        in_channels=576,
        out_channels=512,
        num_levels=1,
        norm='l2'),
    head=dict(
        type='mmpretrain.MIMHead',
        loss=dict(type='mmvideomamba.AlignmentLoss', kind='l2')),
    # Of each frame's 196 patches 40 stay; a patch with more attention of the
    # teacher is likelier to stay.
    mask_source='attention',
    mask_ratio=0.8,
    # ImageNet's, for the teacher too, as published.
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCTHW'))
