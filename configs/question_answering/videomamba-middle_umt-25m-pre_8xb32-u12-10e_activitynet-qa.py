# ActivityNet-QA.
_base_ = './videomamba-middle_umt-25m-pre_8xb32-u12-10e_msrvtt-qa.py'

data_root = 'data/activitynet'
model = dict(answer_file=f'{data_root}/anet_qa_answer_list.json')
train_dataloader = dict(
    dataset=dict(data_root=data_root, ann_file='anet_qa_train.json'))
val_dataloader = dict(
    dataset=dict(data_root=data_root, ann_file='anet_qa_val.json'))
test_dataloader = dict(
    dataset=dict(data_root=data_root, ann_file='anet_qa_test.json'))
