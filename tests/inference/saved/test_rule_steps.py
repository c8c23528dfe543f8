"""A pipeline made from a rule gives the rule back."""
from typing import Any, Dict, List

import pytest

from mmvideomamba.inference.saved.rule_steps import rule_steps
from mmvideomamba.inference.saved.sampling_rule import sampling_rule

SAMPLERS: List[Dict[str, Any]] = [
    dict(type='UniformSample', clip_len=8, num_clips=4, test_mode=True),
    dict(
        type='mmvideomamba.SegmentSample',
        clip_len=8,
        num_clips=2,
        test_mode=True),
    dict(type='mmvideomamba.IntervalSample', clip_len=4, max_seconds=30.),
    dict(
        type='SampleFrames',
        clip_len=8,
        frame_interval=4,
        num_clips=3,
        test_mode=True,
        out_of_bound_opt='repeat_last'),
    dict(
        type='mmvideomamba.UniformWindowSample',
        clip_len=8,
        num_clips=2,
        window=60.,
        stride=16.,
        num_windows=3,
        test_mode=True)
]
CROPS: List[List[Dict[str, Any]]] = [
    [
        dict(type='Resize', scale=(-1, 40)),
        dict(type='CenterCrop', crop_size=32)
    ],
    [
        dict(type='Resize', scale=(-1, 32), interpolation='bicubic'),
        dict(type='ThreeCrop', crop_size=32)
    ],
    [
        dict(type='mmvideomamba.ResizeShortEdge', scale=32),
        dict(type='mmvideomamba.EvenCrops', crop_size=32, num_crops=3)
    ],
    [dict(type='Resize', scale=(32, 32), keep_ratio=False)],
    [
        dict(type='mmvideomamba.ResizeShortEdge', scale=32),
        dict(type='mmvideomamba.EvenCrops', crop_size=32, num_crops=1)
    ],
]


@pytest.mark.parametrize('sampler, crops', [*zip(SAMPLERS, CROPS)])
def test_videos(sampler: dict, crops: List[dict]) -> None:
    steps = [
        dict(type='mmvideomamba.OpenVideo', min_frames=4), sampler,
        dict(type='mmvideomamba.DecodeFrames'), *crops,
        dict(type='FormatShape', input_format='NCTHW'),
        dict(type='PackActionInputs')
    ]
    rule = sampling_rule(steps)
    assert rule['kind'] != 'unknown', rule
    assert sampling_rule(rule_steps(rule)) == rule


@pytest.mark.parametrize('resize', [
    dict(type='Resize', scale=32, backend='pillow'),
    dict(
        type='ResizeEdge',
        scale=40,
        edge='short',
        backend='pillow',
        interpolation='bicubic')
])
def test_images(resize: dict) -> None:
    steps = [
        dict(type='LoadImageFromFile'), resize,
        dict(type='CenterCrop', crop_size=32),
        dict(type='PackInputs')
    ]
    rule = sampling_rule(steps)
    assert rule['kind'] == 'image', rule
    assert sampling_rule(rule_steps(rule)) == rule


def test_unknown() -> None:
    with pytest.raises(ValueError, match='is unknown: no crop'):
        rule_steps(dict(kind='unknown', reason='no crop'))
    with pytest.raises(ValueError, match="'spiral' is not known"):
        rule_steps(dict(kind='spiral', frames=1, clips=1))
