# VideoMamba-Tiny at 448 px, from the weights of 224 px.
_base_ = [
    '../_base_/models/videomamba_image_tiny.py',
    '../_base_/datasets/in1k_autoaug.py',
    '../_base_/schedules/in1k_finetune_30e.py',
    '../_base_/image_in1k_runtime.py'
]
from mmvideomamba.config_edit import edit

load_from = 'checkpoints/videomamba_t16_in1k_res224.pth'

model = dict(backbone=dict(img_size=448))

edit(_base_, 'train_pipeline', 'RandomResizedCrop', scale=448)
# 448 / 0.875
edit(_base_, ['val_pipeline', 'test_pipeline'], 'ResizeEdge', scale=512)
edit(_base_, ['val_pipeline', 'test_pipeline'], 'CenterCrop', crop_size=448)
train_dataloader = dict(batch_size=256)
val_dataloader = dict(batch_size=384)
test_dataloader = dict(batch_size=384)

# 5e-6 per 512 images.
optim_wrapper = dict(optimizer=dict(lr=2e-5))
auto_scale_lr = dict(base_batch_size=8 * 256)
