# MSRVTT-QA: an open question per sample, answered from a list.
_base_ = './msrvtt_captions.py'

dataset_type = 'mmvideomamba.VideoQADataset'
num_frames = 12
qa_keys = ('question', 'question_id', 'gt_answer', 'gt_answer_weight')

train_pipeline = _base_.train_pipeline
train_pipeline[1].clip_len = num_frames
train_pipeline[-1].algorithm_keys = qa_keys
val_pipeline = _base_.val_pipeline
val_pipeline[1].clip_len = num_frames
val_pipeline[-1].algorithm_keys = qa_keys
test_pipeline = val_pipeline

train_dataloader = dict(
    batch_size=32,
    dataset=dict(
        type=dataset_type,
        ann_file='msrvtt_qa_train.json',
        pipeline=train_pipeline))
val_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        ann_file='msrvtt_qa_val.json',
        pipeline=val_pipeline))
test_dataloader = dict(
    dataset=dict(
        type=dataset_type,
        ann_file='msrvtt_qa_test.json',
        pipeline=test_pipeline))

val_evaluator = dict(_delete_=True, type='VQAAcc')
test_evaluator = val_evaluator
