# Flickr30k: images and captions; the best epoch on the validation images
# counts.
_base_ = './videomamba-middle_umt-25m-pre_8xb128-u1-10e_coco.py'

model = dict(tokenizer=dict(max_length=32))
train_dataloader = dict(
    dataset=dict(data_root='data/flickr30k', ann_file='flickr30k_train.json'))
val_dataloader = dict(
    dataset=dict(data_root='data/flickr30k', ann_file='flickr30k_val.json'))
test_dataloader = dict(
    dataset=dict(data_root='data/flickr30k', ann_file='flickr30k_test.json'))
