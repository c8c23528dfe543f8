# 64 frames of 384 px, from the file with 64 frames of 224 px.
_base_ = './videomamba-small_in1k-pre_8xb64-u8-50e_kinetics400-rgb.py'

img_size = 384
num_frames = 64
init_cfg = dict(
    type='Pretrained',
    checkpoint='checkpoints/videomamba_s16_k400_f64_res224.pth')
model = dict(
    backbone=dict(img_size=img_size, num_frames=num_frames, init_cfg=init_cfg),
    cls_head=dict(init_cfg=init_cfg))

train_pipeline = _base_.train_pipeline
train_pipeline[1].clip_len = num_frames
train_pipeline[4].scale = img_size
val_pipeline = _base_.val_pipeline
val_pipeline[1].clip_len = num_frames
val_pipeline[3].scale = (-1, img_size)
val_pipeline[4].crop_size = img_size
test_pipeline = _base_.test_pipeline
test_pipeline[1].clip_len = num_frames
test_pipeline[3].scale = (-1, img_size)
test_pipeline[4].crop_size = img_size
train_dataloader = dict(batch_size=2, dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))

optim_wrapper = dict(
    # 5e-6 * 256 clips / 256, in 2 steps.
    optimizer=dict(lr=5e-6, weight_decay=1e-8),
    accumulative_counts=2)
max_epochs = 6
warmup_epochs = 1
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = _base_.param_scheduler
param_scheduler[0].update(dict(start_factor=0.2, end=warmup_epochs))
param_scheduler[1].update(
    dict(
        eta_min_ratio=0.2,
        begin=warmup_epochs,
        end=max_epochs,
        T_max=max_epochs - warmup_epochs))
auto_scale_lr = dict(base_batch_size=64)
