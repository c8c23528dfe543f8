# The embedded default: a VideoMamba of 0.4 M parameters, from scratch, on the
# clips of tools/data/quickstart/make_quickstart_videos.py. Minutes on a CPU.
_base_ = [
    '../_base_/models/videomamba_tiny.py', '../_base_/datasets/quickstart.py',
    '../_base_/schedules/adamw_videomamba.py',
    '../_base_/schedules/cosine_25e.py', '../_base_/default_runtime.py'
]

model = dict(
    backbone=dict(
        arch=dict(_delete_=True, embed_dims=96, num_layers=4),
        img_size=_base_.img_size,
        num_frames=_base_.num_frames,
        drop_path_rate=0.,
        # As published, steps start near 0.7 and weights at std 0.02: the class
        # token then gets a faint signal from few tokens, and so narrow a model
        # needs a long training. Steps from 0.005 to 0.2 reach all 72 patch
        # tokens, and larger weights pass on more of each token.
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
    cls_head=dict(num_classes=_base_.num_classes, in_channels=96))

# A short memory of the gradient's size keeps so short a training steady.
optim_wrapper = dict(
    optimizer=dict(lr=2e-3, betas=(0.9, 0.95)), clip_grad=dict(max_norm=1))
train_cfg = dict(val_interval=3)

default_hooks = dict(
    checkpoint=dict(interval=3, max_keep_ckpts=1),
    # Frames, label and prediction of some validation clips.
    visualization=dict(
        type='mmvideomamba.FrameStripHook', enable=True, interval=40))
vis_backends = [
    dict(type='LocalVisBackend'),
    dict(type='TensorboardVisBackend')
]
visualizer = dict(vis_backends=vis_backends)

randomness = dict(seed=0)

# --auto-scale-lr of the tools: videos of a step, all GPUs.
auto_scale_lr = dict(enable=False, base_batch_size=8)
