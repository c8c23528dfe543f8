# Shapes from motion: 20 letters, drawn by the motion of noise. From random
# weights a model stays at chance: load_from takes the model of
# motion-shapes-one-way.
_base_ = './videomamba-tiny12-tube2_1xb128-d16-4e_motion-kinds.py'
from mmvideomamba.config_edit import edit

data_root = 'data/motion_noise/shapes'
num_classes = 20
max_epochs = 6

model = dict(cls_head=dict(num_classes=num_classes))
dataset = dict(
    data_root=data_root,
    num_classes=num_classes,
    metainfo=dict(classes=f'{data_root}/classes.txt'))
train_dataloader = dict(dataset=dataset)
val_dataloader = dict(dataset=dataset)
test_dataloader = dict(dataset=dataset)

train_cfg = dict(max_epochs=max_epochs)
edit(
    _base_,
    'param_scheduler',
    'CosineAnnealingLR',
    end=max_epochs,
    T_max=max_epochs - 1)
