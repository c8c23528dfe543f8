# 5M: WebVid-2M and CC3M, validated on MSRVTT. Each source is a JSON list, a
# .jsonl, an SQLite file or tar shards; see docs/video_text.md.
_base_ = './msrvtt_captions.py'
from mmvideomamba.config_edit import edit, items_after

edit(
    _base_,
    'train_pipeline',
    'mmvideomamba.OpenVideo',
    type='mmvideomamba.OpenClip')
image_pipeline = [
    dict(type='mmvideomamba.ReadImage'),
    *items_after(_base_.train_pipeline, 'mmvideomamba.DecodeFrames')
]
train_dataloader = dict(
    batch_size=128,
    num_workers=6,
    persistent_workers=False,
    dataset=dict(
        _delete_=True,
        type='mmvideomamba.CaptionDataset',
        data_root='data',
        modality='video',
        sources=[
            dict(
                ann_file='webvid2m/train.sqlite', media_root='webvid2m/videos')
        ],
        bad_media='replace',
        pipeline=_base_.train_pipeline))
image_dataloader = dict(
    batch_size=128,
    num_workers=6,
    persistent_workers=False,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True),
    dataset=dict(
        type='mmvideomamba.CaptionDataset',
        data_root='data',
        modality='image',
        sources=[dict(ann_file='cc3m/train.sqlite', media_root='cc3m')],
        bad_media='replace',
        pipeline=image_pipeline))
