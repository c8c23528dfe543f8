# The masked stage on 25M:
# 17M with WebVid-10M instead of WebVid-2M.
_base_ = './umt-videomamba-middle_k400-pre_16xb128-u8-10e_5m.py'

train_dataloader = dict(
    dataset=dict(sources=[
        dict(ann_file='webvid10m/train.sqlite', media_root='webvid10m/videos')
    ]))
image_dataloader = _base_.train_cfg.image_dataloader
image_dataloader.dataset.sources = [
    dict(ann_file=f'{name}/train.sqlite', media_root=name)
    for name in ('cc3m', 'coco', 'vg', 'sbu', 'cc12m')
]
train_cfg = dict(image_dataloader=image_dataloader)
auto_scale_lr = dict(base_batch_size=4096)
