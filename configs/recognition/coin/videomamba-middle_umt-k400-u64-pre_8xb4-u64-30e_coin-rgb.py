# 64 frames, from Kinetics-400 with as many.
_base_ = './videomamba-middle_umt-k400-u32-pre_8xb8-u32-30e_coin-rgb.py'
from mmvideomamba.config_edit import edit

num_frames = 64
init_cfg = dict(
    type='Pretrained',
    checkpoint='checkpoints/videomamba_m16_k400_mask_ft_f64_res224.pth')
model = dict(backbone=dict(num_frames=num_frames, init_cfg=init_cfg))

edit(_base_, '*_pipeline', 'UniformSample', clip_len=num_frames)
train_dataloader = dict(batch_size=4)

optim_wrapper = dict(
    # 2e-4 * 64 clips / 256.
    optimizer=dict(lr=5e-5))
auto_scale_lr = dict(base_batch_size=32)
