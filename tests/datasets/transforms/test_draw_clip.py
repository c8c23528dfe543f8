"""Draws in a worker equal the draws of the steps, and fit the pixels."""
import copy
import random
from typing import Any, Dict, List

import numpy as np
import pytest
import torch
from clips_by_hand import clip_by_hand
from mmaction.registry import TRANSFORMS
from mmengine.registry import init_default_scope

from mmvideomamba.datasets.transforms.draw_clip import DrawClip, split_pipeline
from mmvideomamba.ops.clip_augment import decode

DECODED = [dict(type='mmvideomamba.DecodeFrames')]
END = [
    dict(type='FormatShape', input_format='NCTHW'),
    dict(type='PackActionInputs')
]
FINE_TUNING = [
    dict(
        type='mmvideomamba.ClipRandAugment',
        magnitude=7,
        num_layers=4,
        magnitude_std=0.5),
    dict(type='mmvideomamba.ClipRandomResizedCrop', scale=12),
    dict(type='Flip', flip_ratio=0.5),
    dict(type='mmvideomamba.ClipRandomErasing', erase_prob=0.5), *END
]
OWN_VIDEOS = [
    dict(type='RandomResizedCrop', area_range=(0.3, 1.0)),
    dict(type='Resize', scale=(12, 10), keep_ratio=False), *END
]
PRETRAINING = [
    dict(
        type='MultiScaleCrop',
        input_size=12,
        scales=(1, 0.875, 0.75, 0.66),
        max_wh_scale_gap=1,
        num_fixed_crops=13),
    dict(
        type='Resize',
        scale=(12, 12),
        keep_ratio=False,
        interpolation='bicubic'),
    dict(type='Flip', flip_ratio=0.5), *END
]
PIPELINES = dict(
    fine_tuning=FINE_TUNING, own_videos=OWN_VIDEOS, pretraining=PRETRAINING)


def built(steps: List[dict]) -> List[Any]:
    init_default_scope('mmaction')
    return [TRANSFORMS.build(copy.deepcopy(x)) for x in DECODED + steps]


def sample(label: int = 3) -> Dict[str, Any]:
    """Return a decoded sample of two frames."""
    rng = np.random.default_rng(0)
    frames = rng.integers(0, 256, (2, 20, 30, 3), dtype=np.uint8)
    return dict(
        imgs=list(frames),
        img_shape=(20, 30),
        original_shape=(20, 30),
        modality='RGB',
        num_clips=1,
        clip_len=2,
        label=label)


def seed(number: int) -> None:
    random.seed(number)
    np.random.seed(number)
    torch.manual_seed(number)


@pytest.mark.parametrize('name', PIPELINES)
def test_draws_are_those_of_the_steps(name):
    """Both ways to a clip end with the same pixels but for the noise."""
    steps = built(PIPELINES[name])
    first, rest, reason = split_pipeline(steps)
    assert (first, rest, reason) == (steps[:1], steps[1:], '')
    step = DrawClip(rest)
    kinds = set()
    for number in range(30):
        seed(number)
        wanted: Any = sample()
        for one in rest:
            wanted = one(wanted)
        seed(number)
        found = step(sample())
        draws = decode(found['clip_draws'])
        clip = torch.from_numpy(
            clip_by_hand(found['inputs'].numpy(),
                         draws._replace(erase=None))).permute(3, 0, 1, 2)
        pixels = wanted['inputs'][0].float()
        if draws.erase is None:
            assert torch.equal(clip, pixels)
        else:
            # The place of the box is drawn after the noise.
            rows, columns = (clip != pixels)[0, 0].nonzero().T
            sides = torch.stack([rows, columns]).aminmax(dim=1)
            assert (sides.max - sides.min + 1).tolist() == list(
                draws.erase[2:])
        assert found['data_samples'].gt_label == wanted[
            'data_samples'].gt_label
        assert found['data_samples'].metainfo == wanted[
            'data_samples'].metainfo
        kinds.add((len(draws.operations), draws.flip, draws.erase is not None))
    assert len(kinds) > (name != 'own_videos')


def test_copies_share_frames_and_not_draws():
    _, rest, _ = split_pipeline(built(FINE_TUNING))
    found = DrawClip(rest).transform_copies(sample(), 3)
    assert [tuple(x['inputs'].shape) for x in found] == [(2, 20, 30, 3),
                                                         (0, 20, 30, 3),
                                                         (0, 20, 30, 3)]
    assert len({decode(x['clip_draws']).box for x in found}) == 3
    assert len({id(x['data_samples']) for x in found}) == 3


@pytest.mark.parametrize('steps, words', [
    (END, 'neither ClipRandomResizedCrop'),
    ([dict(type='Flip'), *OWN_VIDEOS], 'another place'),
    ([dict(type='ColorJitter'), *OWN_VIDEOS], 'ColorJitter has no'),
    ([OWN_VIDEOS[0], dict(type='Resize', scale=(12, 12)), *END
      ], 'several sizes'),
    ([
        OWN_VIDEOS[0],
        dict(
            type='Resize',
            scale=(12, 12),
            keep_ratio=False,
            interpolation='area'), *END
    ], "interpolation='area'"),
    ([*OWN_VIDEOS[:2],
      dict(type='Flip', direction='vertical'), *END], 'horizontal'),
    ([*OWN_VIDEOS[:2], FINE_TUNING[3], *END], 'whole grey levels'),
    ([
        dict(type='mmvideomamba.ClipRandAugment', num_layers=9),
        *FINE_TUNING[1:]
    ], 'more than 8'),
    (OWN_VIDEOS[:3], 'does not end'),
    ([*OWN_VIDEOS[:2],
      dict(type='FormatShape', input_format='NCHW'), END[1]], 'another form'),
])
def test_other_pipelines_stay_with_the_workers(steps, words):
    kept = built(steps)
    first, rest, reason = split_pipeline(kept)
    assert words in reason


def test_several_clips_and_no_decoding():
    init_default_scope('mmaction')
    several = TRANSFORMS.build(
        dict(type='UniformSample', clip_len=2, num_clips=4))
    assert 'several clips' in split_pipeline([several, *built(OWN_VIDEOS)])[2]
    assert 'DecodeFrames' in split_pipeline(built(OWN_VIDEOS)[1:])[2]


def test_frames_of_a_reader_are_not_copied():
    """A reader's array is taken; frames in another order are copied."""
    _, rest, _ = split_pipeline(built(FINE_TUNING))
    whole = np.stack(sample()['imgs'])
    for order in (slice(None), slice(None, None, -1)):
        frames = list(whole)[order]
        found = DrawClip(rest)(dict(sample(), imgs=frames))['inputs'].numpy()
        assert np.array_equal(found, whole[order])
        assert np.shares_memory(found, whole) == (order == slice(None))
