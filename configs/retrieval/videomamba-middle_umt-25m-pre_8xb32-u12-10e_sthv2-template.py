# Something-Something V2, texts made of the templates: several videos per
# text.
_base_ = './videomamba-middle_umt-25m-pre_8xb32-u12-10e_sthv2-label.py'

model = dict(tokenizer=dict(max_length=22))
train_dataloader = dict(dataset=dict(ann_file='ssv2_ret_template_train.json'))
val_dataloader = dict(
    dataset=dict(ann_file='ssv2_ret_template_val_small.json'))
test_dataloader = val_dataloader
