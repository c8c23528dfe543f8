# The logarithm of the number of views.
_base_ = [
    './videomamba-tiny_k400-u32-pre_8xb8-u32-70e_lvu-like-ratio-60s-rgb.py'
]
task = 'view_count'

train_dataloader = dict(dataset=dict(ann_file=f'{task}/train.csv'))
val_dataloader = dict(dataset=dict(ann_file=f'{task}/val.csv'))
test_dataloader = dict(dataset=dict(ann_file=f'{task}/test.csv'))
