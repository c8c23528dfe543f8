"""One choice of views for pipelines and configs."""
from typing import Any, List

import numpy as np
import pytest
from mmaction.datasets.transforms import ThreeCrop
from mmengine.config import Config

from mmvideomamba.inference.views import (check_views, count_views,
                                          set_test_views, set_views)


def pipeline(crop: str = 'ThreeCrop',
             sampler: str = 'UniformSample',
             **values: Any) -> List[dict]:
    return [
        dict(type='mmvideomamba.OpenVideo'),
        dict(type=sampler, clip_len=8, test_mode=True, **values),
        dict(type=crop, crop_size=32)
    ]


@pytest.mark.parametrize('given, expected', [('all', 'all'), ('one', 1),
                                             (3, 3), ('12', 12)])
def test_choices(given: Any, expected: Any) -> None:
    assert check_views(given) == expected


@pytest.mark.parametrize('given',
                         ['two', '', '-1', 0, -3, 1.5, None, True, '1.0'])
def test_other_choices_are_refused(given: Any) -> None:
    with pytest.raises(
            ValueError, match="views must be 'all', 'one' or .* is "
            f'{given!r}'):
        check_views(given)


def test_all_is_a_copy() -> None:
    before = pipeline(num_clips=4)
    after = set_views(before, 'all')
    assert after == before and after[1] is not before[1]


@pytest.mark.parametrize('sampler', [
    'UniformSample', 'SampleFrames', 'mmaction.UniformSample',
    'mmvideomamba.SegmentSample'
])
def test_number_of_clips_and_the_central_crop(sampler: str) -> None:
    before = pipeline('mmvideomamba.EvenCrops', sampler, num_clips=4)
    after = set_views(before, 3)
    assert after[1] == dict(before[1], num_clips=3)
    assert after[2] == dict(before[2], num_crops=1)
    assert count_views(before) == (4, 3, False)
    assert count_views(after) == (3, 1, False)
    assert before[1]['num_clips'] == 4


@pytest.mark.parametrize('crop', ['ThreeCrop', 'TenCrop', ThreeCrop])
def test_several_crops_of_the_host(crop: Any) -> None:
    after = set_views(pipeline(crop), 'one')
    assert after[2] == dict(type='CenterCrop', crop_size=32)


def test_clips_sampled_twice() -> None:
    before = pipeline('CenterCrop', 'SampleFrames', twice_sample=True)
    assert count_views(before) == (2, 1, False)
    assert count_views(set_views(before, 'one')) == (1, 1, False)


def test_windows() -> None:
    before = pipeline(sampler='mmvideomamba.UniformWindowSample', num_clips=4)
    assert count_views(before) == (4, 3, True)
    assert set_views(before, 2)[1] == dict(
        before[1], num_clips=1, num_windows=2)


def test_unknown_sampler_is_named() -> None:
    with pytest.raises(
            ValueError,
            match='views=1 needs one step of Sample.*'
            'OpenVideo, IntervalSample, ThreeCrop'):
        set_views(pipeline(sampler='mmvideomamba.IntervalSample'), 'one')


def config(sampler: str = 'UniformSample') -> Config:
    data = dict(
        type='WindowVideoDataset',
        pipeline=pipeline(sampler=sampler, num_clips=4))
    return Config(
        dict(
            test_pipeline=pipeline(sampler=sampler, num_clips=4),
            test_dataloader=dict(dataset=dict(type='A', datasets=[data]))))


def test_config_of_a_test() -> None:
    cfg = config()
    set_test_views(cfg, 'all')
    assert cfg.to_dict() == config().to_dict()
    set_test_views(cfg, 'one')
    data = cfg.test_dataloader.dataset.datasets[0]
    for steps in (cfg.test_pipeline, data.pipeline):
        assert count_views(steps) == (1, 1, False)
    assert 'num_windows' not in data


def test_data_set_of_windows() -> None:
    cfg = config('mmvideomamba.UniformWindowSample')
    set_test_views(cfg, '3')
    assert cfg.test_dataloader.dataset.datasets[0].num_windows == 3


def test_config_without_a_test() -> None:
    cfg = Config(dict(model=np.pi))
    set_test_views(cfg, 'one')
    assert cfg.to_dict() == dict(model=np.pi)
