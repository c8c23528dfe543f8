# The embedded default of retrieval: from scratch, on clips with captions of
# what moves where, evaluated on combinations that training has not seen.
_base_ = [
    '../../_base_/models/video_text_middle.py',
    '../../_base_/datasets/quickstart_captions.py',
    '../../_base_/schedules/adamw_videomamba.py',
    '../../_base_/schedules/cosine_25e.py', '../../_base_/default_runtime.py'
]

model = dict(
    vision_encoder=dict(
        backbone=dict(
            arch=dict(_delete_=True, embed_dims=96, num_layers=4),
            img_size=_base_.img_size,
            num_frames=_base_.num_frames,
            drop_path_rate=0.,
            # Steps and weights of so narrow a model, as in ../../quickstart.
            mixer_cfg=dict(
                dt_init_range=(0.005, 0.2),
                init_cfg=dict(
                    type='Normal',
                    std=0.1,
                    override=[
                        dict(name='in_proj'),
                        dict(name='x_proj'),
                        dict(name='x_proj_b')
                    ])))),
    text_encoder=dict(
        arch=dict(
            _delete_=True,
            vocab_size=256,
            hidden_size=64,
            num_hidden_layers=4,
            num_attention_heads=4,
            intermediate_size=128,
            max_position_embeddings=32,
            # As for the backbone: 0.02 is for a width of 768.
            initializer_range=0.1,
            hidden_dropout_prob=0.,
            attention_probs_dropout_prob=0.),
        fusion_layer=2,
        encoder_width=96,
        with_cp=False),
    tokenizer=dict(folder=_base_.data_root, max_length=16),
    embed_dims=64)

# A short memory of the gradient's size keeps so short a training steady.
optim_wrapper = dict(
    optimizer=dict(lr=2e-3, betas=(0.9, 0.95)), clip_grad=dict(max_norm=1))
train_cfg = dict(val_interval=5)
val_cfg = dict(type='mmvideomamba.RetrievalValLoop', topk=128)
test_cfg = dict(type='mmvideomamba.RetrievalTestLoop', topk=128)
default_hooks = dict(
    checkpoint=dict(
        interval=5, max_keep_ckpts=1, save_best='mean_recall', rule='greater'))

randomness = dict(seed=0)

# --auto-scale-lr of the tools: pairs of a step, all GPUs.
auto_scale_lr = dict(enable=False, base_batch_size=30)
