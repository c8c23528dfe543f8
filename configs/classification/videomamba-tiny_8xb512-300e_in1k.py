# VideoMamba-Tiny on ImageNet-1K from scratch; the primitive of this folder.
_base_ = [
    '../_base_/models/videomamba_image_tiny.py',
    '../_base_/datasets/in1k_autoaug.py', '../_base_/schedules/in1k_300e.py',
    '../_base_/image_in1k_runtime.py'
]

# 5e-4 per 512 images; the repeats of a picture do not count.
optim_wrapper = dict(
    optimizer=dict(lr=4e-3, weight_decay=0.1), clip_grad=dict(max_norm=5.0))
auto_scale_lr = dict(base_batch_size=8 * 512)
