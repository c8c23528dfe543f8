# The unmasked stage on 17M:
# COCO, Visual Genome, SBU and CC12M beside the sources of 5M.
_base_ = './videomamba-middle_umt-5m-pre_16xb64-u8-1e_5m.py'

load_from = 'work_dirs/umt-videomamba-middle_k400-pre_32xb128-u8-10e_17m/' \
    'epoch_10.pth'

image_dataloader = _base_.train_cfg.image_dataloader
image_dataloader.dataset.sources = [
    dict(ann_file=f'{name}/train.sqlite', media_root=name)
    for name in ('cc3m', 'coco', 'vg', 'sbu', 'cc12m')
]
train_cfg = dict(image_dataloader=image_dataloader)
auto_scale_lr = dict(base_batch_size=2048)
