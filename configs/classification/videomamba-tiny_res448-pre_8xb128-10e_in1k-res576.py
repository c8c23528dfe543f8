# VideoMamba-Tiny at 576 px, from the weights of 448 px.
_base_ = './videomamba-tiny_res224-pre_8xb256-30e_in1k-res448.py'
from mmvideomamba.config_edit import edit

load_from = 'checkpoints/videomamba_t16_in1k_res224to448.pth'

model = dict(backbone=dict(img_size=576))

edit(_base_, 'train_pipeline', 'RandomResizedCrop', scale=576)
# 576 / 0.875
edit(_base_, ['val_pipeline', 'test_pipeline'], 'ResizeEdge', scale=658)
edit(_base_, ['val_pipeline', 'test_pipeline'], 'CenterCrop', crop_size=576)
train_dataloader = dict(batch_size=128)
val_dataloader = dict(batch_size=192)
test_dataloader = dict(batch_size=192)

# 5e-6 per 512 images.
optim_wrapper = dict(optimizer=dict(lr=1e-5))
auto_scale_lr = dict(base_batch_size=8 * 128)

max_epochs = 10
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = dict(T_max=max_epochs, end=max_epochs, warmup=2)
