# The masked stage on 17M:
# COCO, Visual Genome, SBU and CC12M beside the sources of 5M.
_base_ = './umt-videomamba-middle_k400-pre_16xb128-u8-10e_5m.py'

image_dataloader = _base_.train_cfg.image_dataloader
image_dataloader.dataset.sources = [
    dict(ann_file=f'{name}/train.sqlite', media_root=name)
    for name in ('cc3m', 'coco', 'vg', 'sbu', 'cc12m')
]
train_cfg = dict(image_dataloader=image_dataloader)
auto_scale_lr = dict(base_batch_size=4096)
