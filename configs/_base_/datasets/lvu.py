# LVU, task `director`: 32 frames spread over a movie clip of minutes.
# tools/data/lvu.py writes the annotation files of all tasks, lines of
# `path,label,seconds`.
_base_ = './kinetics400.py'
from mmvideomamba.config_edit import edit

dataset_type = 'mmvideomamba.WindowVideoDataset'
data_root = 'data/lvu'
task = 'director'
num_classes = 10
num_frames = 32

blending = dict(augments=[
    dict(type='MixupBlending', alpha=0.8, num_classes=num_classes),
    dict(type='CutmixBlending', alpha=1.0, num_classes=num_classes)
])

edit(_base_, '*_pipeline', 'UniformSample', clip_len=num_frames)
edit(
    _base_,
    'train_pipeline',
    'mmvideomamba.ClipRandAugment',
    magnitude=5,
    num_layers=2,
    magnitude_std=0.25)

data = dict(
    type=dataset_type,
    data_root=data_root,
    num_classes=num_classes,
    window=None)
train_dataloader = dict(
    batch_size=8, dataset=dict(data, ann_file=f'{task}/train.csv'))
val_dataloader = dict(dataset=dict(data, ann_file=f'{task}/val.csv'))
test_dataloader = dict(dataset=dict(data, ann_file=f'{task}/test.csv'))

# Averages the windows of a video, where there are several. Tasks may have
# fewer than five classes.
val_evaluator = dict(
    type='mmvideomamba.WindowAccMetric',
    metric_options=dict(top_k_accuracy=dict(topk=(1, ))))
test_evaluator = val_evaluator
