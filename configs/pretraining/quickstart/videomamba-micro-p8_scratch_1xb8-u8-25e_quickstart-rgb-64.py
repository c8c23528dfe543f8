# The control: the student of this folder from scratch on 64 labelled videos,
# 8 of each class, for as many epochs as the pretrained model.
_base_ = '../../quickstart/videomamba-micro_1xb8-u8-25e_quickstart-rgb.py'

model = dict(backbone=dict(patch_size=8))
# The list goes round the classes, so the first 64 lines hold 8 of each.
train_dataloader = dict(dataset=dict(indices=64))
train_cfg = dict(val_interval=25)
default_hooks = dict(checkpoint=dict(interval=25, save_best=None))
