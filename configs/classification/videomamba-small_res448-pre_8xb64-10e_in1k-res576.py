# VideoMamba-Small at 576 px, from the weights of 448 px.
_base_ = './videomamba-small_res224-pre_8xb64-30e_in1k-res448.py'
from mmvideomamba.config_edit import edit

load_from = 'checkpoints/videomamba_s16_in1k_res224to448.pth'

model = dict(backbone=dict(img_size=576))

edit(_base_, 'train_pipeline', 'RandomResizedCrop', scale=576)
# 576 / 0.875
edit(_base_, ['val_pipeline', 'test_pipeline'], 'ResizeEdge', scale=658)
edit(_base_, ['val_pipeline', 'test_pipeline'], 'CenterCrop', crop_size=576)

max_epochs = 10
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = dict(T_max=max_epochs, end=max_epochs, warmup=2)
