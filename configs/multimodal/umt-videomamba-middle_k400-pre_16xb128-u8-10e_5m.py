# The masked stage on 5M: four losses, from a model of masked distillation.
_base_ = [
    '../_base_/models/video_text_middle.py',
    '../_base_/datasets/video_text_5m.py',
    '../_base_/schedules/video_text_2e.py', '../_base_/default_runtime.py'
]

max_epochs = 10
model = dict(
    vision_encoder=dict(
        backbone=dict(
            # The decoder reads the stream before the last block, as
            # published; cross-attention reads the last block.
            stream_indices=-2,
            init_cfg=dict(
                type='Pretrained',
                checkpoint='checkpoints/'
                'videomamba_m16_k400_mask_pt_f8_res224.pth')),
        neck=dict(
            type='mmvideomamba.UMTDecoder',
            in_channels=576,
            out_channels=512,
            norm='none')),
    text_encoder=dict(with_mlm=True, weights='checkpoints/bert-base-uncased'),
    teacher=dict(
        type='mmvideomamba.CLIPTeacher',
        arch='b16',
        norm='none',
        init_cfg=dict(
            type='Pretrained', checkpoint='checkpoints/clip_vit-b16.pth')),
    # Of each frame 40 patches stay, of an image 98.
    mask_cfg=dict(
        video=dict(source='attention', ratio=0.8),
        image=dict(source='attention', ratio=0.5)),
    loss_weights=dict(vtc=1., vtm=1., mlm=1., uta=1.))

optim_wrapper = dict(optimizer=dict(lr=4e-4, weight_decay=0.05))
train_cfg = dict(
    type='mmvideomamba.ModalityTrainLoop',
    max_epochs=max_epochs,
    image_dataloader=_base_.image_dataloader)
param_scheduler = dict(T_max=max_epochs, warmup=1)
default_hooks = dict(
    checkpoint=dict(max_keep_ckpts=1, save_best='mean_recall', rule='greater'))

# --auto-scale-lr of the tools: pairs of a step, all GPUs.
auto_scale_lr = dict(enable=False, base_batch_size=2048)
