# 300 epochs of the published image runs: a learning rate per epoch, on a
# cosine beginning under the warm-up (docs/checkpoints.md). warmup_lr and
# eta_min are absolute learning rates, not scaled by the batch size.
max_epochs = 300

train_cfg = dict(by_epoch=True, max_epochs=max_epochs, val_interval=1)
val_cfg = dict()
test_cfg = dict()

param_scheduler = dict(
    type='mmvideomamba.UnshiftedCosineLR',
    T_max=max_epochs,
    warmup=5,
    warmup_lr=1e-6,
    eta_min=1e-5,
    by_epoch=True,
    begin=0,
    end=max_epochs)
