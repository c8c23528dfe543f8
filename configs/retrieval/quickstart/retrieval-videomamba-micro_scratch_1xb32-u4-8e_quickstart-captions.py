# The embedded default of retrieval: from scratch, on clips with captions of
# colours, places and grounds, chosen and reported on two sets of unseen
# combinations.
_base_ = [
    '../../_base_/models/video_text_middle.py',
    '../../_base_/datasets/quickstart_captions.py',
    '../../_base_/schedules/adamw_videomamba.py',
    '../../_base_/schedules/cosine_25e.py', '../../_base_/default_runtime.py'
]
from mmvideomamba.config_edit import edit

max_epochs = 8
warmup_epochs = 1
model = dict(
    vision_encoder=dict(
        backbone=dict(
            arch=dict(_delete_=True, embed_dims=64, num_layers=3),
            img_size=_base_.img_size,
            patch_size=8,
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
            vocab_size=128,
            hidden_size=64,
            num_hidden_layers=3,
            num_attention_heads=4,
            intermediate_size=128,
            max_position_embeddings=32,
            # As for the backbone: 0.02 is for a width of 768.
            initializer_range=0.1,
            hidden_dropout_prob=0.,
            attention_probs_dropout_prob=0.),
        fusion_layer=1,
        encoder_width=64,
        # Masked words teach the judge where to look, as in the published
        # pretraining.
        with_mlm=True,
        with_cp=False),
    tokenizer=dict(folder=_base_.data_root, max_length=24),
    # Vectors of 3 numbers find the neighbourhood among a few hundred
    # combinations, as vectors of 512 numbers do among millions of texts. The
    # judge sees all tokens.
    embed_dims=3,
    loss_weights=dict(vtc=1., vtm=1., mlm=0.5),
    mlm_probability=0.3,
    # Wrong texts and wrong videos per pair; the published runs have 1.
    vtm_negatives=4)

# A short memory of the gradient's size keeps so short a training steady.
optim_wrapper = dict(
    optimizer=dict(lr=2e-3, betas=(0.9, 0.95)),
    # Word head and word embeddings share one weight.
    paramwise_cfg=dict(bypass_duplicate=True),
    clip_grad=dict(max_norm=1))
train_cfg = dict(max_epochs=max_epochs, val_interval=1)
edit(_base_, 'param_scheduler', 'LinearLR', end=warmup_epochs)
edit(
    _base_,
    'param_scheduler',
    'CosineAnnealingLR',
    begin=warmup_epochs,
    end=max_epochs,
    T_max=max_epochs - warmup_epochs)
# The judge orders the nearest, as in training: wrong partners are near ones.
val_cfg = dict(type='mmvideomamba.RetrievalValLoop', topk=16)
test_cfg = dict(type='mmvideomamba.RetrievalTestLoop', topk=16)
default_hooks = dict(
    checkpoint=dict(
        interval=1, max_keep_ckpts=1, save_best='mean_recall', rule='greater'))

randomness = dict(seed=0)

auto_scale_lr = dict(enable=False, base_batch_size=32)
