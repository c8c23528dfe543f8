# The first stage of shapes from motion: the noise within each letter moves to
# the right. model.backbone.init_cfg takes the model of motion-kinds, whose
# head has other classes; see README.md.
_base_ = './videomamba-tiny12-tube2_1xb128-d16-6e_motion-shapes.py'
from mmvideomamba.config_edit import edit

data_root = 'data/motion_noise/shapes_one_way'
max_epochs = 3

dataset = dict(
    data_root=data_root, metainfo=dict(classes=f'{data_root}/classes.txt'))
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
