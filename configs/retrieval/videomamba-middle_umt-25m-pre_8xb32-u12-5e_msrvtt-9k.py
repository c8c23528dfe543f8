# Fine-tuning on MSRVTT with 12 frames: 9k videos for training. As in the
# published runs, the last epoch counts, not the best.
_base_ = './videomamba-middle_umt-25m-pre_8xb64-u8-2e_msrvtt.py'
from mmvideomamba.config_edit import edit

max_epochs = 5
num_frames = 12
model = dict(vision_encoder=dict(backbone=dict(num_frames=num_frames)))
edit(_base_, '*_pipeline', 'mmvideomamba.IntervalSample', clip_len=num_frames)

train_dataloader = dict(batch_size=32)

train_cfg = dict(max_epochs=max_epochs)
param_scheduler = dict(T_max=max_epochs, warmup=0)
default_hooks = dict(checkpoint=dict(save_best=None))
auto_scale_lr = dict(base_batch_size=256)
