# VideoMamba-Small at 576 px, from the weights of 448 px.
_base_ = './videomamba-small_res224-pre_8xb64-30e_in1k-res448.py'
load_from = 'checkpoints/videomamba-small_in1k_res448.pth'

model = dict(backbone=dict(img_size=576))

train_pipeline = _base_.train_pipeline
train_pipeline[1].scale = 576
test_pipeline = _base_.test_pipeline
test_pipeline[1].scale = 658  # 576 / 0.875
test_pipeline[2].crop_size = 576
train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

max_epochs = 10
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = dict(T_max=max_epochs, end=max_epochs, warmup=2)
