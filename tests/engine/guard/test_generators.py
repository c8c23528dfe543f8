"""All generators repeat."""
import random
from typing import List

import numpy as np
import torch

from mmvideomamba.engine.guard.generators import (generator_states,
                                                  set_generators)


def draw() -> List[float]:
    return [random.random(), np.random.rand(), float(torch.rand(()))]


def test_generators_repeat() -> None:
    states = generator_states()
    first = draw()
    assert draw() != first
    set_generators(states)
    assert draw() == first


def test_states_from_a_file() -> None:
    states = generator_states()
    name, keys, *rest = states['numpy']
    states['numpy'] = [name, torch.from_numpy(keys.copy()), *rest]
    first = draw()
    set_generators(states)
    assert draw() == first
