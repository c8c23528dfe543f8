# Fine-tuning of the published video-text models: 2 epochs, the learning rate
# not scaled by the batch. Weight decay applies to tensors of two or more axes,
# embeddings as well, and to the temperature, a scalar. The published runs hold
# all weights in bfloat16; autocast keeps the weights in float32.
max_epochs = 2

optim_wrapper = dict(
    type='AmpOptimWrapper',
    dtype='bfloat16',
    # bfloat16 has the range of float32.
    loss_scale=dict(enabled=False),
    optimizer=dict(
        type='AdamW', lr=1e-5, betas=(0.9, 0.999), weight_decay=0.02),
    # The word head shares the weights of the word embeddings.
    paramwise_cfg=dict(flat_decay_mult=0., bypass_duplicate=True))
# An image batch trains no temporal embedding.
find_unused_parameters = True

train_cfg = dict(type='EpochBasedTrainLoop', max_epochs=max_epochs)
val_cfg = dict(type='mmvideomamba.RetrievalValLoop', topk=128)
test_cfg = dict(type='mmvideomamba.RetrievalTestLoop', topk=128)
param_scheduler = dict(
    type='mmvideomamba.FlooredCosineLR',
    T_max=max_epochs,
    warmup=0.2,
    floor=0.01,
    by_epoch=True,
    convert_to_iter_based=True)

randomness = dict(seed=42)
