"""Learning rates as the kernels of a CUDA graph read them."""
from contextlib import contextmanager
from typing import Iterator

import numpy as np
from torch.optim import Optimizer


@contextmanager
def float32_rates(optimizer: Optimizer) -> Iterator[None]:
    """Round the learning rates of an optimizer to float32 for a while.

    A CUDA graph reads learning rates from the device, where torch's fused
    kernels want float32; other steps pass float64. Rounded, an update is the
    same to the bit with and without a graph.

    Args:
        optimizer (Optimizer): Of torch; tensors stay as they are.
    """
    rates = [group['lr'] for group in optimizer.param_groups]
    for group in optimizer.param_groups:
        if isinstance(group['lr'], float):
            group['lr'] = float(np.float32(group['lr']))
    try:
        yield
    finally:
        for group, rate in zip(optimizer.param_groups, rates):
            group['lr'] = rate
