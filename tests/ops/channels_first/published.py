"""Conditions of the packages' own tests: sizes, dtypes, tolerances."""
from typing import Dict, Tuple

import torch
from torch import Tensor

DTYPES = [torch.float32, torch.float16, torch.bfloat16]
SCAN_LENGTHS = [8, 16, 32, 64, 128, 256, 372, 512, 784, 1024, 1134, 2048, 4096]
CONV_LENGTHS = [
    1, 2, 8, 16, 32, 64, 128, 129, 130, 151, 256, 372, 512, 784, 1024, 1134,
    2048, 4096
]
WIDTHS = [2, 3, 4]

Tolerance = Tuple[float, float]
# rtol and atol of outputs.
SCAN: Dict[torch.dtype, Tolerance] = {
    torch.float32: (6e-4, 2e-3),
    torch.float16: (3e-3, 5e-3),
    torch.bfloat16: (3e-2, 5e-2)
}
CONV: Dict[torch.dtype, Tolerance] = {
    torch.float32: (3e-4, 1e-3),
    torch.float16: (3e-3, 5e-3),
    torch.bfloat16: (1e-2, 5e-2)
}
WEIGHTS: Tolerance = (1e-3, 1e-3)
# Factors of rtol and atol for gradients of the scan; 1 for all others.
FACTORS = dict(u=(2, 2), delta=(5, 10), A=(1, 5))
TOKENS = ('u', 'delta', 'B', 'C', 'z')


def scan_tolerance(name: str, dtype: torch.dtype) -> Tolerance:
    """Return rtol and atol of the gradient of an argument of the scan."""
    rtol, atol = SCAN[dtype]
    if name not in TOKENS:
        rtol, atol = max(rtol, WEIGHTS[0]), max(atol, WEIGHTS[1])
    factors = FACTORS.get(name, (1, 1))
    return rtol * factors[0], atol * factors[1]


def close(found: Tensor, wanted: Tensor, tolerance: Tolerance,
          name: str) -> None:
    """Compare entry by entry, in float64 on the CPU."""
    torch.testing.assert_close(
        found.detach().cpu().double(),
        wanted.detach().cpu().double(),
        rtol=tolerance[0],
        atol=tolerance[1],
        msg=lambda message: f'{name}: {message}')


def low(x: Tensor) -> Tensor:
    """Round to numbers held exactly by all three dtypes."""
    return x.bfloat16().half().double()


def token_major(x: Tensor) -> Tensor:
    """Move the tokens of (b, ..., l) after the samples, unless constant."""
    return x.movedim(-1, 1) if x.dim() > 2 else x
