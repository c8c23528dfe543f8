# MSRVTT-QA: an open question per sample, answered from a list.
_base_ = './msrvtt_captions.py'
from mmvideomamba.config_edit import edit

dataset_type = 'mmvideomamba.VideoQADataset'
num_frames = 12
qa_keys = ('question', 'question_id', 'gt_answer', 'gt_answer_weight')

edit(_base_, '*_pipeline', 'mmvideomamba.IntervalSample', clip_len=num_frames)
edit(_base_, '*_pipeline', 'PackActionInputs', algorithm_keys=qa_keys)

train_dataloader = dict(
    batch_size=32,
    dataset=dict(type=dataset_type, ann_file='msrvtt_qa_train.json'))
val_dataloader = dict(
    dataset=dict(type=dataset_type, ann_file='msrvtt_qa_val.json'))
test_dataloader = dict(
    dataset=dict(type=dataset_type, ann_file='msrvtt_qa_test.json'))

val_evaluator = dict(_delete_=True, type='VQAAcc')
test_evaluator = val_evaluator
