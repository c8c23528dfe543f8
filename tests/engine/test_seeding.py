"""Seeds come from numbers alone, and are given back."""
import random
from types import SimpleNamespace

import numpy as np
import pytest
import torch

from mmvideomamba.engine import seeding
from mmvideomamba.engine.seeding import (derive_seed, seed_process, seeded,
                                         shared_seed)


def draw() -> tuple:
    return random.random(), float(np.random.rand()), float(torch.rand(()))


def test_place_decides() -> None:
    first = seed_process(3, 5, 1)
    drawn = draw()
    draw()
    assert seed_process(3, 5, 1) == first == derive_seed(3, 5, 1)
    assert draw() == drawn
    seed_process(3, 6, 1)
    assert draw() != drawn


def test_states_are_given_back() -> None:
    seed_process(1)
    expected = draw()
    seed_process(1)
    with seeded(7):
        inside = draw()
    assert draw() == expected
    with seeded(7):
        assert draw() == inside != expected


@pytest.mark.parametrize('different, expected', [(False, 7), (True, 5)])
def test_seed_of_all_processes(monkeypatch: pytest.MonkeyPatch,
                               different: bool, expected: int) -> None:
    """With different seeds the host has added the rank."""
    monkeypatch.setattr(seeding, 'get_rank', lambda: 2)
    runner = SimpleNamespace(
        seed=7, _randomness_cfg=dict(diff_rank_seed=different))
    assert shared_seed(runner) == expected
