"""States of the random generators of a process."""
import random
from typing import Any, Dict

import numpy as np
import torch


def generator_states() -> Dict[str, Any]:
    """Return the states of Python's, NumPy's and torch's generators.

    The host does not wait for the device.

    Returns:
        dict: States by name; 'cuda' is the state of the current GPU's
        generator, if a GPU is in use.
    """
    states = dict(
        python=random.getstate(),
        numpy=np.random.get_state(),
        torch=torch.get_rng_state())
    # A question about the state would start CUDA in a training on the CPU.
    if torch.cuda.is_available() and torch.cuda.is_initialized():
        states['cuda'] = torch.cuda.get_rng_state()
    return states


def set_generators(states: Dict[str, Any]) -> None:
    """Set the generators of the process.

    Args:
        states (dict): Of ``generator_states``; NumPy's may be a sequence.
    """
    random.setstate(states['python'])
    name, keys, *rest = states['numpy']
    np.random.set_state((name, np.asarray(keys), *rest))
    torch.set_rng_state(states['torch'])
    if 'cuda' in states and torch.cuda.is_available():
        torch.cuda.set_rng_state(states['cuda'])
