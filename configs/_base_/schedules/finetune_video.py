# The published video fine-tuning: 50 epochs, 5 of them warm-up, in bfloat16.
#
# A leaf sets the effective learning rate, flag * clips of a step / 256. The
# lowest rate, at the start and at the end, is the share 1e-6 / flag of the
# effective rate: 0.005 for a flag of 2e-4. Weight decay and embed_lr_mult
# depend on the size.
_base_ = './adamw_videomamba.py'
max_epochs = 50
warmup_epochs = 5

optim_wrapper = dict(type='AmpOptimWrapper', dtype='bfloat16')

train_cfg = dict(
    type='EpochBasedTrainLoop',
    max_epochs=max_epochs,
    val_begin=1,
    val_interval=1)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')

param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=0.005,
        by_epoch=True,
        begin=0,
        end=warmup_epochs,
        convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=0.005,
        by_epoch=True,
        begin=warmup_epochs,
        end=max_epochs,
        T_max=max_epochs - warmup_epochs,
        convert_to_iter_based=True)
]

# --auto-scale-lr of the tools: videos of a step, all GPUs.
auto_scale_lr = dict(enable=False, base_batch_size=512)
