# VideoMamba-Small at 448 px, from the weights of 224 px.
_base_ = [
    '../_base_/models/videomamba_image_tiny.py',
    '../_base_/datasets/in1k_randaug.py',
    '../_base_/schedules/in1k_finetune_30e.py',
    '../_base_/image_in1k_runtime.py'
]
load_from = 'checkpoints/videomamba-small_in1k_res224.pth'

model = dict(
    backbone=dict(arch='small', img_size=448, drop_path_rate=0.15),
    head=dict(in_channels=384))

train_pipeline = _base_.train_pipeline
train_pipeline[1].scale = 448
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = 512  # 448 / 0.875
test_pipeline[2].crop_size = 448
val = dict(batch_size=96, dataset=dict(pipeline=test_pipeline))
train_dataloader = dict(batch_size=64, dataset=dict(pipeline=train_pipeline))
val_dataloader = val
test_dataloader = val

# 5e-6 per 512 images; constant after the warm-up, for eta_min is as much.
optim_wrapper = dict(optimizer=dict(lr=5e-6))
auto_scale_lr = dict(base_batch_size=8 * 64)
