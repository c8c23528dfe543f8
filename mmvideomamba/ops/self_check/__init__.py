"""Numeric self-check of the Triton kernels, through the public ops."""
from .cases import CASES, GPU_SIZES, TINY_SIZES, Case, Sizes
from .check import BOUNDS, Row, self_check, wrong_kernels

__all__ = [
    'BOUNDS', 'CASES', 'Case', 'GPU_SIZES', 'Row', 'Sizes', 'TINY_SIZES',
    'self_check', 'wrong_kernels'
]
