# VideoMamba-Tiny on your own videos, for a GPU: --data-root FOLDER of the
# tools, or change the two lines below. docs/your_own_videos.md tells how, and
# how to start from a published file.
_base_ = [
    '../../_base_/models/videomamba_tiny.py',
    '../../_base_/datasets/custom.py',
    '../../_base_/schedules/adamw_videomamba.py',
    '../../_base_/schedules/cosine_25e.py', '../../_base_/default_runtime.py'
]

data_root = 'data/custom'  # holds train.txt, val.txt and classes.txt
num_classes = 8  # lines of classes.txt

model = dict(cls_head=dict(num_classes=num_classes))
data = dict(
    data_root=data_root,
    num_classes=num_classes,
    metainfo=dict(classes=f'{data_root}/classes.txt'))
train_dataloader = dict(dataset=data)
val_dataloader = dict(dataset=data)
test_dataloader = dict(dataset=data)

# For a start from a published file; from scratch take some times as much.
optim_wrapper = dict(optimizer=dict(lr=1e-4))

# --auto-scale-lr of the tools: videos of a step, all GPUs.
auto_scale_lr = dict(enable=False, base_batch_size=8)
