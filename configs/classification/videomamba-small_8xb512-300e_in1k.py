# VideoMamba-Small on ImageNet-1K from scratch.
_base_ = [
    '../_base_/models/videomamba_image_tiny.py',
    '../_base_/datasets/in1k_randaug.py', '../_base_/schedules/in1k_300e.py',
    '../_base_/image_in1k_runtime.py'
]

model = dict(
    backbone=dict(arch='small', drop_path_rate=0.15),
    head=dict(in_channels=384))

# 5e-4 per 512 images; the repeats of a picture do not count.
optim_wrapper = dict(optimizer=dict(lr=4e-3, weight_decay=0.05))
auto_scale_lr = dict(base_batch_size=8 * 512)
