# VideoMamba-Middle on ImageNet-1K, taught by the trained Small model.
_base_ = './videomamba-small_8xb512-300e_in1k.py'

model = dict(
    type='mmvideomamba.DistilledClassifier',
    backbone=dict(arch='middle', drop_path_rate=0.5),
    head=dict(in_channels=576),
    distill_head=dict(
        type='mmvideomamba.TokenDistillHead',
        in_channels=576,
        teacher=dict(
            type='mmvideomamba.VideoMamba',
            arch='small',
            img_size=224,
            num_frames=1),
        checkpoint='checkpoints/videomamba_s16_in1k_res224.pth'))

train_dataloader = dict(batch_size=128)
val_dataloader = dict(batch_size=192)
test_dataloader = dict(batch_size=192)

# 5e-4 per 512 images.
optim_wrapper = dict(optimizer=dict(lr=2e-3), clip_grad=dict(max_norm=5.0))
param_scheduler = dict(warmup=20, warmup_lr=5e-7, eta_min=5e-6)
auto_scale_lr = dict(base_batch_size=16 * 128)
