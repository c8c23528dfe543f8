"""Pictures of the alignment show mask, attention and cosines in place."""
import random

import numpy as np
import pytest
import torch
from torch import nn

from mmvideomamba.visualization import (AlignmentPicture, alignment,
                                        draw_alignment, undisturbed)
from mmvideomamba.visualization.text import text_width

SIDE = 96


def some_clip(**kwargs) -> AlignmentPicture:
    mask = np.zeros((3, 2, 2), bool)
    mask[:, 0] = True
    cosine = np.full((3, 2, 2), 0.5)
    parts = dict(
        frames=np.full((3, SIDE, SIDE, 3), 200, np.uint8),
        mask=mask,
        attention=np.full((3, 2, 2), 0.1),
        seen=np.where(mask, np.nan, cosine),
        whole=cosine)
    return AlignmentPicture(**{**parts, **kwargs})


def cell(picture: np.ndarray, row: int, frame: int) -> np.ndarray:
    """Cut a frame out of the picture."""
    top, left = row * (SIDE + 4), 150 + frame * (SIDE + 4)
    return picture[top:top + SIDE, left:left + SIDE]


def test_rows() -> None:
    picture = draw_alignment(some_clip())
    assert picture.shape == (5 * (SIDE + 4), 150 + 3 * (SIDE + 4), 3)
    assert (cell(picture, 0, 1) == 200).all()
    seen = cell(picture, 1, 1)
    assert (seen[:48] == 40).all() and (seen[48:] == 200).all()
    # Dropped patches have no cosine when the student is masked.
    masked, whole = cell(picture, 3, 1), cell(picture, 4, 1)
    assert (masked[:48] == 40).all()
    assert (masked[48:] == whole[48:]).all()
    assert (whole[:48] == whole[48:]).all()


@pytest.mark.parametrize('row,part', [(2, 'attention'), (4, 'whole')])
def test_larger_values_look_brighter(row: int, part: str) -> None:
    values = np.zeros((3, 2, 2))
    values[1, 0, 0], values[1, 0, 1] = 1, 0.5
    picture = cell(draw_alignment(some_clip(**{part: values})), row, 1)
    levels = [picture[24, 24], picture[24, 72], picture[72, 72]]
    assert [int(v.sum()) for v in levels] == sorted(
        (int(v.sum()) for v in levels), reverse=True)


def test_a_white_object_does_not_look_attended() -> None:
    frames = np.zeros((3, SIDE, SIDE, 3), np.uint8)
    frames[:, :48, :48] = 255
    attention = np.zeros((3, 2, 2))
    attention[:, 0, 1], attention[:, 1, 1] = 0.5, 1
    clip = some_clip(frames=frames, attention=attention)
    picture = cell(draw_alignment(clip), 2, 1)
    white, attended = picture[24, 24], picture[24, 72]
    assert attended.sum() > white.sum()


def test_names_and_scales_stand_beside_the_rows(monkeypatch) -> None:
    texts, put = [], alignment.write_line

    def note(image, text, position, **kwargs):
        texts.append(text)
        assert position[0] + text_width(text, 12) <= alignment.MARGIN, text
        assert position[1] < image.shape[0]
        put(image, text, position, **kwargs)

    monkeypatch.setattr(alignment, 'write_line', note)
    draw_alignment(some_clip(frames=np.zeros((3, 16, 16, 3), np.uint8)))
    assert texts.count('blue 0, yellow max') == 1
    assert texts.count('blue <= 0, yellow 1') == 2


def test_tubelets_show_their_first_frame() -> None:
    frames = np.zeros((6, SIDE, SIDE, 3), np.uint8)
    frames[2] = 90
    picture = draw_alignment(some_clip(frames=frames))
    assert (cell(picture, 0, 1) == 90).all()


def test_small_frames_are_enlarged() -> None:
    frames = np.zeros((3, 32, 48, 3), np.uint8)
    picture = draw_alignment(some_clip(frames=frames))
    assert picture.shape[1] == 150 + 3 * (144 + 4)


def test_undisturbed() -> None:
    model = nn.Sequential(nn.Dropout(), nn.Linear(2, 2)).train()
    model[1].eval()
    torch.manual_seed(1)
    random.seed(1)
    np.random.seed(1)
    wanted = torch.rand(1), random.random(), np.random.rand()
    torch.manual_seed(1)
    random.seed(1)
    np.random.seed(1)
    with pytest.raises(KeyError), undisturbed(model):
        assert not model.training and not model[0].training
        torch.rand(1), random.random(), np.random.rand()
        raise KeyError
    assert (torch.rand(1), random.random(), np.random.rand()) == wanted
    assert [m.training for m in model] == [True, False]
