"""Bars are as long as the scores, under the whole name."""
import numpy as np
import pytest

from mmvideomamba.visualization.score_bars import BAR, draw_score_bars


def lengths(panel: np.ndarray) -> list:
    """Return the lengths of the bars, from the top."""
    rows = (panel == BAR).all(-1).sum(1)
    return [n for before, n in zip([0, *rows], rows) if n and not before]


def test_bars_are_as_long_as_the_scores() -> None:
    panel = draw_score_bars([('rise', 0.75), ('fall', 0.25)], 200, 12)
    assert lengths(panel) == [150, 50]


@pytest.mark.parametrize('score', [1.5, -0.5, 0.])
def test_scores_beyond_the_bar(score: float) -> None:
    found = lengths(draw_score_bars([('rise', score)], 200, 12))
    assert found == ([200] if score > 1 else [])


def test_long_name_takes_more_lines() -> None:
    short, long = (
        draw_score_bars([('rise ' * n, 0.5)], 200, 12) for n in (1, 30))
    assert len(long) > 2 * len(short) and long.shape[1] == 200


def test_no_scores() -> None:
    assert draw_score_bars([], 200, 12).shape == (0, 200, 3)
