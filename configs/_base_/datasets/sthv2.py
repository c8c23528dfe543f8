# Something-Something V2: a frame from each of 8 segments, no flips, as left
# and right make classes. tools/data/sthv2.py writes the annotation files,
# lines of `path label`.
_base_ = './kinetics400.py'
from mmvideomamba.config_edit import edit, remove

data_root = 'data/sthv2'
num_classes = 174
num_frames = 8

blending = dict(augments=[
    dict(type='MixupBlending', alpha=0.8, num_classes=num_classes),
    dict(type='CutmixBlending', alpha=1.0, num_classes=num_classes)
])

sampler = 'mmvideomamba.SegmentSample'
edit(_base_, '*_pipeline', 'UniformSample', type=sampler, clip_len=num_frames)
edit(_base_, 'test_pipeline', sampler, num_clips=2)
remove(_base_, 'train_pipeline', 'Flip')

data = dict(data_root=data_root, delimiter=' ', num_classes=num_classes)
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)
