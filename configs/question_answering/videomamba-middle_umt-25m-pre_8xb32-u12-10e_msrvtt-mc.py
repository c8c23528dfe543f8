# MSRVTT-MC, the caption of a video among five: a pretrained model without
# training (zero-shot), or fine-tuned on the pairs of 7k videos, none in the
# test.
_base_ = ('../retrieval/'
          'videomamba-middle_umt-25m-pre_8xb32-u12-5e_msrvtt-7k.py')
from mmvideomamba.config_edit import edit

max_epochs = 10
model = dict(
    type='mmvideomamba.VideoTextMC', match_weight=0.7, similarity_weight=0.3)

edit(
    _base_, ['val_pipeline', 'test_pipeline'],
    'PackActionInputs',
    algorithm_keys=('caption_options', ))
val_dataloader = dict(
    dataset=dict(
        type='mmvideomamba.VideoMCDataset',
        num_options=5,
        ann_file='msrvtt_mc_test.json'))
test_dataloader = val_dataloader
val_evaluator = dict(_delete_=True, type='VQAMCACC')
test_evaluator = val_evaluator

train_cfg = dict(max_epochs=max_epochs)
val_cfg = dict(_delete_=True, type='ValLoop')
test_cfg = dict(_delete_=True, type='TestLoop')
param_scheduler = dict(T_max=max_epochs)
