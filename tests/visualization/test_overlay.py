"""Relevant patches are drawn in colour, all other patches in grey."""
import numpy as np
import pytest

from mmvideomamba.visualization import overlay
from mmvideomamba.visualization.overlay import check_relevance

FRAMES = np.zeros((4, 32, 48, 3), np.uint8) + np.array([90, 30, 60], np.uint8)


def test_relevant_place_is_coloured() -> None:
    relevance = np.zeros((4, 2, 3), np.float32)
    relevance[1, 0, 2] = 7.
    drawn = overlay(FRAMES, relevance, alpha=1.)
    assert drawn.shape == FRAMES.shape and drawn.dtype == np.uint8
    assert (drawn[[0, 2, 3]] == 60).all()  # grey, as bright as the frame
    red, green, blue = drawn[1, 2, 46].tolist()
    assert min(red, green) > 200 > 100 > blue  # yellow
    assert (drawn[1, 30, 4] == 60).all()


def test_alpha() -> None:
    relevance = np.ones((4, 1, 1), np.float32)
    assert (overlay(FRAMES, relevance, alpha=0.) == 60).all()
    full, half = (overlay(FRAMES, relevance, a)[0, 0, 0] for a in (1., .5))
    np.testing.assert_allclose(half, (full + 60.) / 2, atol=1)
    with pytest.raises(ValueError, match='alpha .* 1.5'):
        overlay(FRAMES, relevance, 1.5)


def test_scale_and_tubelets() -> None:
    maps = check_relevance(np.array([[[1.]], [[4.]]]), 4)
    assert maps[:, 0, 0].tolist() == [0.25, 0.25, 1., 1.]
    tiny = np.full((4, 1, 1), 1e-42, np.float32)
    assert (check_relevance(tiny, 4) == 1).all()
    assert (check_relevance(np.zeros((1, 2, 2)), 4) == 0).all()


@pytest.mark.parametrize('bad', [
    np.ones((3, 2, 2)),
    np.ones((2, 2)),
    np.ones((0, 2, 2)), -np.ones((4, 2, 2)),
    np.full((4, 2, 2), np.nan)
])
def test_bad_relevance(bad: np.ndarray) -> None:
    with pytest.raises(ValueError, match='relevance'):
        overlay(FRAMES, bad)
