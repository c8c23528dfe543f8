"""Windows cover a video to the end; each window has its displayed frames."""
import numpy as np
import pytest

from mmvideomamba.inference.video_text.windows import (check_part,
                                                       check_windows,
                                                       cut_video,
                                                       frames_between)


@pytest.mark.parametrize('duration, window, stride, expected', [
    (4., None, None, [[0, 4]]),
    (4., 5., 2., [[0, 4]]),
    (4., 4., None, [[0, 4]]),
    (4., 2., None, [[0, 2], [2, 4]]),
    (5., 2., None, [[0, 2], [2, 4], [3, 5]]),
    (4., 2., 1., [[0, 2], [1, 3], [2, 4]]),
    (9., 2., 4., [[0, 2], [4, 6], [7, 9]]),
    (0.3, 0.1, None, [[0, .1], [.1, .2], [.2, .3]]),
])
def test_cut(duration: float, window: float, stride: float,
             expected: list) -> None:
    """All windows have the same length, and the last ends with the video."""
    np.testing.assert_allclose(
        cut_video(duration, window, stride), expected, atol=1e-9)


def test_frames() -> None:
    """A frame counts while displayed, at even and uneven rates."""
    even = np.arange(40) / 10
    assert frames_between(even, 0, 4) == (0, 40)
    assert frames_between(even, 1, 2) == (10, 20)
    assert frames_between(even, .3, .6) == (3, 6)  # 0.3 is not exact in binary
    assert frames_between(even, 1.05, 1.15) == (10, 12)
    uneven = np.array([0, .1, .2, 5., 5.1])
    assert frames_between(uneven, 0, 1) == (0, 3)
    assert frames_between(uneven, 1, 2) == (2, 3)
    assert frames_between(uneven, 4, 5.05) == (2, 4)
    assert frames_between(uneven, 9, 10) == (4, 5)


def test_mistakes() -> None:
    for window, stride in ((0., None), (-1., None), (1., 0.),
                           (float('nan'), None), (float('inf'), None)):
        with pytest.raises(ValueError, match='seconds above 0'):
            check_windows(window, stride)
    with pytest.raises(ValueError, match='stride=2: whole videos'):
        check_windows(None, 2)
    assert check_part(None, None, 3., 'v') == (0., 3.)
    assert check_part(1., 9., 3., 'v') == (1., 3.)
    for start in (-1., 3., float('nan')):
        with pytest.raises(ValueError, match='v lasts 3.000 s, but'):
            check_part(start, None, 3., 'v')
    for end in (1., 0.5, float('nan')):
        with pytest.raises(ValueError, match='is empty; give an end'):
            check_part(1., end, 3., 'v')
