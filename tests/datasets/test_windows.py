"""Windows of long videos, the published ones and a choice of them."""
import json

import pytest
from common import GOLDEN

from mmvideomamba.datasets.windows import find_windows, pick_windows

TABLES = json.loads((GOLDEN / 'frame_sampling.json').read_text())['tables']


@pytest.mark.parametrize('row', TABLES['lvu_segments'])
def test_windows_are_the_published_ones(row: dict) -> None:
    found = [(f'v{i}.mp4', *window)
             for i, duration in enumerate(row['durations']) for window in
             find_windows(duration, row['trimmed'], row['time_stride'])]
    assert found == [(s['video'], s['start'], s['end'])
                     for s in row['segments']]


def test_every_video_has_a_window() -> None:
    assert find_windows(0.9, 0.5, 0.3) == [(0, 0.5)]
    assert find_windows(0.5, 0.5, 16.) == [(0, 0.5)]
    for duration in (0.01, 0.7, 1., 61.5):
        assert find_windows(duration, 0.7, 0.7)[0][0] == 0


@pytest.mark.parametrize('count, expected', [
    (None, [0, 1, 2, 3, 4]),
    (1, [2]),
    (2, [1, 3]),
    (3, [0, 2, 4]),
    (5, [0, 1, 2, 3, 4]),
    (9, [0, 1, 2, 3, 4]),
])
def test_choice_is_spread(count: int, expected: list) -> None:
    windows = [(float(i), i + 1.) for i in range(5)]
    assert pick_windows(windows, count) == [windows[i] for i in expected]
