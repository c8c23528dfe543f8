"""Packets are found again by the table, or the table is wrong."""
from types import SimpleNamespace
from typing import Optional

import numpy as np
import pytest
from video_kinds import VideoKinds

from mmvideomamba.datasets.video.frame_table import FrameTable, read_table
from mmvideomamba.datasets.video.pyav_open import open_stream
from mmvideomamba.datasets.video.pyav_packets import (FrameCheck, TableError,
                                                      moments, numbered)


def test_moments() -> None:
    """Seek targets: latest display time of a key frame first, start last."""
    keys = np.array([True, False, True, False, True])
    times = np.arange(5) * 10
    table = FrameTable(keys, times, times + 5, np.arange(5))
    assert list(moments(table, 0)) == [0, 0, None]
    assert list(moments(table, 4)) == [45, 40, 20, 0, None]


def test_long_file_moments() -> None:
    """Without times of frames, the time just ahead of the next key packet."""
    keys = np.array([True, False, True, False])
    table = FrameTable(keys, np.arange(4) * 10, np.zeros(4, int), None)
    assert list(moments(table, 0))[0] == 0
    assert list(moments(table, 2)) == [30, 20, 0, None]


def test_numbers(video_kinds: VideoKinds) -> None:
    path = str(video_kinds.path('h264.mp4'))
    container, stream = open_stream(path, path)
    table = read_table(container, stream, path)
    container.seek(int(table.pts[16]), stream=stream)
    found = [n for n, _ in numbered(container, stream, table, path)]
    assert found == [*range(16, 60), -1]
    table.pts[40] += 1
    container.seek(0)
    with pytest.raises(TableError, match='packets in another order'):
        list(numbered(container, stream, table, path))
    container.close()


def table_of_five() -> FrameTable:
    """Return a table with a key frame first and third."""
    keys = np.array([True, False, True, False, False])
    times = np.arange(5) * 10
    return FrameTable(keys, times, times, np.arange(5))


def frame(pts: Optional[int], key: bool = False) -> SimpleNamespace:
    return SimpleNamespace(pts=pts, key_frame=key)


def test_frames_in_order() -> None:
    check = FrameCheck(table_of_five(), 2, trusted=False)
    assert check.first == 20
    for shown in (frame(20, True), frame(30), frame(40)):
        check(shown)


@pytest.mark.parametrize('start, times, trusted, fault', [
    (2, [30], True, 'without a key frame'),
    (0, [None], True, 'without time stamps'),
    (0, [0, 5], True, 'in another order'),
    (0, [10, 0], True, 'in another order'),
    (0, [0, 20], False, 'in another order'),
])
def test_other_frames(start: int, times: list, trusted: bool,
                      fault: str) -> None:
    check = FrameCheck(table_of_five(), start, trusted)
    for pts in times[:-1]:
        check(frame(pts))
    with pytest.raises(TableError, match=fault):
        check(frame(times[-1]))


def test_left_out_frames() -> None:
    check = FrameCheck(table_of_five(), 0, trusted=True)
    for pts in (0, 20, 40):
        check(frame(pts))
