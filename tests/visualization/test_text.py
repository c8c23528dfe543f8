"""Text stands at the baseline in the given colour, in fitting lines."""
import numpy as np
import pytest

from mmvideomamba.visualization import write_line
from mmvideomamba.visualization.text import (text_panel, text_size, text_width,
                                             wrap)


def test_write_line() -> None:
    picture = np.zeros((40, 60, 3), np.uint8)
    write_line(picture, 'label', (4, 26), (10, 200, 0))
    rows, columns = np.nonzero(picture.any(-1))
    assert columns.min() >= 4 and 10 < rows.min() < rows.max() < 27
    assert (picture.reshape(-1, 3).max(0) == (10, 200, 0)).all()


def test_size_follows_the_short_side() -> None:
    assert [text_size(1080, 1920), text_size(1920, 1080)] == [45, 45]
    assert text_size(100, 2000) == 12


def test_line_below_the_picture_changes_nothing() -> None:
    picture = np.zeros((10, 10, 3), np.uint8)
    write_line(picture, 'label', (0, 60))
    assert not picture.any()


@pytest.mark.parametrize('text', [
    'a few words that are longer than a line', 'one_word_without_any_space',
    r'$x^2_$ and ${\bf unclosed', 'a_word_of_two_lines then words',
    'trailing spaces          '
])
def test_wrapped_lines_fit_and_lose_nothing(text: str) -> None:
    lines = wrap(text, 100, 12)
    assert all(0 < text_width(line, 12) <= 100 for line in lines)
    assert ''.join(lines).replace(' ', '') == text.replace(' ', '')
    assert len(lines) > 1 or text.endswith(' ')


def test_lines_end_at_spaces() -> None:
    width = text_width('pushing something', 12)
    assert wrap('pushing something down', width,
                12) == ('pushing something', 'down')


def test_formula_signs_have_no_meaning() -> None:
    assert wrap('$x^2_$', 400, 12) == ('$x^2_$', )
    panel = text_panel([('$x^2_$', (255, 0, 0))], 400, 12)
    plain = text_panel([('x^2_', (255, 0, 0))], 400, 12)
    assert np.count_nonzero(panel) > np.count_nonzero(plain) > 0


def test_panel_grows_with_the_lines() -> None:
    white = (255, 255, 255)
    one = text_panel([('a', white)], 60, 12)
    two = text_panel([('a', white), ('b', white)], 60, 12)
    assert two.shape[0] - one.shape[0] == 16
    assert (one[:16] == two[:16]).all() and two[16:].any()
    ground = text_panel([('', white)], 60, 12, ground=(9, 8, 7))
    assert (ground == (9, 8, 7)).all()
