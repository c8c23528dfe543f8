"""Weights of a mixer, cast and stacked for the Triton kernels."""
import functools
import math
from typing import List, NamedTuple, Sequence, Tuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from ...runtime.host import ceil_div, power_of_2
from ...runtime.triton_launcher import cached_launch
from ...runtime.triton_pack import store_rounded
from ..api import ScanParams

# Ranks are rounded up to a multiple of this: 16 bytes in half precision.
RANK_MULTIPLE = 8
# Channels of a program, and rows of a projection per iteration.
BLOCK_D = 32
BLOCK_R = 32
# Numbers of a program that casts a projection.
BLOCK_CAST = 4096
# Tensors in shared memory begin at multiples of this many numbers.
ALIGNMENT = 64


class Source(NamedTuple):
    """Weights of an op as given by the caller.

    Attributes:
        projections (Sequence[Tensor]): ``in_weight`` (2 * d, c) and
            ``out_weight`` (c, d), or nothing for an op without projections.
        each (Sequence[ScanParams]): One or two directions of equal sizes.
        log_rates (bool): ``ScanParams.A`` holds the logarithm of ``-A``.
    """
    projections: Sequence[Tensor]
    each: Sequence[ScanParams]
    log_rates: bool = False


class Stacked(NamedTuple):
    """Memory of the stacked weights; ``views`` returns the weights inside.

    Attributes:
        full (Tensor): All weights in float32, flat.
        low (Tensor): All weights in the dtype of the tokens, flat.
    """
    full: Tensor
    low: Tensor


class Weights(NamedTuple):
    """``ScanParams`` of k directions, stacked, and the cast projections.

    Shapes: conv_weight (k, d, taps), conv_bias (k, d), x_proj (k, q + 2 n,
    d), dt_proj (k, d, q), dt_bias (k, d), A (k, n, d), D (k, d); projections
    (2 d, c) and (c, d), or nothing for an op without. ``x_proj``, ``dt_proj``
    and the projections have the dtype of the tokens, the rest is float32. The
    rank q is r, rounded up with zeros: other products are slow on a GPU.
    """
    conv_weight: Tensor
    conv_bias: Tensor
    x_proj: Tensor
    dt_proj: Tensor
    dt_bias: Tensor
    A: Tensor
    D: Tensor
    projections: Tuple[Tensor, ...]


@triton.jit
def _copy(to_p, from_p, inside, wanted):
    """Copy where inside, write zeros where only wanted."""
    x = tl.load(from_p, mask=inside, other=0.).to(tl.float32)
    store_rounded(to_p, x, wanted)


@triton.jit
def _stack_direction(to, source, k, d, HAS_BIAS: tl.constexpr,
                     LOG_RATES: tl.constexpr, N: tl.constexpr, R: tl.constexpr,
                     Q: tl.constexpr, TAPS: tl.constexpr, BN: tl.constexpr,
                     BT: tl.constexpr, TD: tl.constexpr, TR: tl.constexpr):
    """Copy the weights of TD channels of direction k."""
    c = tl.program_id(0) * TD + tl.arange(0, TD)
    ok = c < d
    at = k * d + c
    _copy(to[1] + at, source[1] + c, ok & HAS_BIAS, ok)
    _copy(to[4] + at, source[4] + c, ok, ok)
    _copy(to[6] + at, source[6] + c, ok, ok)
    tap = tl.arange(0, BT)[None, :]
    ok_tap = ok[:, None] & (tap < TAPS)
    _copy(to[0] + at[:, None] * TAPS + tap,
          source[0] + c[:, None] * TAPS + tap, ok_tap, ok_tap)
    n = tl.arange(0, BN)[None, :]
    ok_n = ok[:, None] & (n < N)
    A = tl.load(source[5] + c[:, None] * N + n, mask=ok_n, other=0.)
    if LOG_RATES:
        A = -tl.exp(A)
    tl.store(to[5] + (k * N + n) * d + c[:, None], A, mask=ok_n)
    for start in range(0, Q, TR):
        rank = start + tl.arange(0, TR)[None, :]
        _copy(to[3] + at[:, None] * Q + rank,
              source[3] + c[:, None] * R + rank, ok[:, None] & (rank < R),
              ok[:, None] & (rank < Q))
    for start in range(0, Q + 2 * N, TR):
        row = start + tl.arange(0, TR)[:, None]
        ok_row = ok[None, :] & (row < Q + 2 * N)
        # Zeros between the ranks and B and C.
        source_row = tl.where(row < Q, row, row - (Q - R))
        _copy(to[2] + (k * (Q + 2 * N) + row) * d + c[None, :],
              source[2] + source_row * d + c[None, :],
              ok_row & ((row < R) | (row >= Q)), ok_row)


