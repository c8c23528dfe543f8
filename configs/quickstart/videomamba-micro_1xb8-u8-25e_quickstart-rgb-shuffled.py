# The control: the frames of each clip in random order. Test a model of the
# parent with it, or train one; both end near chance, 12.5 %.
_base_ = './videomamba-micro_1xb8-u8-25e_quickstart-rgb.py'

shuffle = dict(type='mmvideomamba.ShuffleFrames')
train_pipeline = _base_.train_pipeline
train_pipeline.insert(3, shuffle)  # behind the decoding
val_pipeline = _base_.val_pipeline
val_pipeline.insert(3, shuffle)
test_pipeline = _base_.test_pipeline
test_pipeline.insert(3, shuffle)

train_dataloader = dict(dataset=dict(pipeline=train_pipeline))
val_dataloader = dict(dataset=dict(pipeline=val_pipeline))
test_dataloader = dict(dataset=dict(pipeline=test_pipeline))
