# The same 64 labelled videos, from the masked distillation of this folder.
_base_ = './videomamba-micro-p8_scratch_1xb8-u8-25e_quickstart-rgb-64.py'

checkpoint = 'work_dirs/quickstart_pretraining/student/epoch_25.pth'
model = dict(
    backbone=dict(init_cfg=dict(type='Pretrained', checkpoint=checkpoint)))
