# Breakfast: 10 activities of minutes, 32 frames spread over all of the video.
# tools/data/breakfast.py writes the annotation files.
_base_ = './kinetics400.py'
from mmvideomamba.config_edit import edit

data_root = 'data/breakfast'
num_classes = 10
num_frames = 32

blending = dict(augments=[
    dict(type='MixupBlending', alpha=0.8, num_classes=num_classes),
    dict(type='CutmixBlending', alpha=1.0, num_classes=num_classes)
])

edit(_base_, '*_pipeline', 'UniformSample', clip_len=num_frames)

data = dict(data_root=data_root, num_classes=num_classes)
train_dataloader = dict(batch_size=32, dataset=data)
# There is no third split; the published code selects on the test videos too.
data = dict(data, ann_file='test.csv')
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
