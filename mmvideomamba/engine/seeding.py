"""Seeds of a process's random generators, from numbers alone."""
import random
from contextlib import contextmanager
from typing import Iterator

import numpy as np
import torch
from mmengine.device import get_device
from mmengine.dist import get_rank
from mmengine.runner import Runner


def derive_seed(*key: int) -> int:
    """Mix numbers to a seed.

    Args:
        *key (int): At least 0 each.

    Returns:
        int: 31 bits; the hosts add the number of a worker to seeds.
    """
    source = np.random.SeedSequence([int(x) for x in key])
    return int(source.generate_state(1)[0]) >> 1


def seed_cpu(seed: int) -> None:
    """Seed Python's, NumPy's and torch's CPU generators.

    Args:
        seed (int): 32 bits.
    """
    random.seed(seed)
    np.random.seed(seed)
    # torch.manual_seed would also queue seeds for each accelerator, with the
    # stack of the caller: 0.2 ms.
    torch.default_generator.manual_seed(seed)


def seed_process(seed: int, *key: int) -> int:
    """Seed Python's, NumPy's and torch's generators, accelerators too.

    Args:
        seed (int): Of the training.
        *key (int): Place in the training, such as iteration and rank.

    Returns:
        int: The seed of all generators.
    """
    mixed = derive_seed(seed, *key)
    seed_cpu(mixed)
    if get_device() != 'cpu':
        torch.manual_seed(mixed)
    return mixed


@contextmanager
def seeded(seed: int) -> Iterator[None]:
    """Seed Python's, NumPy's and torch's CPU generators for a while.

    Args:
        seed (int): 32 bits.
    """
    states = random.getstate(), np.random.get_state(), torch.get_rng_state()
    seed_cpu(seed)
    try:
        yield
    finally:
        random.setstate(states[0])
        np.random.set_state(states[1])
        torch.set_rng_state(states[2])


def shared_seed(runner: Runner) -> int:
    """Return the seed of the main process.

    Args:
        runner (Runner): The runner.

    Returns:
        int: The same on each process.
    """
    # With different seeds the host adds the rank.
    different = runner._randomness_cfg.get('diff_rank_seed', False)
    return int(runner.seed) - (get_rank() if different else 0)
