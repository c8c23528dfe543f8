# 800 epochs on 32 x 64 clips, updated in each iteration: 40 epochs of linear
# warm-up from 0, then cosine to 1/15 of the peak, 1.5e-4 * 2048 / 256.
max_epochs = 800
warmup_epochs = 40

auto_scale_lr = dict(base_batch_size=2048, enable=False)

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs)
param_scheduler = [
    dict(
        type='LinearLR',
        start_factor=1e-6,  # 0 cannot be raised by factors
        by_epoch=True,
        begin=0,
        end=warmup_epochs,
        convert_to_iter_based=True),
    dict(
        type='CosineAnnealingLR',
        eta_min_ratio=1e-5 / 1.5e-4,
        by_epoch=True,
        begin=warmup_epochs,
        end=max_epochs,
        T_max=max_epochs - warmup_epochs,
        convert_to_iter_based=True)
]
