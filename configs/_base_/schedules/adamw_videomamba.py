# The optimizer of the published image, video and masked-pretraining runs;
# the recipe sets learning rate and weight decay.
#
# Not decayed: biases, norms and other 1-D weights, and the embeddings. A_log,
# A_b_log and the convolutions are decayed.
#
# Published layer-wise decay d scales the learning rate of the patch, class
# and spatial embeddings alone, by d ** (num_layers + 1): set the lr_mult of
# the three. (For a decay of the blocks as well see docs/checkpoints.md.)
# Keys are matched as parts of names, the longest first.
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(
        type='AdamW', lr=1e-3, betas=(0.9, 0.999), weight_decay=0.05),
    paramwise_cfg=dict(
        flat_decay_mult=0.,
        custom_keys={
            'cls_token': dict(lr_mult=1., decay_mult=0.),
            'pos_embed': dict(lr_mult=1., decay_mult=0.),
            'temporal_pos_embedding': dict(lr_mult=1., decay_mult=0.),
            'patch_embed.proj.weight': dict(lr_mult=1.),
            'patch_embed.proj.bias': dict(lr_mult=1., decay_mult=0.)
        }))
