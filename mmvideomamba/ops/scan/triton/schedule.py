"""Schedule of the scan: launches and chunks that keep a GPU evenly busy."""
import functools
from typing import List, NamedTuple, Tuple

import torch
from torch import Tensor

from ...runtime.host import GRID_LIMIT, ceil_div
from .program import GROUP

# Channels of a program. A program is a single warp.
BLOCK_D = 32
# Tokens of the shortest chunk.
MIN_CHUNK = 64
# Chunks begin at multiples of this many tokens, at a stored state.
CHUNK_ALIGNMENT = 2 * GROUP.value
# Kernels compute offsets within a chunk in 32 bits, up to this many numbers.
MAX_CHUNK_NUMBERS = 2**30
# B and C of a token hold at most this many numbers, 2 * 64 states.
MAX_BC = 128
# Warp schedulers of a multiprocessor.
SCHEDULERS = 4
# Multiprocessors assumed without a GPU: as many as an H100 has.
H100_MULTIPROCESSORS = 132


class Launch(NamedTuple):
    """A launch of the scan kernels over a range of sequences.

    Attributes:
        first_sequence (int): First of the ``k * b`` sequences (directions
            times samples).
        sequences (int): Number of sequences.
        chunk (int): Tokens of a chunk, a multiple of ``CHUNK_ALIGNMENT``.
        chunks (int): Chunks of a sequence; each is a program per block of
            channels.
    """
    first_sequence: int
    sequences: int
    chunk: int
    chunks: int


def _sequence_numbers(l: int, d: int) -> int:
    """Return how many numbers a sequence has in the widest tensor."""
    return l * max(d, MAX_BC)


def make_launch(first_sequence: int, count: int, l: int, d: int,
                chunks: int) -> Launch:
    """Cut sequences into chunks of equal length.

    Args:
        first_sequence (int): First sequence of the launch.
        count (int): Number of sequences.
        l (int): Tokens of a sequence.
        d (int): Channels.
        chunks (int): Wanted number of chunks. The result has fewer for short
            sequences, and more where 32 bits do not hold a chunk's offsets.

    Returns:
        Launch: The launch.
    """
    chunks = max(
        min(chunks, ceil_div(l, MIN_CHUNK)),
        ceil_div(_sequence_numbers(l, d), MAX_CHUNK_NUMBERS))
    chunk = ceil_div(l, chunks)
    chunk = ceil_div(chunk, CHUNK_ALIGNMENT) * CHUNK_ALIGNMENT
    return Launch(first_sequence, count, chunk, ceil_div(l, chunk))


def schedule(u: Tensor, warps: int, waves: int) -> List[Launch]:
    """Choose launches by shape, so that a GPU is evenly busy.

    Programs run in waves of equal length. Sequences enough for whole waves
    are scanned in a single piece; a rest too small for a wave is cut into
    chunks until the chunks fill waves.

    Args:
        u (Tensor): Input of the scan, shape (k, b, l, d), not empty.
        warps (int): Programs resident on a multiprocessor.
        waves (int): Waves of chunks made of the rest.

    Returns:
        list[Launch]: The launches. Only the last can have chunks.
    """
    # While torch.compile traces, sizes can be symbols, unfit for the cache.
    symbols = any(isinstance(size, torch.SymInt) for size in u.shape)
    choose = _schedule.__wrapped__ if symbols else _schedule
    return choose(u.shape, warps, _multiprocessors(u.device), waves)


@functools.lru_cache(1024)
def _schedule(shape: Tuple[int, ...], warps: int, processors: int,
              waves: int) -> List[Launch]:
    k, b, l, d = shape
    resident, schedulers = warps * processors, SCHEDULERS * processors
    blocks = ceil_div(d, BLOCK_D)
    programs = k * b * blocks
    whole = programs // resident * resident
    # Where few programs more than one on each scheduler are left, none of
    # the rest stays whole: the others would wait for the busier schedulers.
    left = (programs - whole) % schedulers
    if programs - whole - left >= 2 * schedulers and left < schedulers // 2:
        whole = programs - left
    # Only one launch may have chunks (chunk_starts_shape); sequences beyond
    # the 32-bit offsets all need chunks.
    fits = _sequence_numbers(l, d) <= MAX_CHUNK_NUMBERS
    whole = whole // blocks if fits else 0
    rest = k * b - whole
    launches = []
    first = 0
    # A while loop: a range would fix the value of a symbol.
    while first < whole:
        count = min(GRID_LIMIT, whole - first)
        launches.append(make_launch(first, count, l, d, 1))
        first += GRID_LIMIT
    if rest:
        chunks = resident // (rest * blocks)
        if chunks > 1:
            chunks = waves * resident // (rest * blocks)
        launches.append(make_launch(whole, rest, l, d, max(1, chunks)))
    return launches


@functools.lru_cache()
def _multiprocessors(device: torch.device) -> int:
    """Return the number of multiprocessors of a GPU."""
    if device.type != 'cuda':
        return H100_MULTIPROCESSORS
    return torch.cuda.get_device_properties(device).multi_processor_count
