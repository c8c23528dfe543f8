"""How sequences are cut into launches and chunks of the scan kernels."""
import functools
from typing import List, NamedTuple, Tuple

import torch
from torch import Tensor

from .backends import GRID_LIMIT, ceil_div

# Channels of a program, which is a single warp.
BLOCK_D = 32
# Tokens of the shortest chunk.
MIN_CHUNK = 64
# Numbers of a chunk within which kernels reckon in 32 bits.
REACH = 2**30
# Schedulers of a multiprocessor.
SCHEDULERS = 4


class Cut(NamedTuple):
    """Sequences, of k * b, that one launch scans, and their chunks."""
    kb0: int
    count: int
    chunk: int
    chunks: int


def _numbers(l: int, d: int) -> int:
    """Return how many numbers a sequence has in its widest tensor."""
    # B and C of the most states are wider than few channels.
    return l * max(d, 128)


def _cut(kb0: int, count: int, l: int, d: int, chunks: int) -> Cut:
    """Cut ``count`` sequences into at most so many chunks."""
    chunks = max(
        min(chunks, ceil_div(l, MIN_CHUNK)), ceil_div(_numbers(l, d), REACH))
    # Chunks begin where states are stored.
    chunk = ceil_div(ceil_div(l, chunks), 8) * 8
    return Cut(kb0, count, chunk, ceil_div(l, chunk))


def cuts(u: Tensor, warps: int, waves: int) -> List[Cut]:
    """Choose launches by shape, so that a GPU is evenly busy.

    Programs run in waves of equal length. What fills whole waves is scanned
    in one piece; what would leave a wave half empty, in chunks that fill it.

    Args:
        u (Tensor): Shape (k, b, l, d), not empty.
        warps (int): Programs that fit on a multiprocessor.
        waves (int): How many waves of chunks to make of such a rest.

    Returns:
        list: The launches.
    """
    # While torch.compile traces, sizes can be symbols, which no cache takes.
    symbols = any(isinstance(size, torch.SymInt) for size in u.shape)
    choose = _cuts.__wrapped__ if symbols else _cuts
    return choose(u.shape, warps, _multiprocessors(u.device), waves)


@functools.lru_cache(1024)
def _cuts(shape: Tuple[int, ...], warps: int, processors: int,
          waves: int) -> List[Cut]:
    k, b, l, d = shape
    slots, schedulers = warps * processors, SCHEDULERS * processors
    blocks = ceil_div(d, BLOCK_D)
    programs = k * b * blocks
    whole = programs // slots * slots
    # Where few more than a program on each scheduler are left, not even one
    # more is whole: those that have it would keep the others waiting.
    left = (programs - whole) % schedulers
    if programs - whole - left >= 2 * schedulers and left < schedulers // 2:
        whole = programs - left
    # One launch at most has chunks, see starts_shape; long ones all need them.
    whole = whole // blocks if _numbers(l, d) <= REACH else 0
    rest = k * b - whole
    each = []
    first = 0
    # Not over a range, which would fix a symbol's value.
    while first < whole:
        each.append(_cut(first, min(GRID_LIMIT, whole - first), l, d, 1))
        first += GRID_LIMIT
    if rest:
        chunks = slots // (rest * blocks)
        if chunks > 1:
            chunks = waves * slots // (rest * blocks)
        each.append(_cut(whole, rest, l, d, max(1, chunks)))
    return each


@functools.lru_cache()
def _multiprocessors(device: torch.device) -> int:
    """Return their number; without a GPU, as many as an H100 has."""
    if device.type != 'cuda':
        return 132
    return torch.cuda.get_device_properties(device).multi_processor_count
