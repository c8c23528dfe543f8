# 30 epochs at a higher resolution, from the weights of a lower resolution.
_base_ = './in1k_300e.py'

max_epochs = 30
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = dict(
    T_max=max_epochs, end=max_epochs, warmup=5, warmup_lr=1e-6, eta_min=5e-6)
optim_wrapper = dict(optimizer=dict(weight_decay=1e-8))
