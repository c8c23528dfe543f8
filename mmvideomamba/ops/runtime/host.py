"""Host helpers of the ops: integer arithmetic, versions, dtypes, grids."""
import functools
import importlib
import os
from typing import Tuple

import torch
from torch import Tensor

# Largest number of programs along the second or third axis of a CUDA grid.
GRID_LIMIT = 65535


def ceil_div(x: int, y: int) -> int:
    """Divide and round up.

    ``triton.cdiv`` does the same, but is slow on the host.

    Args:
        x (int): Dividend.
        y (int): Divisor, positive.

    Returns:
        int: The smallest integer not below ``x / y``.
    """
    return -(-x // y)


def power_of_2(x: int) -> int:
    """Round up to a power of 2.

    ``triton.next_power_of_2`` does the same, but is slow on the host.

    Args:
        x (int): A positive integer.

    Returns:
        int: The smallest power of 2 not below ``x``.
    """
    return 1 << (x - 1).bit_length()


def interpreting() -> bool:
    """Tell whether Triton's interpreter runs the kernels on the CPU."""
    return os.environ.get('TRITON_INTERPRET', '0') == '1'


@functools.lru_cache()
def on_nvidia() -> bool:
    """Tell whether kernels are compiled for NVIDIA's GPUs.

    The answer is cached: several calls a layer ask for the answer, and Triton
    itself decides about the interpreter once, at the kernel's definition.
    """
    return not interpreting() and torch.version.hip is None


def triton_version() -> Tuple[int, ...]:
    """Return the major and minor version of the installed Triton."""
    return _major_minor(importlib.import_module('triton').__version__)


@functools.lru_cache()
def _major_minor(version: str) -> Tuple[int, ...]:
    return tuple(int(v) for v in version.split('.')[:2])


def compute_dtype(x: Tensor) -> torch.dtype:
    """Return the dtype of matrix products on a tensor.

    Args:
        x (Tensor): Input of the product, any shape.

    Returns:
        torch.dtype: Autocast's dtype where autocast is on, else the dtype of
        ``x``.
    """
    kind = x.device.type
    if torch.is_autocast_enabled(kind):
        return torch.get_autocast_dtype(kind)
    return x.dtype


def needs_registered_op(x: Tensor) -> bool:
    """Tell whether an op must run as a registered ``torch.library`` op.

    torch.compile and fake tensors see registered ops only. Everywhere else a
    plain autograd function does the same in a third of the CPU time, and the
    CPU time of a call can exceed the time of its kernels.

    Args:
        x (Tensor): Input of the op.
    """
    return torch.compiler.is_compiling() or type(x) is not Tensor
