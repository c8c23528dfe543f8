# Something-Something V2: one frame from each of 8 segments, no flips, as left
# and right make classes. tools/data/sthv2.py writes the annotation files,
# lines of `path label`.
_base_ = './kinetics400.py'
data_root = 'data/sthv2'
num_classes = 174
num_frames = 8

blending = dict(augments=[
    dict(type='MixupBlending', alpha=0.8, num_classes=num_classes),
    dict(type='CutmixBlending', alpha=1.0, num_classes=num_classes)
])

sampler = 'mmvideomamba.SegmentSample'
train_pipeline = _base_.train_pipeline
train_pipeline[1] = dict(type=sampler, clip_len=num_frames)
train_pipeline.pop(5)  # the flip
val_pipeline = _base_.val_pipeline
val_pipeline[1] = dict(type=sampler, clip_len=num_frames, test_mode=True)
test_pipeline = _base_.test_pipeline
test_pipeline[1] = dict(
    type=sampler, clip_len=num_frames, num_clips=2, test_mode=True)

data = dict(data_root=data_root, delimiter=' ', num_classes=num_classes)
train_dataloader = dict(dataset=dict(data, pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(data, pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(data, pipeline=test_pipeline))
