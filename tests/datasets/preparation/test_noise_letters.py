"""Letters drawn from lines."""
from itertools import combinations

import numpy as np
import pytest

from mmvideomamba.datasets.preparation.noise_letters import (LETTERS,
                                                             letter_mask,
                                                             letter_width)


def test_letters_fill_their_box_and_differ() -> None:
    masks = {name: letter_mask(name, 40) for name in LETTERS}
    assert len(masks) == 20
    for mask in masks.values():
        assert mask.shape == (40, letter_width(40))
        assert mask[0].any() and mask[-1].any() and mask[:, -1].any()
        assert .3 < mask.mean() < .7
    for one, other in combinations(masks.values(), 2):
        assert (one & other).sum() / (one | other).sum() < .85


@pytest.mark.parametrize('letter, inside, outside', [
    ('L', [(5, 4), (37, 30)], [(5, 30)]),
    ('T', [(3, 3), (37, 17)], [(37, 3)]),
    ('X', [(20, 17), (3, 3), (37, 31)], [(3, 17)]),
])
def test_lines_are_where_they_should_be(letter, inside, outside) -> None:
    mask = letter_mask(letter, 40)
    assert all(mask[place] for place in inside)
    assert not any(mask[place] for place in outside)


def test_size_scales() -> None:
    small, large = letter_mask('S', 20), letter_mask('S', 60)
    assert abs(small.mean() - large.mean()) < .03
    assert np.argwhere(large).max() == 59
