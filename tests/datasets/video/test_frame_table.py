"""Tables of packets: where to start, and what is missing."""
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from mmvideomamba.datasets.video import MediaError, open_video
from mmvideomamba.datasets.video.frame_table import FrameTable, check_gaps


def test_frames_of_an_open_group_start_one_key_frame_earlier() -> None:
    #      I  P  b  I  b  P
    pts = [0, 2, 1, 5, 4, 6]
    keys = np.array([1, 0, 0, 1, 0, 0], bool)
    table = FrameTable(keys, np.arange(6), np.array(pts), np.argsort(pts))
    assert len(table) == 6
    assert table.starts.tolist() == [0, 0, 0, 3, 0, 3]
    assert table.ranks.tolist() == [0, 2, 1, 4, 3, 5]
    assert (table.place(5), table.place(3)) == (4, -1)
    assert (table.find(4, None), table.find(3, None)) == (4, -1)


def test_gaps_between_even_frames() -> None:
    unit = Fraction(1, 25)
    even = np.arange(40)
    check_gaps('a.ts', even, unit)
    check_gaps('a.ts', even[:5] * 3, unit)
    check_gaps('a.ts', np.cumsum(even), unit)  # a variable rate
    single = even.copy()
    single[20] -= 2  # a wrong time
    check_gaps('a.ts', single, unit)
    for start in (10, 38):
        lost = np.delete(even, start)
        with pytest.raises(
                MediaError,
                match=f'a.ts .* behind frame {start - 1}, where 0.'
                '080 s pass instead of 0.040 s'):
            check_gaps('a.ts', lost, unit)


@pytest.mark.parametrize('name, announces', [('h264.mp4', True),
                                             ('h264.mkv', True),
                                             ('h264.avi', True),
                                             ('h264.ts', False),
                                             ('palette.gif', False)])
def test_containers_that_announce_an_end(video_kinds, name: str,
                                         announces: bool) -> None:
    path: Path = video_kinds.path(name)
    with open_video(str(path), 'pyav') as video:
        assert video.announces_end is announces
