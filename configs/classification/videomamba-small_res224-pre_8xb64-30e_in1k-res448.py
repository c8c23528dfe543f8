# VideoMamba-Small at 448 px, from the weights of 224 px.
_base_ = [
    '../_base_/models/videomamba_image_tiny.py',
    '../_base_/datasets/in1k_randaug.py',
    '../_base_/schedules/in1k_finetune_30e.py',
    '../_base_/image_in1k_runtime.py'
]
from mmvideomamba.config_edit import edit

load_from = 'checkpoints/videomamba_s16_in1k_res224.pth'

model = dict(
    backbone=dict(arch='small', img_size=448, drop_path_rate=0.15),
    head=dict(in_channels=384))

edit(_base_, 'train_pipeline', 'RandomResizedCrop', scale=448)
# 448 / 0.875
edit(_base_, ['val_pipeline', 'test_pipeline'], 'ResizeEdge', scale=512)
edit(_base_, ['val_pipeline', 'test_pipeline'], 'CenterCrop', crop_size=448)
train_dataloader = dict(batch_size=64)
val_dataloader = dict(batch_size=96)
test_dataloader = dict(batch_size=96)

# 5e-6 per 512 images; constant after the warm-up, for eta_min is as much.
optim_wrapper = dict(optimizer=dict(lr=5e-6))
auto_scale_lr = dict(base_batch_size=8 * 64)
