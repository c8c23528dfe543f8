# VideoMamba-Tiny at 576 px, from the weights of 448 px.
_base_ = './videomamba-tiny_res224-pre_8xb256-30e_in1k-res448.py'
load_from = 'checkpoints/videomamba-tiny_in1k_res448.pth'

model = dict(backbone=dict(img_size=576))

train_pipeline = _base_.train_pipeline
train_pipeline[1].scale = 576
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = 658  # 576 / 0.875
test_pipeline[2].crop_size = 576
val = dict(batch_size=192, dataset=dict(pipeline=test_pipeline))
train_dataloader = dict(batch_size=128, dataset=dict(pipeline=train_pipeline))
val_dataloader = val
test_dataloader = val

# 5e-6 per 512 images.
optim_wrapper = dict(optimizer=dict(lr=1e-5))
auto_scale_lr = dict(base_batch_size=8 * 128)

max_epochs = 10
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = dict(T_max=max_epochs, end=max_epochs, warmup=2)
