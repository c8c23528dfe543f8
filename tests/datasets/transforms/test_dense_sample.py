import json

import numpy as np
import pytest
from common import GOLDEN

from mmvideomamba.datasets.transforms import DenseSample

TABLES = json.loads((GOLDEN / 'frame_sampling.json').read_text())['tables']
ROWS = TABLES['kinetics_dense_test']


def clips(total_frames: int, start_index: int = 0, **kwargs) -> list:
    """Return the frames of each clip."""
    step = DenseSample(**kwargs)
    found = step(dict(total_frames=total_frames, start_index=start_index))
    assert found['frame_interval'] == step.frame_interval
    assert found['frame_inds'].dtype == np.int64
    shape = found['num_clips'], found['clip_len']
    return found['frame_inds'].reshape(shape).tolist()


@pytest.mark.parametrize('row', ROWS)
def test_fixed_clips_are_the_published_ones(row: dict) -> None:
    found = clips(
        row['total_frames'],
        clip_len=row['clip_len'],
        frame_interval=row['sampling_rate'],
        num_clips=row['test_num_segment'],
        test_mode=True)
    assert found[row['clip_index']] == row['indices']


def test_a_single_clip_is_the_middle() -> None:
    assert clips(
        20, clip_len=4, frame_interval=2, test_mode=True) == [[6, 8, 10, 12]]
    assert clips(
        20, 1, clip_len=4, frame_interval=2,
        test_mode=True) == [[7, 9, 11, 13]]


def test_draws_reach_all_places_evenly() -> None:
    # Ends 8..11, points from e - 8 to e: 0, 2.67, 5.33, 8 for e = 8.
    found = clips(12, clip_len=4, frame_interval=2, num_clips=4000)
    starts = np.bincount([c[0] for c in found], minlength=4)
    assert len(starts) == 4 and np.abs(starts - 1000).max() < 6 * 1000**0.5
    assert {tuple(c) for c in found if c[0] == 0} == {(0, 2, 5, 7)}


@pytest.mark.parametrize('total,wanted', [
    (8, [0, 2, 5, 7]),
    (5, [0, 4, 4, 4]),
    (1, [0, 0, 0, 0]),
])
def test_short_videos_in_training(total: int, wanted: list) -> None:
    assert clips(total, clip_len=4, frame_interval=2) == [wanted]


@pytest.mark.parametrize('name', ['clip_len', 'frame_interval', 'num_clips'])
def test_sizes_are_checked(name: str) -> None:
    with pytest.raises(ValueError, match=f'{name} must be at least 1.* 0'):
        DenseSample(**{'clip_len': 8, name: 0})
