# Questions about the clips of the quickstart, from a model of the quickstart
# of retrieval: set load_from to the checkpoint.
_base_ = ('../../retrieval/quickstart/retrieval-videomamba-micro_scratch_'
          '1xb32-u4-8e_quickstart-captions.py')
from mmvideomamba.config_edit import edit

dataset_type = 'mmvideomamba.VideoQADataset'
data_root = _base_.data_root
qa_keys = ('question', 'question_id', 'gt_answer', 'gt_answer_weight')
model = dict(
    _delete_=True,
    type='mmvideomamba.VideoTextQA',
    vision_encoder=_base_.model.vision_encoder,
    text_encoder=_base_.model.text_encoder,
    tokenizer=_base_.model.tokenizer,
    answer_file=f'{data_root}/answers.json',
    topk=128,
    data_preprocessor=_base_.model.data_preprocessor)
# The decoder has the word head.
model['text_encoder']['with_mlm'] = False
edit(_base_, '*_pipeline', 'PackActionInputs', algorithm_keys=qa_keys)
train_dataloader = dict(
    dataset=dict(type=dataset_type, ann_file='qa_train.json'))
val_dataloader = dict(dataset=dict(type=dataset_type, ann_file='qa_val.json'))
test_dataloader = dict(
    dataset=dict(type=dataset_type, ann_file='qa_test.json'))
val_evaluator = dict(_delete_=True, type='VQAAcc')
test_evaluator = val_evaluator
max_epochs = 5
optim_wrapper = dict(optimizer=dict(lr=1e-3))
train_cfg = dict(max_epochs=max_epochs, val_interval=1)
edit(
    _base_,
    'param_scheduler',
    'CosineAnnealingLR',
    end=max_epochs,
    T_max=max_epochs - _base_.warmup_epochs)
val_cfg = dict(_delete_=True, type='ValLoop')
test_cfg = dict(_delete_=True, type='TestLoop')
default_hooks = dict(checkpoint=dict(interval=1, save_best='VQA/acc'))
