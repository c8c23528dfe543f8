# VideoMamba-Tiny for a number per video, for example a rating. Lines of the
# lists are `path value`; docs/your_own_videos.md tells how to write them.
_base_ = './videomamba-tiny_1xb8-u8-25e_custom-rgb.py'

data_root = 'data/custom'  # holds train.txt and val.txt
num_classes = None

model = dict(
    cls_head=dict(
        _delete_=True,
        type='mmvideomamba.VideoMambaRegressionHead',
        in_channels=192))
data = dict(
    data_root=data_root,
    num_classes=num_classes,
    regression=True,
    metainfo=dict(_delete_=True))
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)

# Mean squared error: the model with the lowest is kept.
val_evaluator = dict(_delete_=True, type='mmvideomamba.MSEMetric')
test_evaluator = val_evaluator
default_hooks = dict(checkpoint=dict(save_best='regression/mse', rule='less'))
