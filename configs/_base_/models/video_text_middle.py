# VideoMamba-Middle and BERT-base for retrieval: 8 frames of 224 px, unmasked.
#
# bert-base-uncased is read from its folder, with vocab.txt. The weights come
# with the published video-text files; a training from scratch sets weights of
# the text_encoder to the folder of bert-base-uncased.
model = dict(
    type='mmvideomamba.VideoTextModel',
    vision_encoder=dict(
        type='mmvideomamba.VisionTower',
        # Class token plus mean of the patches, once per frame.
        pool_type='cls+avg',
        keep_temporal=True,
        backbone=dict(
            type='mmvideomamba.VideoMamba',
            arch='middle',
            img_size=224,
            patch_size=16,
            num_frames=8,
            drop_path_rate=0.25,
            out_type='raw')),
    text_encoder=dict(
        type='mmvideomamba.TextTower',
        arch='base',
        fusion_layer=9,
        encoder_width=576,
        with_mlm=False,
        with_cp=True),
    tokenizer=dict(folder='checkpoints/bert-base-uncased', max_length=32),
    embed_dims=512,
    loss_weights=dict(vtc=1., vtm=1.),
    temperature=0.07,
    # As published; 'summed' is the gradient of the whole batch.
    gather_grad='own',
    data_preprocessor=dict(
        type='ActionDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        format_shape='NCTHW'))
