# LVU, task `director`: 32 frames spread over a movie clip of minutes.
# tools/data/lvu.py writes the annotation files of all tasks, lines of
# `path,label,seconds`.
_base_ = './kinetics400.py'
dataset_type = 'mmvideomamba.WindowVideoDataset'
data_root = 'data/lvu'
task = 'director'
num_classes = 10
num_frames = 32

blending = dict(augments=[
    dict(type='MixupBlending', alpha=0.8, num_classes=num_classes),
    dict(type='CutmixBlending', alpha=1.0, num_classes=num_classes)
])

train_pipeline = _base_.train_pipeline
train_pipeline[1].clip_len = num_frames
train_pipeline[3].update(dict(magnitude=5, num_layers=2, magnitude_std=0.25))
val_pipeline = _base_.val_pipeline
val_pipeline[1].clip_len = num_frames
test_pipeline = _base_.test_pipeline
test_pipeline[1].clip_len = num_frames

data = dict(
    type=dataset_type,
    data_root=data_root,
    num_classes=num_classes,
    window=None)
train_dataloader = dict(
    batch_size=8,
    dataset=dict(data, ann_file=f'{task}/train.csv', pipeline=train_pipeline))
val_dataloader = dict(
    dataset=dict(data, ann_file=f'{task}/val.csv', pipeline=val_pipeline))
test_dataloader = dict(
    dataset=dict(data, ann_file=f'{task}/test.csv', pipeline=test_pipeline))

# Averages the windows of a video, where there are several. Tasks may have
# fewer than five classes.
val_evaluator = dict(
    type='mmvideomamba.WindowAccMetric',
    metric_options=dict(top_k_accuracy=dict(topk=(1, ))))
test_evaluator = val_evaluator
