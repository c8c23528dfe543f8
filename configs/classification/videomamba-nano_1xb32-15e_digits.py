# A smaller model in half the time: the student, alone.
_base_ = './videomamba-micro_1xb32-60e_digits.py'

model = dict(
    backbone=dict(arch=dict(embed_dims=48, num_layers=2)),
    head=dict(in_channels=48))

max_epochs = 15
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = dict(T_max=max_epochs, end=max_epochs)