@triton.jit
def cast_projections(in_to_p, in_from_p, in_size, out_to_p, out_from_p,
                     out_size, block, TC: tl.constexpr):
    """Cast TC numbers of either projection, those of in_proj first."""
    in_blocks = tl.cdiv(in_size, TC)
    if block < in_blocks:
        at = block * TC + tl.arange(0, TC)
        _copy(in_to_p + at, in_from_p + at, at < in_size, at < in_size)
    else:
        at = (block - in_blocks) * TC + tl.arange(0, TC)
        _copy(out_to_p + at, out_from_p + at, at < out_size, at < out_size)


@cached_launch
@triton.jit
def stack_kernel(
        conv_weight_p,  # (k, d, taps), and so on: as in Weights
        conv_bias_p,
        x_proj_p,
        dt_proj_p,
        dt_bias_p,
        A_p,
        D_p,
        in_to_p,  # (2 d, c)
        out_to_p,  # (c, d)
        conv_weight0_p,  # (d, 1, taps), and so on: ScanParams, contiguous
        conv_bias0_p,
        x_proj0_p,
        dt_proj0_p,
        dt_bias0_p,
        A0_p,
        D0_p,
        conv_weight1_p,
        conv_bias1_p,
        x_proj1_p,
        dt_proj1_p,
        dt_bias1_p,
        A1_p,
        D1_p,
        in_from_p,  # (2 d, c)
        out_from_p,  # (c, d)
        d,
        in_size,
        out_size,
        HAS_BIAS0: tl.constexpr,
        HAS_BIAS1: tl.constexpr,
        LOG_RATES: tl.constexpr,
        K: tl.constexpr,
        N: tl.constexpr,
        R: tl.constexpr,
        Q: tl.constexpr,
        TAPS: tl.constexpr,
        BN: tl.constexpr,
        BT: tl.constexpr,
        TD: tl.constexpr,
        TR: tl.constexpr,
        TC: tl.constexpr):
    """Stack the weights of one or two directions, and cast projections.

    A projection of size 0 is left alone. The first programs of a direction
    stack TD channels each; the others cast.
    """
    blocks = tl.cdiv(d, TD)
    to = (conv_weight_p, conv_bias_p, x_proj_p, dt_proj_p, dt_bias_p, A_p, D_p)
    if tl.program_id(0) >= blocks:
        block = (tl.program_id(0) - blocks) * K + tl.program_id(1)
        cast_projections(in_to_p, in_from_p, in_size, out_to_p, out_from_p,
                         out_size, block, TC)
    # A tuple per direction, in either branch: the dtypes may differ.
    elif tl.program_id(1) == 0:
        _stack_direction(to, (conv_weight0_p, conv_bias0_p, x_proj0_p,
                              dt_proj0_p, dt_bias0_p, A0_p, D0_p), 0, d,
                         HAS_BIAS0, LOG_RATES, N, R, Q, TAPS, BN, BT, TD, TR)
    else:
        _stack_direction(to, (conv_weight1_p, conv_bias1_p, x_proj1_p,
                              dt_proj1_p, dt_bias1_p, A1_p, D1_p), 1, d,
                         HAS_BIAS1, LOG_RATES, N, R, Q, TAPS, BN, BT, TD, TR)


_Entries = List[Tuple[tuple, tuple, int]]


@functools.lru_cache(64)
def _memory_layout(
        shapes: Tuple[Tuple[int, ...], ...]) -> Tuple[int, _Entries]:
    """Return the size of the memory; shape, strides, start of each tensor."""
    layout, size = [], 0
    for shape in shapes:
        strides = tuple(math.prod(shape[i + 1:]) for i in range(len(shape)))
        layout.append((shape, strides, size))
        size += ceil_div(math.prod(shape), ALIGNMENT) * ALIGNMENT
    return size, layout


def padded_rank(r: int) -> int:
    """Round a step rank r up to ``RANK_MULTIPLE``."""
    return r + -r % RANK_MULTIPLE


