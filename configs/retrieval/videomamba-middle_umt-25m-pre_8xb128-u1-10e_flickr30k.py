# Flickr30k: images and captions.
_base_ = './videomamba-middle_umt-25m-pre_8xb128-u1-10e_coco.py'

model = dict(tokenizer=dict(max_length=32))
train_dataloader = dict(
    dataset=dict(
        data_root='data/flickr30k', ann_file='flickr30k_ret_train.json'))
val_dataloader = dict(
    dataset=dict(
        data_root='data/flickr30k', ann_file='flickr30k_ret_test.json'))
test_dataloader = val_dataloader
