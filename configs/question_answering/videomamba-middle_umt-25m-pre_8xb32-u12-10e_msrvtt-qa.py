# Questions about the videos of MSRVTT, from a pretrained video-text model.
_base_ = [
    '../_base_/models/video_question_middle.py',
    '../_base_/datasets/msrvtt_qa.py', '../_base_/schedules/video_text_2e.py',
    '../_base_/default_runtime.py'
]

max_epochs = 10
model = dict(
    vision_encoder=dict(backbone=dict(num_frames=_base_.num_frames)),
    answer_file='data/msrvtt/msrvtt_qa_answer_list.json')
load_from = 'checkpoints/videomamba_m16_25M_f8_res224.pth'

train_cfg = dict(max_epochs=max_epochs)
val_cfg = dict(_delete_=True, type='ValLoop')
test_cfg = dict(_delete_=True, type='TestLoop')
param_scheduler = dict(T_max=max_epochs, warmup=0.5)
default_hooks = dict(
    checkpoint=dict(max_keep_ckpts=1, save_best='VQA/acc', rule='greater'))

# --auto-scale-lr of the tools: questions of a step, all GPUs.
auto_scale_lr = dict(enable=False, base_batch_size=256)
