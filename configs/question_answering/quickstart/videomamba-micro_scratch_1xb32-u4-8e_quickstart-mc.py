# The same model and training as the quickstart of retrieval, validated and
# tested by the choice among five captions, four of which almost fit.
_base_ = ('../../retrieval/quickstart/retrieval-videomamba-micro_scratch_'
          '1xb32-u4-8e_quickstart-captions.py')
from mmvideomamba.config_edit import edit

model = dict(type='mmvideomamba.VideoTextMC')
edit(
    _base_, ['val_pipeline', 'test_pipeline'],
    'PackActionInputs',
    algorithm_keys=('caption_options', ))
val_dataloader = dict(
    dataset=dict(type='mmvideomamba.VideoMCDataset', ann_file='mc_val.json'))
test_dataloader = dict(
    dataset=dict(type='mmvideomamba.VideoMCDataset', ann_file='mc_test.json'))
val_evaluator = dict(_delete_=True, type='VQAMCACC')
test_evaluator = val_evaluator
val_cfg = dict(_delete_=True, type='ValLoop')
test_cfg = dict(_delete_=True, type='TestLoop')
default_hooks = dict(checkpoint=dict(save_best='VQAMC/acc'))
