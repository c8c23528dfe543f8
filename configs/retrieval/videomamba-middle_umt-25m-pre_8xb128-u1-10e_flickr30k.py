# Flickr30k: images and captions.
_base_ = './videomamba-middle_umt-25m-pre_8xb64-u8-2e_msrvtt.py'

max_epochs = 10
model = dict(tokenizer=dict(max_length=32))
# An image is a clip of one frame; nothing is sampled.
train_pipeline = [
    dict(type='mmvideomamba.ReadImage'), *_base_.train_pipeline[3:]
]
val_pipeline = [dict(type='mmvideomamba.ReadImage'), *_base_.val_pipeline[3:]]
test_pipeline = val_pipeline
train_dataloader = dict(
    batch_size=128,
    dataset=dict(
        data_root='data/flickr30k',
        ann_file='flickr_ret_train.json',
        data_prefix=dict(video='images'),
        pipeline=train_pipeline))
val_dataloader = dict(
    dataset=dict(
        data_root='data/flickr30k',
        ann_file='flickr_ret_test.json',
        data_prefix=dict(video='images'),
        pipeline=val_pipeline))
test_dataloader = val_dataloader

train_cfg = dict(max_epochs=max_epochs)
param_scheduler = dict(T_max=max_epochs, warmup=0)
