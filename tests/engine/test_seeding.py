"""Seeds come from numbers alone, and are given back."""
import random

import numpy as np
import torch

from mmvideomamba.engine.seeding import derive_seed, seed_process, seeded


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
