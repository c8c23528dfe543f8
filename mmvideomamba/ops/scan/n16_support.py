"""Where the scan kernels for 16 states in half precision run."""
import functools

import torch

from ..runtime.host import triton_version
from ..runtime.settings import SCAN_KERNELS, setting
from ..runtime.verdicts import N16_SCAN, wrong_anywhere


@functools.lru_cache()
def n16_reason() -> str:
    """Say why the kernels for 16 states cannot run in this process.

    The compiler before Triton 3.4 crashes, the compiler for AMD's GPUs
    fails now and then. ``MMVIDEOMAMBA_SCAN_KERNELS=general`` is an off switch.

    Returns:
        str: The reason, or ''.
    """
    if torch.version.hip is not None:
        return "AMD's GPUs run the general kernels"
    if triton_version() < (3, 4):
        return 'Triton before 3.4 cannot compile the kernels'
    if setting(SCAN_KERNELS) != 'auto':
        return f'{SCAN_KERNELS} is {setting(SCAN_KERNELS)!r}'
    return ''


def n16_kernels_run(dtype: torch.dtype) -> bool:
    """Tell whether the kernels for 16 states run for a dtype.

    Kernels that the self-check found wrong on a visible GPU do not.

    Args:
        dtype (torch.dtype): Dtype of the tokens.

    Returns:
        bool: False also where the kernels cannot be compiled.
    """
    return not n16_reason() and not wrong_anywhere(N16_SCAN, dtype)
