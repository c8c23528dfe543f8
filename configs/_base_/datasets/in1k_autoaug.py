# ImageNet-1K with the augmentation of the Tiny runs: AutoAugment "v0", each
# picture once per epoch.
_base_ = './in1k_randaug.py'
from mmvideomamba.config_edit import edit

# A random pair out of 25 for each picture. The policy differs from the
# 'imagenet' preset of the host. Levels are worked out here: shear 0.03,
# translation 0.045 of the height and 3 degrees per level, with either sign;
# thresholds 25.6, additions 11 and bits 0.4 per level, cut off; a colour
# factor of 0.1 + 0.18 per level, less 1 for ColorTransform, as the host adds
# 1. Posterize with 0 bits is black.
#
# The fill is given to each transform: the host's AutoAugment does not hand its
# hparams on.
fill = dict(
    pad_val=[round(x) for x in _base_.bgr_mean], interpolation='bicubic')
autoaugment_v0 = [
    [
        dict(type='Equalize', prob=0.8),
        dict(
            type='Shear',
            direction='vertical',
            magnitude=0.12,
            prob=0.8,
            **fill)
    ],
    [
        dict(
            type='ColorTransform',
            magnitude=0.72,
            random_negative_prob=0.,
            prob=0.4),
        dict(type='Equalize', prob=0.6)
    ],
    [
        dict(
            type='ColorTransform',
            magnitude=-0.72,
            random_negative_prob=0.,
            prob=0.4),
        dict(type='Rotate', angle=24.0, prob=0.6, **fill)
    ],
    [dict(type='Solarize', thr=76, prob=0.8),
     dict(type='Equalize', prob=0.4)],
    [
        dict(type='Solarize', thr=51, prob=0.4),
        dict(type='Solarize', thr=51, prob=0.6)
    ],
    [
        dict(
            type='ColorTransform',
            magnitude=-0.9,
            random_negative_prob=0.,
            prob=0.2),
        dict(type='Equalize', prob=0.8)
    ],
    [
        dict(type='Equalize', prob=0.4),
        dict(type='SolarizeAdd', magnitude=33, prob=0.8)
    ],
    [
        dict(
            type='Shear',
            direction='horizontal',
            magnitude=0.27,
            prob=0.2,
            **fill),
        dict(type='Rotate', angle=24.0, prob=0.6, **fill)
    ],
    [
        dict(
            type='ColorTransform',
            magnitude=-0.72,
            random_negative_prob=0.,
            prob=0.6),
        dict(type='Equalize', prob=1.0)
    ],
    [
        dict(type='Invert', prob=0.4),
        dict(type='Rotate', angle=0.0, prob=0.6, **fill)
    ],
    [
        dict(type='Equalize', prob=1.0),
        dict(
            type='Shear',
            direction='vertical',
            magnitude=0.09,
            prob=0.6,
            **fill)
    ],
    [
        dict(
            type='ColorTransform',
            magnitude=0.36,
            random_negative_prob=0.,
            prob=0.4),
        dict(type='Equalize', prob=0.6)
    ],
    [
        dict(type='Posterize', bits=2, prob=0.4),
        dict(type='AutoContrast', prob=0.4)
    ],
    [
        dict(type='Solarize', thr=204, prob=0.6),
        dict(
            type='ColorTransform',
            magnitude=0.72,
            random_negative_prob=0.,
            prob=0.6)
    ],
    [
        dict(type='Solarize', thr=102, prob=0.2),
        dict(type='Rotate', angle=27.0, prob=0.8, **fill)
    ],
    [
        dict(type='Rotate', angle=21.0, prob=1.0, **fill),
        dict(
            type='Translate',
            direction='vertical',
            magnitude=0.405,
            prob=0.8,
            **fill)
    ],
    [
        dict(
            type='Shear',
            direction='horizontal',
            magnitude=0.0,
            prob=0.0,
            **fill),
        dict(type='Solarize', thr=102, prob=0.8)
    ],
    [
        dict(
            type='Shear',
            direction='vertical',
            magnitude=0.0,
            prob=0.8,
            **fill),
        dict(
            type='ColorTransform',
            magnitude=-0.18,
            random_negative_prob=0.,
            prob=0.6)
    ],
    [
        dict(
            type='ColorTransform',
            magnitude=-0.9,
            random_negative_prob=0.,
            prob=1.0),
        dict(type='Rotate', angle=6.0, prob=0.6, **fill)
    ], [dict(type='Equalize', prob=0.8),
        dict(type='Equalize', prob=0.0)],
    [dict(type='Equalize', prob=1.0),
     dict(type='AutoContrast', prob=0.6)],
    [
        dict(
            type='Shear',
            direction='vertical',
            magnitude=0.21,
            prob=0.4,
            **fill),
        dict(type='SolarizeAdd', magnitude=77, prob=0.6)
    ],
    [
        dict(type='Posterize', bits=0, prob=0.8),
        dict(type='Solarize', thr=256, prob=0.6)
    ],
    [
        dict(type='Solarize', thr=204, prob=0.6),
        dict(type='Equalize', prob=0.6)
    ],
    [
        dict(
            type='ColorTransform',
            magnitude=0.18,
            random_negative_prob=0.,
            prob=0.8),
        dict(type='Rotate', angle=15.0, prob=0.4, **fill)
    ]
]

edit(
    _base_,
    'train_pipeline',
    'RandAugment',
    _delete_=True,
    type='AutoAugment',
    policies=autoaugment_v0)
train_dataloader = dict(
    sampler=dict(_delete_=True, type='DefaultSampler', shuffle=True))
