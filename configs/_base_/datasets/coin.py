# COIN: 180 tasks of minutes, 32 frames spread over all of the video, tested
# on 10 clips x 3 crops. tools/data/coin.py writes the annotation files.
_base_ = './breakfast.py'
from mmvideomamba.config_edit import edit

data_root = 'data/coin'
num_classes = 180

blending = dict(augments=[
    dict(type='MixupBlending', alpha=0.8, num_classes=num_classes),
    dict(type='CutmixBlending', alpha=1.0, num_classes=num_classes)
])

edit(_base_, 'test_pipeline', 'UniformSample', num_clips=10)

data = dict(data_root=data_root, num_classes=num_classes)
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
