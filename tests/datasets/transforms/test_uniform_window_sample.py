"""Sparse sampling, of whole videos by the host and of windows by us."""
import json
import random
from unittest import mock

import numpy as np
import pytest
from common import GOLDEN
from mmaction.datasets.transforms import UniformSample

from mmvideomamba.datasets.transforms import (UniformWindowSample,
                                              uniform_window_sample)
from mmvideomamba.registry import TRANSFORMS

TABLES = json.loads((GOLDEN / 'frame_sampling.json').read_text())['tables']
WHOLE = TABLES['kinetics_sparse'] + TABLES['kinetics_sparse_train']
WINDOWS = TABLES['lvu_indices']


def published_draws(row: dict):
    """Let the published generator stand in for numpy's."""
    random.seed(row.get('python_random_seed'))
    return mock.patch.object(np.random, 'randint',
                             lambda low, high: random.randint(low, high - 1))


def window(row: dict) -> dict:
    return dict(
        total_frames=row['total_frames'],
        start_index=0,
        avg_fps=row.get('fps'),
        clip_start=row.get('start_sec'),
        clip_end=row.get('end_sec'),
        filename='a.mp4')


def check(cls: type, row: dict) -> None:
    sampler = cls(
        row['num_frames'],
        row.get('test_num_segment', 1),
        test_mode=row['mode'] != 'train')
    with published_draws(row):
        results = sampler(window(row))
    clips = results['frame_inds'].reshape(-1, row['num_frames'])
    assert len(clips) == results['num_clips']
    assert clips[row.get('clip_index', 0)].tolist() == row['indices']


@pytest.mark.parametrize('mode', ['train', 'validation', 'test'])
def test_whole_videos(mode: str) -> None:
    rows = [row for row in WHOLE if row['mode'] == mode]
    assert len(rows) > 20
    for row in rows:
        check(UniformSample, row)


@pytest.mark.parametrize('mode', ['train', 'validation', 'test'])
def test_windows(mode: str) -> None:
    rows = [row for row in WINDOWS if row['mode'] == mode]
    assert len(rows) > 20
    for row in rows:
        check(UniformWindowSample, row)


def sample(**changes) -> dict:
    row = dict(
        total_frames=100, fps=10., start_sec=2., end_sec=6., filename='a.mp4')
    return UniformWindowSample(4)(window({**row, **changes}))


def test_draws_stay_inside_and_reach_both_ends() -> None:
    found = np.concatenate([sample()['frame_inds'] for _ in range(500)])
    assert found.min() == 20 and found.max() == 60


def test_frames_count_from_the_start_index() -> None:
    sampler = UniformWindowSample(4, test_mode=True)
    one = window(dict(total_frames=50, fps=10., start_sec=1., end_sec=4.))
    first = sampler(dict(one))['frame_inds']
    second = sampler(dict(one, start_index=1))['frame_inds']
    assert (second - first).tolist() == [1] * 4


def test_window_over_the_end_is_cut() -> None:
    found = sample(start_sec=9.5, end_sec=60.)['frame_inds']
    assert found.min() >= 95 and found.max() <= 99


@pytest.mark.parametrize('test_mode', [False, True])
def test_window_behind_the_end_is_the_last_frame(test_mode: bool) -> None:
    """One warning per video; none for a window starting in the last frame."""
    sampler = UniformWindowSample(4, 2, test_mode=test_mode)
    row = window(dict(total_frames=100, fps=10., start_sec=11., end_sec=15.))
    with mock.patch.object(uniform_window_sample, 'print_log') as log:
        for _ in range(3):
            assert set(sampler(dict(row))['frame_inds']) == {99}
        found = sampler(dict(row, start_index=1, filename='b.mp4'))
        assert set(found['frame_inds']) == {100}
        sampler(dict(row, clip_start=9.9, filename='c.mp4'))
    first, second = (call.args[0] for call in log.call_args_list)
    assert ('the window 11 to 15 s of a.mp4 begins after the end of the '
            'video, which has 100 frames at 10 per second; its last frame is '
            'taken. Correct the duration') in first
    assert 'b.mp4' in second


def test_sample_without_a_window_is_an_error() -> None:
    results = dict(
        total_frames=9, start_index=0, avg_fps=10., filename='a.mp4')
    with pytest.raises(
            ValueError, match='a.mp4 has no clip_start.*take UniformSample'):
        UniformWindowSample(4)(results)


def whole(**changes) -> dict:
    return dict(
        dict(total_frames=30, start_index=0, avg_fps=10., filename='a.mp4'),
        **changes)


def test_whole_video_is_its_windows() -> None:
    """A video of 3 s has the clips of all windows, one after another."""
    sampler = UniformWindowSample(4, 2, test_mode=True, window=1., stride=0.75)
    found = sampler(whole())
    parts = [
        sampler(whole(clip_start=0.75 * i, clip_end=0.75 * i + 1))
        for i in range(4)
    ]
    assert found['num_clips'] == 8 and found['clip_len'] == 4
    assert found['frame_inds'].tolist() == np.concatenate(
        [part['frame_inds'] for part in parts]).tolist()
    assert parts[0]['num_clips'] == 2


def test_some_windows_of_a_whole_video() -> None:
    sampler = UniformWindowSample(
        4, test_mode=True, window=1., stride=1., num_windows=1)
    inds = sampler(whole())['frame_inds']
    assert inds.min() >= 10 and inds.max() <= 20


def test_windows_need_a_frame_rate() -> None:
    sampler = UniformWindowSample(4, window=1.)
    for missing in (0., None):
        with pytest.raises(ValueError, match='a.mp4 has no frame rate'):
            sampler(whole(avg_fps=missing))
    results = whole()
    del results['avg_fps'], results['filename']
    with pytest.raises(ValueError, match='the array has no frame rate, .*fps'):
        sampler(results)


def test_built_by_its_config_name() -> None:
    step = TRANSFORMS.build(
        dict(type='mmvideomamba.UniformWindowSample', clip_len=8))
    assert repr(step).startswith('UniformWindowSample(clip_len=8')
