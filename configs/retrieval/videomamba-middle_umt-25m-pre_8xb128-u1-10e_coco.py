# COCO: images and captions; the best epoch on the validation images counts.
_base_ = './videomamba-middle_umt-25m-pre_8xb64-u8-2e_msrvtt.py'
from mmvideomamba.config_edit import edit, remove

max_epochs = 10
model = dict(tokenizer=dict(max_length=22))
# An image is a clip of a single frame; nothing is sampled.
edit(
    _base_,
    '*_pipeline',
    'mmvideomamba.OpenVideo',
    type='mmvideomamba.ReadImage')
remove(_base_, '*_pipeline', 'mmvideomamba.IntervalSample',
       'mmvideomamba.DecodeFrames')
train_dataloader = dict(
    batch_size=128,
    dataset=dict(
        data_root='data/coco',
        ann_file='coco_train.json',
        data_prefix=dict(video='images')))
val_dataloader = dict(
    dataset=dict(
        data_root='data/coco',
        ann_file='coco_val.json',
        data_prefix=dict(video='images')))
test_dataloader = dict(
    dataset=dict(
        data_root='data/coco',
        ann_file='coco_test.json',
        data_prefix=dict(video='images')))

train_cfg = dict(max_epochs=max_epochs)
param_scheduler = dict(T_max=max_epochs, warmup=0)
auto_scale_lr = dict(base_batch_size=1024)
