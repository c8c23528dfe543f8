# Fine-tuning on DiDeMo with 12 frames.
_base_ = './videomamba-middle_umt-25m-pre_8xb64-u8-2e_didemo.py'
from mmvideomamba.config_edit import edit

max_epochs = 10
num_frames = 12
model = dict(vision_encoder=dict(backbone=dict(num_frames=num_frames)))
edit(_base_, '*_pipeline', 'mmvideomamba.IntervalSample', clip_len=num_frames)

train_dataloader = dict(batch_size=32)

train_cfg = dict(max_epochs=max_epochs)
param_scheduler = dict(T_max=max_epochs, warmup=0)
auto_scale_lr = dict(base_batch_size=256)
