# The recipe for two CPU cores: four directions, 8 frames of 32 px, 4 blocks of
# width 96. README.md has the command for the clips.
_base_ = './videomamba-tiny12-tube2_1xb128-d16-4e_motion-kinds.py'
from mmvideomamba.config_edit import edit

data_root = 'data/motion_noise/small'
num_classes = 4
num_frames = 8
img_size = 32
max_epochs = 3

model = dict(
    backbone=dict(
        arch=dict(_delete_=True, embed_dims=96, num_layers=4),
        img_size=img_size,
        num_frames=num_frames,
        # Step sizes and weights of the quickstart, for a short training.
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
    cls_head=dict(num_classes=num_classes, in_channels=96))
dataset = dict(
    data_root=data_root,
    num_classes=num_classes,
    metainfo=dict(classes=f'{data_root}/classes.txt'))
train_dataloader = dict(batch_size=16, num_workers=1, dataset=dataset)
val_dataloader = dict(batch_size=64, num_workers=1, dataset=dataset)
test_dataloader = dict(batch_size=64, num_workers=1, dataset=dataset)
edit(_base_, '*_pipeline', 'SampleFrames', clip_len=num_frames)
edit(
    _base_, ('val_pipeline', 'test_pipeline'),
    'Resize',
    scale=(img_size, ) * 2)

optim_wrapper = dict(
    _delete_=True,
    type='OptimWrapper',
    optimizer=dict(
        type='AdamW', lr=2e-3, betas=(0.9, 0.95), weight_decay=0.05),
    paramwise_cfg=_base_.optim_wrapper.paramwise_cfg,
    clip_grad=dict(max_norm=1))
train_cfg = dict(max_epochs=max_epochs)
edit(
    _base_,
    'param_scheduler',
    'CosineAnnealingLR',
    end=max_epochs,
    T_max=max_epochs - 1)
default_hooks = dict(checkpoint=dict(max_keep_ckpts=1))
# Of 4 classes, the best 5 would always be right.
val_evaluator = dict(metric_options=dict(top_k_accuracy=dict(topk=(1, ))))
test_evaluator = val_evaluator
auto_scale_lr = dict(enable=False, base_batch_size=16)
