# The task `way_speaking`.
_base_ = './videomamba-tiny_k400-u32-pre_8xb8-u32-70e_lvu-director-60s-rgb.py'
task = 'way_speaking'
num_classes = 5

blending = dict(augments=[
    dict(type='MixupBlending', alpha=0.8, num_classes=num_classes),
    dict(type='CutmixBlending', alpha=1.0, num_classes=num_classes)
])
model = dict(
    cls_head=dict(num_classes=num_classes),
    data_preprocessor=dict(blending=blending))

data = dict(num_classes=num_classes)
train_dataloader = dict(dataset=dict(data, ann_file=f'{task}/train.csv'))
val_dataloader = dict(dataset=dict(data, ann_file=f'{task}/val.csv'))
test_dataloader = dict(dataset=dict(data, ann_file=f'{task}/test.csv'))
