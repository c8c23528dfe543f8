import json
import random

import numpy as np
import pytest
from common import GOLDEN

from mmvideomamba.datasets.transforms import IntervalSample

ROWS = json.loads(
    (GOLDEN /
     'frame_sampling.json').read_text())['tables']['multimodal_frames']


@pytest.mark.parametrize('row', ROWS, ids=str)
def test_golden_frames(row: dict) -> None:
    random.seed(row.get('python_random_seed'))
    sampler = IntervalSample(row['num_frames'], row['sample'])
    assert sampler.frames(row['total_frames']).tolist() == row['indices']


def test_a_short_interval_draws_from_the_whole_video() -> None:
    random.seed(0)
    frames = IntervalSample(8, 'rand').frames(9)
    assert len(set(frames)) == 8 and (np.diff(frames) > 0).all()


def test_start_of_the_video_only() -> None:
    results = IntervalSample(
        4, max_seconds=30)(
            dict(total_frames=1000, avg_fps=10.5))
    assert results['frame_inds'].max() < 315
    assert results['clip_len'] == 4 and results['num_clips'] == 1
    short = IntervalSample(
        4, max_seconds=30)(
            dict(total_frames=9, avg_fps=10., start_index=1))
    assert short['frame_inds'].tolist() == [1, 3, 5, 8]


@pytest.mark.parametrize('kwargs, match', [
    (dict(clip_len=0), 'are 0 and None'),
    (dict(clip_len=1, max_seconds=0), '1 and 0'),
    (dict(clip_len=1, mode='first'), "is 'first'"),
])
def test_bad_arguments(kwargs: dict, match: str) -> None:
    with pytest.raises(ValueError, match=match):
        IntervalSample(**kwargs)
