# The unmasked stage on 5M: an epoch without masks and teacher, from the
# result of the masked stage.
_base_ = [
    '../_base_/models/video_text_middle.py',
    '../_base_/datasets/video_text_5m.py',
    '../_base_/schedules/video_text_2e.py', '../_base_/default_runtime.py'
]

max_epochs = 1
model = dict(
    text_encoder=dict(with_mlm=True),
    loss_weights=dict(vtc=1., vtm=1., mlm=1.))
load_from = 'work_dirs/umt-videomamba-middle_k400-pre_16xb128-u8-10e_5m/' \
    'epoch_10.pth'

train_dataloader = dict(batch_size=64)
image_dataloader = _base_.image_dataloader
image_dataloader.batch_size = 64

optim_wrapper = dict(optimizer=dict(lr=8e-5, weight_decay=0.05))
train_cfg = dict(
    type='mmvideomamba.ModalityTrainLoop',
    max_epochs=max_epochs,
    image_dataloader=image_dataloader)
param_scheduler = dict(T_max=max_epochs, warmup=0.2)
default_hooks = dict(
    checkpoint=dict(max_keep_ckpts=1, save_best='mean_recall', rule='greater'))

# --auto-scale-lr of the tools: pairs of a step, all GPUs.
auto_scale_lr = dict(enable=False, base_batch_size=1024)
