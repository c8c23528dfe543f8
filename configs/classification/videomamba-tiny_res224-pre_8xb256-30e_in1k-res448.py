# VideoMamba-Tiny at 448 px, from the weights of 224 px.
_base_ = [
    '../_base_/models/videomamba_image_tiny.py',
    '../_base_/datasets/in1k_autoaug.py',
    '../_base_/schedules/in1k_finetune_30e.py',
    '../_base_/image_in1k_runtime.py'
]
load_from = 'checkpoints/videomamba-tiny_in1k_res224.pth'

model = dict(backbone=dict(img_size=448))

train_pipeline = _base_.train_pipeline
train_pipeline[1].scale = 448
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = 512  # 448 / 0.875
test_pipeline[2].crop_size = 448
val = dict(batch_size=384, dataset=dict(pipeline=test_pipeline))
train_dataloader = dict(batch_size=256, dataset=dict(pipeline=train_pipeline))
val_dataloader = val
test_dataloader = val

# 5e-6 per 512 images.
optim_wrapper = dict(optimizer=dict(lr=2e-5))
auto_scale_lr = dict(base_batch_size=8 * 256)
