# The masked stage of video-text pretraining, all four losses, on noise.
default_scope = 'mmaction'
custom_imports = dict(imports=['mmvideomamba'])
resize = [
    dict(type='Resize', scale=(32, 32), keep_ratio=False),
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs', algorithm_keys=('text', 'pair_id'))
]
loader = dict(
    batch_size=2,
    num_workers=0,
    drop_last=True,
    sampler=dict(type='DefaultSampler', shuffle=True))
train_dataloader = dict(
    **loader,
    dataset=dict(
        type='mmvideomamba.CaptionDataset',
        sources=[dict(ann_file='videos.jsonl')],
        pipeline=[
            dict(type='mmvideomamba.OpenClip'),
            dict(type='mmvideomamba.IntervalSample', clip_len=4, mode='rand'),
            dict(type='mmvideomamba.DecodeFrames'), *resize
        ]))
train_cfg = dict(
    type='mmvideomamba.ModalityTrainLoop',
    max_epochs=2,
    image_dataloader=dict(
        **loader,
        dataset=dict(
            type='mmvideomamba.CaptionDataset',
            modality='image',
            sources=[dict(ann_file='images.json')],
            pipeline=[dict(type='mmvideomamba.ReadImage'), *resize])))

tower = dict(
    width=16, num_layers=2, num_heads=2, patch_size=8, out_channels=12)
model = dict(
    type='mmvideomamba.VideoTextModel',
    vision_encoder=dict(
        type='mmvideomamba.VisionTower',
        neck=dict(
            type='mmvideomamba.UMTDecoder',
            in_channels=32,
            out_channels=12,
            norm='none'),
        backbone=dict(
            type='mmvideomamba.VideoMamba',
            arch=dict(embed_dims=32, num_layers=2),
            img_size=32,
            patch_size=8,
            num_frames=4,
            out_type='raw',
            stream_indices=-2)),
    text_encoder=dict(
        type='mmvideomamba.TextTower',
        arch=dict(
            vocab_size=64,
            hidden_size=24,
            num_hidden_layers=2,
            num_attention_heads=2,
            intermediate_size=32),
        fusion_layer=1,
        encoder_width=32),
    tokenizer=dict(folder='.', max_length=8),
    embed_dims=16,
    teacher=dict(
        type='mmvideomamba.CLIPTeacher', arch=tower, img_size=32, norm='none'),
    mask_cfg=dict(
        video=dict(source='attention', ratio=0.75),
        image=dict(source='attention', ratio=0.5)),
    loss_weights=dict(vtc=1., vtm=1., mlm=1., uta=1.),
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[128., 128., 128.],
        std=[64., 64., 64.],
        format_shape='NCTHW'))
optim_wrapper = dict(
    optimizer=dict(type='AdamW', lr=1e-3),
    paramwise_cfg=dict(flat_decay_mult=0., bypass_duplicate=True))
default_hooks = dict(logger=dict(type='LoggerHook', interval=1))
custom_hooks = [
    dict(type='mmvideomamba.CheckConfigHook'),
    dict(type='mmvideomamba.ResumeHook')
]
log_processor = dict(window_size=1)
randomness = dict(seed=3)
