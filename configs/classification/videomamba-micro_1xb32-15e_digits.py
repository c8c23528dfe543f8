# A quarter of the epochs: the student, alone.
_base_ = './videomamba-micro_1xb32-60e_digits.py'

max_epochs = 15
train_cfg = dict(max_epochs=max_epochs)
param_scheduler = dict(T_max=max_epochs, end=max_epochs)
