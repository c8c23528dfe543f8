"""A strip shows the frames in order, under label and prediction."""
from typing import Optional

import numpy as np
import pytest

from mmvideomamba.visualization import Clip, draw_frame_strip, draw_frames
from mmvideomamba.visualization.frame_strip import caption

GAP = 4


def frames_of(t: int, height: int = 96, width: int = 128) -> np.ndarray:
    """Return frames of a single grey each: 50, 60 and so on."""
    levels = 50 + 10 * np.arange(t, dtype=np.uint8)
    return np.broadcast_to(levels[:, None, None, None],
                           (t, height, width, 3)).copy()


def strip(correct: Optional[bool]) -> np.ndarray:
    return draw_frame_strip(Clip(frames_of(3)), 'rise', 'fall', 0.75, correct)


def test_frames_stand_side_by_side() -> None:
    picture = strip(True)
    assert picture.shape[1] == 3 * (128 + GAP) - GAP
    row = picture[-GAP - 10]
    assert row[64::128 + GAP, 0].tolist() == [50, 60, 70]
    assert (picture[-GAP - 96:-GAP, :128] == 50).all()


def test_colour_of_the_prediction() -> None:
    right, wrong, unknown = strip(True), strip(False), strip(None)
    label = slice(0, 16)  # a line and the edge above
    assert (right[label] == wrong[label]).all() and right[label].any()
    sums = [part[16:40].sum((0, 1)) for part in (right, wrong, unknown)]
    assert [sums[0].argmax(), sums[1].argmax()] == [1, 0]  # green, red
    assert len(set(sums[2].tolist())) == 1  # white


def test_lines_are_left_out() -> None:
    clip = Clip(frames_of(3))
    bare = draw_frames(clip)
    assert (draw_frame_strip(clip, None, '') == bare).all()
    some = draw_frame_strip(clip, None, 'fall', 0.5)
    assert len(bare) < len(some) < len(strip(True))
    assert (some[-len(bare):] == bare).all()


def test_captions() -> None:
    clip = Clip(frames_of(2), [3, 12], [0.12, 0.48])
    assert caption(clip, 1) == 'frame 12, 0.48 s'
    assert caption(clip._replace(times=None), 0) == 'frame 3'
    assert caption(Clip(frames_of(2)), 0) == '1 of 2'


def test_an_image_has_no_caption() -> None:
    image = frames_of(1, 32, 48)
    picture = draw_frames(Clip(image))
    assert picture.shape == (224 + GAP, 336, 3)  # room for lines of text
    assert (picture[:-GAP] == 50).all()
    assert len(draw_frames(Clip(image, [7]))) > len(picture)
    large = frames_of(1, 480, 640)
    named = draw_frame_strip(Clip(large), None, 'fall')
    assert len(named) == 480 + GAP + 27 + 2 * 6  # a line of 20 px


@pytest.mark.parametrize('shape', [(1080, 1920), (1920, 1080), (16, 20)])
def test_any_size_fits(shape: tuple) -> None:
    picture = draw_frames(Clip(frames_of(9, *shape)))
    assert 8 * 96 <= picture.shape[1] <= 2048
    # Nine frames take two rows.
    width = (picture.shape[1] + GAP) // 8 - GAP
    height = round(shape[0] * width / shape[1])
    assert picture.shape[0] > 2 * height
    assert picture[-GAP - height // 2, width // 2, 0] == 50 + 80
    assert not picture[-GAP - height // 2, -1].any()


def test_relevance_adds_a_row() -> None:
    clip = Clip(frames_of(4))
    plain = draw_frames(clip)
    relevance = np.zeros((2, 1, 1), np.float32)
    relevance[1] = 1.
    both = draw_frames(clip._replace(relevance=relevance))
    assert len(both) - len(plain) == 96 + GAP
    assert (both[:len(plain)] == plain).all()
    below = both[len(plain) + 48]
    assert (below[64] == 50).all() and (below[64 + 128 + GAP] == 60).all()
    assert len(set(below[64 + 3 * (128 + GAP)].tolist())) == 3  # a colour


def test_parts_must_fit() -> None:
    with pytest.raises(ValueError, match='1 numbers .* 3 frames'):
        draw_frames(Clip(frames_of(3), [1]))
    with pytest.raises(ValueError, match='2 times .* 3 frames'):
        draw_frames(Clip(frames_of(3), None, [1., 2.]))
    with pytest.raises(ValueError, match=r'\(t, h, w, 3\)'):
        draw_frames(Clip(frames_of(3)[0]))