def _shapes(source: Source, dtype: torch.dtype) -> Tuple[tuple, tuple]:
    """Return the shapes inside ``Stacked.full`` and ``Stacked.low``."""
    k, p = len(source.each), source.each[0]
    d, n = p.A.shape
    q, taps = padded_rank(p.dt_proj_weight.shape[1]), p.conv_weight.shape[2]
    full = ((k, d, taps), (k, d), (k, d), (k, n, d), (k, d))
    cast = (tuple(t.shape) for t in source.projections if t.dtype != dtype)
    return full, ((k, q + 2 * n, d), (k, d, q), *cast)


def stacked_sizes(source: Source, dtype: torch.dtype) -> Tuple[int, int]:
    """Return how many numbers ``Stacked.full`` and ``Stacked.low`` hold.

    Args:
        source (Source): The weights; sizes may be symbols.
        dtype (torch.dtype): Dtype of the tokens.

    Returns:
        tuple[int, int]: Numbers of ``full`` and of ``low``.
    """
    # Symbols are unfit for the cache.
    full, low = (
        _memory_layout.__wrapped__(s)[0] for s in _shapes(source, dtype))
    return full, low


def views(stacked: Stacked, source: Source) -> Weights:
    """Return the weights inside the memory of ``stack``.

    Args:
        stacked (Stacked): As returned by ``stack``.
        source (Source): As given to ``stack``.

    Returns:
        Weights: Tensors that share the memory; projections given in the dtype
        of the tokens are those of ``source``.
    """
    full, low = (
        _memory_layout(s)[1] for s in _shapes(source, stacked.low.dtype))
    conv_weight, conv_bias, dt_bias, A, D = (
        stacked.full.as_strided(*entry) for entry in full)
    rest = iter([stacked.low.as_strided(*entry) for entry in low])
    x_proj, dt_proj = next(rest), next(rest)
    projections = tuple(t if t.dtype == stacked.low.dtype else next(rest)
                        for t in source.projections)
    return Weights(conv_weight, conv_bias, x_proj, dt_proj, dt_bias, A, D,
                   projections)


def stack(source: Source, dtype: torch.dtype) -> Tuple[Stacked, Weights]:
    """Stack and cast all weights of a mixer in a single launch.

    Args:
        source (Source): The weights, in any floating dtype and with any
            strides.
        dtype (torch.dtype): Dtype of the tokens.

    Returns:
        tuple: The memory, and the weights inside (see ``views``).
    """
    full, low = (_memory_layout(s)[0] for s in _shapes(source, dtype))
    first, last = source.each[0], source.each[-1]
    stacked = Stacked(
        first.A.new_empty(full, dtype=torch.float32),
        first.A.new_empty(low, dtype=dtype))
    w = views(stacked, source)
    # The kernel needs a pointer even for a missing bias or projection.
    given = [
        p.D if t is None else t if t.is_contiguous() else t.contiguous()
        for p in (first, last) for t in p
    ]
    casts: List[Tuple[Tensor, Tensor]] = [
        (to, t.contiguous()) if to is not t else (first.D, first.D)
        for to, t in zip(w.projections, source.projections)
    ] or [(first.D, first.D)] * 2
    in_size, out_size = (0 if to is t else t.numel() for to, t in casts)
    k, (d, n) = len(source.each), first.A.shape
    r, taps = first.dt_proj_weight.shape[1], first.conv_weight.shape[2]
    blocks = ceil_div(in_size, BLOCK_CAST) + ceil_div(out_size, BLOCK_CAST)
    stack_kernel[ceil_div(d, BLOCK_D) + ceil_div(blocks, k),
                 k](*w[:-1],
                    casts[0][0],
                    casts[1][0],
                    *given,
                    casts[0][1],
                    casts[1][1],
                    d,
                    in_size,
                    out_size,
                    HAS_BIAS0=first.conv_bias is not None,
                    HAS_BIAS1=last.conv_bias is not None,
                    LOG_RATES=source.log_rates,
                    K=k,
                    N=n,
                    R=r,
                    Q=padded_rank(r),
                    TAPS=taps,
                    BN=power_of_2(n),
                    BT=power_of_2(taps),
                    TD=BLOCK_D,
                    TR=BLOCK_R,
                    TC=BLOCK_CAST)
    return stacked, w
