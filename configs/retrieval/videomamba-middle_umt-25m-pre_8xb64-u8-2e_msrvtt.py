# Retrieval on MSRVTT: zero-shot evaluation of a published file with test.py,
# fine-tuning with train.py.
_base_ = [
    '../_base_/models/video_text_middle.py',
    '../_base_/datasets/msrvtt_captions.py',
    '../_base_/schedules/video_text_2e.py', '../_base_/default_runtime.py'
]

load_from = 'checkpoints/videomamba_m16_25M_f8_res224.pth'
default_hooks = dict(
    checkpoint=dict(max_keep_ckpts=1, save_best='mean_recall', rule='greater'))

# --auto-scale-lr of the tools: pairs of a step, all GPUs.
auto_scale_lr = dict(enable=False, base_batch_size=512)
