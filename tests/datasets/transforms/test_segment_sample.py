"""One frame of each segment, as in the published runs."""
import json
from typing import List

import numpy as np
import pytest
from common import GOLDEN

from mmvideomamba.datasets.transforms import SegmentSample
from mmvideomamba.registry import TRANSFORMS

TABLES = json.loads((GOLDEN / 'frame_sampling.json').read_text())['tables']
FIXED = TABLES['ssv2_video']
DRAWN = TABLES['masked_pretrain_frames']


def sample(total_frames: int, *args, start_index: int = 0, **kwargs) -> dict:
    return SegmentSample(*args, **kwargs)(
        dict(total_frames=total_frames, start_index=start_index))


def clips(total_frames: int, *args, **kwargs) -> List[List[int]]:
    results = sample(total_frames, *args, **kwargs)
    shape = (results['num_clips'], results['clip_len'])
    return results['frame_inds'].reshape(shape).tolist()


def test_golden_tables_are_what_this_file_reads() -> None:
    assert {r['mode'] for r in FIXED} == {'validation', 'test'}
    assert {r['mode'] for r in DRAWN} == {'train'}
    assert min(len(FIXED), len(DRAWN)) > 20


@pytest.mark.parametrize('row', FIXED)
def test_fixed_clips_are_the_published_ones(row: dict) -> None:
    found = clips(
        row['total_frames'],
        row['num_segments'],
        row.get('test_num_segment', 1),
        test_mode=True)
    assert found[row.get('clip_index', 0)] == row['indices']


@pytest.mark.parametrize('row', DRAWN)
def test_drawn_clips_are_the_published_ones(row: dict) -> None:
    np.random.seed(row['numpy_random_seed'])
    assert clips(row['total_frames'], row['num_segments']) == [row['indices']]


def test_draws_fill_each_segment_evenly() -> None:
    drawn = np.array(clips(23, 4, num_clips=8000))  # segments of 5 frames
    for i, column in enumerate(drawn.T):
        counts = np.bincount(column, minlength=23)
        expected = np.zeros(23)
        expected[5 * i:5 * i + 5] = 1600
        assert np.abs(counts - expected).max() < 6 * 1600**0.5
        assert counts[expected == 0].sum() == 0


@pytest.mark.parametrize('total_frames', [1, 7])
def test_short_video_gives_its_first_frame_in_training(
        total_frames: int) -> None:
    assert clips(total_frames, 8, 2) == [[0] * 8] * 2


def test_frames_count_from_the_start_index() -> None:
    found = sample(8, 4, test_mode=True, start_index=1)
    assert found['frame_inds'].tolist() == [2, 4, 6, 8]
    assert found['frame_inds'].dtype == np.int64
    assert found['frame_interval'] is None


@pytest.mark.parametrize('total_frames', [1, 7, 8, 15, 16, 100])
def test_validation_of_raw_frames(total_frames: int) -> None:
    """The middle of whole segments; a short video is padded on the left."""
    if total_frames < 8:
        expected = [0] * (8 - total_frames) + list(range(total_frames))
    else:
        m = total_frames // 8
        expected = [i * m + m // 2 for i in range(8)]
    kwargs = dict(test_mode=True, raw_frames=True)
    assert clips(total_frames, 8, **kwargs) == [expected]


def test_rules_for_raw_frames_and_videos_differ() -> None:
    frames = [clips(23, 8, test_mode=True, raw_frames=r)[0] for r in (0, 1)]
    assert frames == [[1, 4, 7, 10, 12, 15, 18, 21],
                      [1, 3, 5, 7, 9, 11, 13, 15]]


@pytest.mark.parametrize('total_frames', [1, 7, 8, 23, 100])
@pytest.mark.parametrize('num_clips', [2, 3])
def test_test_of_raw_frames(total_frames: int, num_clips: int) -> None:
    share = total_frames / 8
    expected = [[int(c * share / num_clips + share * i) for i in range(8)]
                for c in range(num_clips)]
    kwargs = dict(test_mode=True, raw_frames=True)
    assert clips(total_frames, 8, num_clips, **kwargs) == expected


def test_training_on_raw_frames() -> None:
    """raw_frames changes short videos alone: padding on the left."""
    draws = []
    for raw_frames in (False, True):
        np.random.seed(3)
        draws.append(clips(23, 4, 5, raw_frames=raw_frames))
    assert draws[0] == draws[1]
    assert clips(3, 8, 2, raw_frames=True) == [[0, 0, 0, 0, 0, 0, 1, 2]] * 2
    found = sample(3, 4, raw_frames=True, start_index=1)
    assert found['frame_inds'].tolist() == [1, 1, 2, 3]


@pytest.mark.parametrize('name', ['clip_len', 'num_clips'])
def test_sizes_are_checked(name: str) -> None:
    with pytest.raises(ValueError, match=f'{name} must be at least 1.* 0'):
        SegmentSample(**{'clip_len': 8, name: 0})


def test_built_by_its_config_name() -> None:
    step = TRANSFORMS.build(
        dict(type='mmvideomamba.SegmentSample', clip_len=8, test_mode=True))
    assert repr(step) == ('SegmentSample(clip_len=8, num_clips=1, '
                          'test_mode=True, raw_frames=False)')
