"""Shapes from motion: found again by brute force, injective maps, places."""
import numpy as np
import pytest
from noise_oracle import find_letter

from mmvideomamba.datasets.preparation import noise_shapes
from mmvideomamba.datasets.preparation.noise_flow import FRESH
from mmvideomamba.datasets.preparation.noise_letters import LETTERS
from mmvideomamba.datasets.preparation.noise_shapes import (Figure,
                                                            draw_figure,
                                                            figure_mask,
                                                            figure_sources,
                                                            make_shape)

MIDDLE = Figure(24, (3, 4), 'right')


def test_brute_force_finds_the_letter() -> None:
    """The set can be solved: clips of the test split, from their frames."""
    names = list(LETTERS)
    for number, letter in enumerate(names):
        rng = np.random.default_rng(number)
        figure = draw_figure(rng, 'test', 40)
        frames = make_shape(rng, letter, figure, 40, 12, 1, 1., 'opposed', 0.)
        assert find_letter(frames, names, 'test') == letter


@pytest.mark.parametrize('ground', noise_shapes.GROUNDS)
@pytest.mark.parametrize('direction', ['left', 'down'])
def test_sources_are_injective_and_stay_in_their_area(ground,
                                                      direction) -> None:
    mask = figure_mask('R', MIDDLE, 32)
    sources = figure_sources(mask, direction, 1, ground)
    used = sources != FRESH
    assert len(set(sources[used])) == used.sum()
    assert (mask[sources[used]] == mask[used]).all()
    cells = np.arange(1024)
    step = dict(left=1, down=-32)[direction]
    assert (sources - cells)[used & mask].tolist() == [step] * int(
        (used & mask).sum())
    around = set((sources - cells)[used & ~mask])
    assert around == dict(opposed={-step}, still={0}, flicker=set())[ground]


def test_splits_share_neither_heights_nor_corners() -> None:
    rng = np.random.default_rng(0)
    drawn = {
        split: [draw_figure(rng, split, 64) for _ in range(99)]
        for split in ('train', 'val', 'test')
    }
    for part in ('height', 'corner'):
        sets = [{getattr(c, part)
                 for c in figures} for figures in drawn.values()]
        assert len(set.union(*sets)) == sum(map(len, sets))
    for figure in drawn['test']:
        assert figure_mask('W', figure, 64).sum() == figure_mask(
            'W', figure._replace(corner=(0, 0)), 64).sum()


def test_appearance_whitens_the_letter_alone() -> None:
    mask = figure_mask('H', MIDDLE, 32).reshape(32, 32)
    shown, hidden = (
        make_shape(
            np.random.default_rng(0), 'H', MIDDLE, 32, 40, 1, 1., 'opposed', a)
        for a in (.5, 0.))
    assert abs(shown[:, mask].mean() - .75) < .03
    assert (shown[:, ~mask] == hidden[:, ~mask]).all()
    assert abs(hidden[:, mask].mean() - .5) < .03
