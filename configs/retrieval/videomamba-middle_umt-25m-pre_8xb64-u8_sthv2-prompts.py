# Something-Something V2 recognised by prompts (zero-shot), the bare names of
# the 174 classes: a test of a published file.
_base_ = './videomamba-middle_umt-25m-pre_8xb64-u8_kinetics400-prompts.py'

data_root = 'data/sthv2'
num_classes = 174

model = dict(prompts='{}', topk=128)
test_dataloader = dict(
    dataset=dict(
        data_root=data_root,
        delimiter=' ',
        num_classes=num_classes,
        metainfo=dict(classes=f'{data_root}/classes.txt')))
