"""Pictures are turned by their display matrix."""
from typing import Any, Iterator

import numpy as np
import pytest

from mmvideomamba.datasets.video import MediaError
from mmvideomamba.datasets.video.pyav_stream import packets_of, rotate

PICTURE = np.arange(6).reshape(2, 3, 1).repeat(3, 2).astype(np.uint8)


def matrix(*rows: int) -> np.ndarray:
    a, b, c, d = (65536 * v for v in rows)
    return np.array([a, b, 0, c, d, 0, 0, 0, 1 << 30], np.int32)


@pytest.mark.parametrize('rows, expected', [
    ((1, 0, 0, 1), [[0, 1, 2], [3, 4, 5]]),
    ((-1, 0, 0, -1), [[5, 4, 3], [2, 1, 0]]),
    ((0, 1, -1, 0), [[3, 0], [4, 1], [5, 2]]),
    ((0, -1, 1, 0), [[2, 5], [1, 4], [0, 3]]),
    ((-1, 0, 0, 1), [[2, 1, 0], [5, 4, 3]]),
    ((0, 0, 0, 0), [[0, 1, 2], [3, 4, 5]]),
])
def test_quarter_turns(rows: tuple, expected: list) -> None:
    turned = rotate(PICTURE, matrix(*rows), 'a.mp4')
    assert turned[..., 0].tolist() == expected
    assert turned.flags['C_CONTIGUOUS']


def test_other_angles_are_refused() -> None:
    eighth = np.int32(46341)
    turn = np.array([eighth, eighth, 0, -eighth, eighth, 0, 0, 0, 1 << 30])
    with pytest.raises(MediaError, match='a.mp4 .* turned by 45 degrees'):
        rotate(PICTURE, turn, 'a.mp4')


class LateStream:
    """A container with a stream beginning between the packets."""

    def demux(self, streams: Any) -> Iterator[int]:
        yield from (1, 2)
        # PyAV's behaviour depends on a byte after its list of streams.
        raise IndexError('list index out of range')


def test_stream_amid_the_packets() -> None:
    assert list(packets_of(LateStream(), 0)) == [1, 2]
