# The embedded default for images: a VideoMamba of 0.3 M parameters, from
# scratch, on 898 pictures. Minutes on a CPU. Also the teacher of
# videomamba-micro_distill-micro_1xb32-15e_digits.py.
_base_ = [
    '../_base_/models/videomamba_image_tiny.py',
    '../_base_/datasets/digits.py', '../_base_/schedules/adamw_videomamba.py',
    '../_base_/schedules/image_cosine_300e.py', '../_base_/image_runtime.py'
]

model = dict(
    backbone=dict(
        arch=dict(_delete_=True, embed_dims=96, num_layers=4),
        img_size=_base_.img_size,
        patch_size=8,
        # As in the quickstart: small steps reach all tokens, and large weights
        # pass on more of each token, for a short training from scratch.
        mixer_cfg=dict(
            dt_init_range=(0.005, 0.2),
            init_cfg=dict(
                type='Normal',
                std=0.1,
                override=[
                    dict(name='in_proj'),
                    dict(name='x_proj'),
                    dict(name='x_proj_b')
                ]))),
    head=dict(num_classes=_base_.num_classes, in_channels=96, topk=(1, )),
    train_cfg=dict(_delete_=True))

optim_wrapper = dict(
    optimizer=dict(lr=2e-3, betas=(0.9, 0.95)), clip_grad=dict(max_norm=1))

max_epochs = 60
train_cfg = dict(max_epochs=max_epochs, val_interval=5)
param_scheduler = dict(
    T_max=max_epochs, end=max_epochs, warmup=2, warmup_lr=2e-5, eta_min=2e-5)

default_hooks = dict(checkpoint=dict(interval=5, max_keep_ckpts=1))
randomness = dict(seed=0)

# --auto-scale-lr of the tools: images of a step, all GPUs.
auto_scale_lr = dict(enable=False, base_batch_size=32)
