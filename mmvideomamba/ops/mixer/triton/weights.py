"""Weights of a mixer's directions, stacked for the Triton kernels."""
import functools
import math
from typing import List, NamedTuple, Sequence, Tuple

import torch
import torch.nn.functional as F
import triton
import triton.language as tl
from torch import Tensor

from ...runtime.host import ceil_div, power_of_2
from ...runtime.triton_launcher import cached_launch
from ..api import ScanParams

# Ranks are rounded up to a multiple of this: 16 bytes in half precision.
RANK_MULTIPLE = 8
# Channels of a program, and rows of a projection per iteration.
BLOCK_D = 32
BLOCK_R = 32
# Tensors in shared memory begin at multiples of this many numbers.
ALIGNMENT = 64


class Weights(NamedTuple):
    """``ScanParams`` of k directions, stacked.

    Shapes: conv_weight (k, d, taps), conv_bias (k, d), x_proj (k, q + 2 n,
    d), dt_proj (k, d, q), dt_bias (k, d), A (k, n, d), D (k, d). The two
    projections have the dtype of the tokens, the rest is float32. The rank q
    is r, rounded up with zeros: other products are slow on a GPU.
    """
    conv_weight: Tensor
    conv_bias: Tensor
    x_proj: Tensor
    dt_proj: Tensor
    dt_bias: Tensor
    A: Tensor
    D: Tensor


@triton.jit
def _copy(to_p, from_p, inside, wanted):
    """Copy where inside, write zeros where only wanted."""
    x = tl.load(from_p, mask=inside, other=0.).to(tl.float32)
    tl.store(to_p, x.to(to_p.dtype.element_ty), mask=wanted)


@triton.jit
def _stack_direction(to, source, k, d, HAS_BIAS: tl.constexpr, N: tl.constexpr,
                     R: tl.constexpr, Q: tl.constexpr, TAPS: tl.constexpr,
                     BN: tl.constexpr, BT: tl.constexpr, TD: tl.constexpr,
                     TR: tl.constexpr):
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
    _copy(to[5] + (k * N + n) * d + c[:, None], source[5] + c[:, None] * N + n,
          ok_n, ok_n)
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
        d,
        HAS_BIAS0: tl.constexpr,
        HAS_BIAS1: tl.constexpr,
        N: tl.constexpr,
        R: tl.constexpr,
        Q: tl.constexpr,
        TAPS: tl.constexpr,
        BN: tl.constexpr,
        BT: tl.constexpr,
        TD: tl.constexpr,
        TR: tl.constexpr):
    """Copy the weights of one or two directions next to each other."""
    to = (conv_weight_p, conv_bias_p, x_proj_p, dt_proj_p, dt_bias_p, A_p, D_p)
    # A tuple per direction, in either branch: the dtypes may differ.
    if tl.program_id(1) == 0:
        _stack_direction(to, (conv_weight0_p, conv_bias0_p, x_proj0_p,
                              dt_proj0_p, dt_bias0_p, A0_p, D0_p), 0, d,
                         HAS_BIAS0, N, R, Q, TAPS, BN, BT, TD, TR)
    else:
        _stack_direction(to, (conv_weight1_p, conv_bias1_p, x_proj1_p,
                              dt_proj1_p, dt_bias1_p, A1_p, D1_p), 1, d,
                         HAS_BIAS1, N, R, Q, TAPS, BN, BT, TD, TR)


@functools.lru_cache(64)
def _memory_layout(
    shapes: Tuple[Tuple[int, ...], ...]
) -> Tuple[int, List[Tuple[tuple, tuple, int]]]:
    """Return the size of the memory; shape, strides, start of each tensor."""
    layout, size = [], 0
    for shape in shapes:
        strides = tuple(math.prod(shape[i + 1:]) for i in range(len(shape)))
        layout.append((shape, strides, size))
        size += ceil_div(math.prod(shape), ALIGNMENT) * ALIGNMENT
    return size, layout


def _side_by_side(like: Tensor, dtype: torch.dtype, *shapes:
                  Tuple[int, ...]) -> List[Tensor]:
    """Allocate tensors of these shapes at once."""
    size, layout = _memory_layout(shapes)
    flat = like.new_empty(size, dtype=dtype)
    return [flat.as_strided(*entry) for entry in layout]


