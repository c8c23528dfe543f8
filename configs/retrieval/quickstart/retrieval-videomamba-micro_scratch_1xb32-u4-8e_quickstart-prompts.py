# The same model and training, validated and tested by prompts: the classes
# are the combinations of the held-out clips, each with 4 captions.
_base_ = ('./retrieval-videomamba-micro_scratch_1xb32-u4-8e_'
          'quickstart-captions.py')
from mmvideomamba.config_edit import edit

model = dict(type='mmvideomamba.VideoTextClassifier', prompts='{}', topk=20)
edit(
    _base_, ['val_pipeline', 'test_pipeline'],
    'PackActionInputs',
    algorithm_keys=())
val_dataloader = dict(dataset=dict(type='mmvideomamba.CaptionClassDataset'))
test_dataloader = dict(dataset=dict(type='mmvideomamba.CaptionClassDataset'))
val_evaluator = dict(_delete_=True, type='mmvideomamba.PromptAccMetric')
test_evaluator = val_evaluator
val_cfg = dict(_delete_=True, type='mmvideomamba.PromptValLoop')
test_cfg = dict(_delete_=True, type='mmvideomamba.PromptTestLoop')
default_hooks = dict(checkpoint=dict(save_best='acc/top1'))
