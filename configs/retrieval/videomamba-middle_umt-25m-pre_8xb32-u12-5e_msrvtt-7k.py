# Fine-tuning on MSRVTT with 12 frames: 7k videos for training.
_base_ = './videomamba-middle_umt-25m-pre_8xb32-u12-5e_msrvtt-9k.py'

train_dataloader = dict(dataset=dict(ann_file='msrvtt_ret_train7k.json'))