def stack(each: Sequence[ScanParams], dtype: torch.dtype) -> Weights:
    """Stack the weights of directions in a single launch.

    Args:
        each (Sequence[ScanParams]): One or two directions of equal sizes.
        dtype (torch.dtype): Dtype of the tokens.

    Returns:
        Weights: Tensors that share memory, bit for bit those of
        ``stack_compilable``.
    """
    k, first, last = len(each), each[0], each[-1]
    d, n = first.A.shape
    r, taps = first.dt_proj_weight.shape[1], first.conv_weight.shape[2]
    q = r + -r % RANK_MULTIPLE
    conv_weight, conv_bias, dt_bias, A, D = _side_by_side(
        first.A, torch.float32, (k, d, taps), (k, d), (k, d), (k, n, d),
        (k, d))
    x_proj, dt_proj = _side_by_side(first.A, dtype, (k, q + 2 * n, d),
                                    (k, d, q))
    w = Weights(conv_weight, conv_bias, x_proj, dt_proj, dt_bias, A, D)
    # The kernel needs a pointer even for a missing bias.
    source = [(p.D if t is None else t).contiguous() for p in (first, last)
              for t in p]
    stack_kernel[ceil_div(d, BLOCK_D),
                 k](*w,
                    *source,
                    d,
                    HAS_BIAS0=first.conv_bias is not None,
                    HAS_BIAS1=last.conv_bias is not None,
                    N=n,
                    R=r,
                    Q=q,
                    TAPS=taps,
                    BN=power_of_2(n),
                    BT=power_of_2(taps),
                    TD=BLOCK_D,
                    TR=BLOCK_R)
    return w


def stack_compilable(each: Sequence[ScanParams],
                     dtype: torch.dtype) -> Weights:
    """Stack the weights of directions by plain operations.

    torch.compile traces and fuses plain operations; ``stack`` is faster
    elsewhere.

    Args:
        each (Sequence[ScanParams]): One or two directions of equal sizes.
        dtype (torch.dtype): Dtype of the tokens.

    Returns:
        Weights: Same values as ``stack``.
    """
    conv_weight, conv_bias, x_proj, dt_proj, dt_bias, A, D = zip(*each)
    d, r = dt_proj[0].shape
    more = -r % RANK_MULTIPLE
    if more:
        zeros = x_proj[0].new_zeros(more, d)
        parts = [(w[:r], zeros, w[r:]) for w in x_proj]
        x_proj = torch.cat([part for three in parts for part in three])
        x_proj = x_proj.view(len(each), -1, d)
        dt_proj = F.pad(torch.stack(dt_proj), (0, more))
    else:
        x_proj, dt_proj = torch.stack(x_proj), torch.stack(dt_proj)
    conv_bias = [A[0].new_zeros(d) if b is None else b for b in conv_bias]
    return Weights(
        torch.stack(conv_weight).squeeze(2).float(),
        torch.stack(conv_bias).float(), x_proj.to(dtype), dt_proj.to(dtype),
        torch.stack(dt_bias).float(),
        torch.stack([a.t() for a in A]).float(),
        torch.stack(D).float())


def unstack(grads: Weights, each: Sequence[ScanParams]) -> List[ScanParams]:
    """Split the gradients of stacked weights by direction.

    Args:
        grads (Weights): Gradients of the stacked weights.
        each (Sequence[ScanParams]): The weights given to ``stack``.

    Returns:
        list[ScanParams]: Gradients by direction, in the dtype of the weights.
    """
    r, q = each[0].dt_proj_weight.shape[1], grads.dt_proj.shape[2]
    x_proj = grads.x_proj
    if r < q:
        x_proj = torch.cat([x_proj[:, :r], x_proj[:, q:]], 1)
    stacked = (grads.conv_weight.unsqueeze(2), grads.conv_bias,
               x_proj, grads.dt_proj[..., :r], grads.dt_bias,
               grads.A.transpose(1, 2), grads.D)
    source = zip(*(g.unbind() for g in stacked))
    return [
        ScanParams(*(None if w is None else g.to(w.dtype)
                     for g, w in zip(of_one, p)))
        for of_one, p in zip(source, each)
    ]
