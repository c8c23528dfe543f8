"""Gradients of a mixer's weights, from all partial sums in one launch."""
from typing import List, NamedTuple, Tuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from ...runtime.host import ceil_div
from ...runtime.triton_launcher import cached_launch
from ...runtime.triton_pack import store_rounded
from .weights import BLOCK_CAST, Source, Weights, cast_projections

# Rows and columns of a tile over the partial sums of the convolution, whose
# rows are many, and of the others.
CONV_TILE = 256, 32
TILE = 32, 128


class WeightParts(NamedTuple):
    """Partial sums of the gradients of a mixer's weights.

    Attributes:
        conv (Tensor): See ``conv_backward``, shape (programs, k, taps + 1,
            d), float32.
        scan (Tensor): ``Gradients.sums`` of the scan, shape (rows, n + 2,
            d), float32.
        scan_rows (tuple[int, ...]): ``Gradients.rows`` of the scan.
        x_proj (Tensor): By sample, shape (k, b, q + 2 * n, d).
        dt_proj (Tensor): By sample, shape (k, b, d, q).
        projections (tuple[Tensor, ...]): Gradients of both projections, in
            the dtype of the tokens. Defaults to (): an op without.
    """
    conv: Tensor
    scan: Tensor
    scan_rows: Tuple[int, ...]
    x_proj: Tensor
    dt_proj: Tensor
    projections: Tuple[Tensor, ...] = ()


@triton.jit
def _sum_rows(p, first, last, width, column, ok, TR: tl.constexpr,
              TD: tl.constexpr):
    """Add up TD columns over rows of that width, from first to last."""
    row = first + tl.arange(0, TR)[:, None]
    step = tl.full([], TR, tl.int64) * width
    p += row.to(tl.int64) * width + column[None, :]
    total = tl.zeros([TR, TD], tl.float32)
    for _ in range(tl.cdiv(last - first, TR)):
        x = tl.load(p, mask=(row < last) & ok[None, :], other=0.)
        total += x.to(tl.float32)
        row += TR
        p += step
    return tl.sum(total, axis=0)


@triton.jit
def _finish_conv(weight_p, bias_p, parts_p, block, k, d, rows,
                 HAS_BIAS: tl.constexpr, K: tl.constexpr, TAPS: tl.constexpr,
                 TR: tl.constexpr, TD: tl.constexpr):
    """Add up over programs; taps become the last axis."""
    width = (TAPS + 1) * d
    at = block * TD + tl.arange(0, TD)
    x = _sum_rows(parts_p + k * width, 0, rows, K * width, at, at < width, TR,
                  TD)
    tap = at // d
    c = at - tap * d
    store_rounded(weight_p + c * TAPS + tap, x, tap < TAPS)
    if HAS_BIAS:
        store_rounded(bias_p + c, x, tap == TAPS)


@triton.jit
def _finish_scan(dA_p, D_p, bias_p, parts_p, A_p, block, k, d, first, last,
                 LOG_RATES: tl.constexpr, N: tl.constexpr, TR: tl.constexpr,
                 TD: tl.constexpr):
    """Add up over the chunks of a direction; states become the last axis."""
    width = (N + 2) * d
    at = block * TD + tl.arange(0, TD)
    x = _sum_rows(parts_p, first, last, width, at, at < width, TR, TD)
    n = at // d
    c = at - n * d
    store_rounded(D_p + c, x, n == N)
    store_rounded(bias_p + c, x, n == N + 1)
    if LOG_RATES:
        # The rates are -exp of the weight, and so is their slope.
        x *= tl.load(A_p + k * N * d + at, mask=n < N, other=0.)
    store_rounded(dA_p + c * N + n, x, n < N)


@triton.jit
def _finish_x_proj(to_p, parts_p, block, k, d, b, N: tl.constexpr,
                   R: tl.constexpr, Q: tl.constexpr, TR: tl.constexpr,
                   TD: tl.constexpr):
    """Add up over samples, without the rows added to the ranks."""
    width = (Q + 2 * N) * d
    at = block * TD + tl.arange(0, TD)
    ok = at < width
    x = _sum_rows(parts_p + k.to(tl.int64) * b * width, 0, b, width, at, ok,
                  TR, TD)
    store_rounded(to_p + tl.where(at < Q * d, at, at - (Q - R) * d), x,
                  ok & ((at < R * d) | (at >= Q * d)))


@triton.jit
def _finish_dt_proj(to_p, parts_p, block, k, d, b, R: tl.constexpr,
                    Q: tl.constexpr, TR: tl.constexpr, TD: tl.constexpr):
    """Add up over samples, without the columns added to the ranks."""
    width = d * Q
    at = block * TD + tl.arange(0, TD)
    ok = at < width
    x = _sum_rows(parts_p + k.to(tl.int64) * b * width, 0, b, width, at, ok,
                  TR, TD)
    c = at // Q
    rank = at - c * Q
    store_rounded(to_p + c * R + rank, x, ok & (rank < R))


@triton.jit
def _finish_direction(to, parts, A_p, k, d, conv_rows, first_row, last_row, b,
                      HAS_BIAS: tl.constexpr, LOG_RATES: tl.constexpr,
                      K: tl.constexpr, N: tl.constexpr, R: tl.constexpr,
                      Q: tl.constexpr, TAPS: tl.constexpr, CR: tl.constexpr,
                      CD: tl.constexpr, TR: tl.constexpr, TD: tl.constexpr):
    """Finish a block of columns of a weight of direction k.

    Weights are flat rows here; the index of a number is split where the place
    in the gradient differs from the one in the partial sums.
    """
    block = tl.program_id(0)
    scan = tl.cdiv((TAPS + 1) * d, CD)
    x_proj = scan + tl.cdiv((N + 2) * d, TD)
    dt_proj = x_proj + tl.cdiv((Q + 2 * N) * d, TD)
    # The convolution first: its programs take longest.
    if block < scan:
        _finish_conv(to[0], to[1], parts[0], block, k, d, conv_rows, HAS_BIAS,
                     K, TAPS, CR, CD)
    elif block < x_proj:
        _finish_scan(to[5], to[6], to[4], parts[1], A_p, block - scan, k, d,
                     first_row, last_row, LOG_RATES, N, TR, TD)
    elif block < dt_proj:
        _finish_x_proj(to[2], parts[2], block - x_proj, k, d, b, N, R, Q, TR,
                       TD)
    else:
        _finish_dt_proj(to[3], parts[3], block - dt_proj, k, d, b, R, Q, TR,
                        TD)


@cached_launch
@triton.jit(
    do_not_specialize=('conv_rows', 'row0', 'row1', 'row2', 'b', 'blocks'))
def finish_kernel(
        conv_p,  # (programs, k, taps + 1, d), float32
        scan_p,  # (rows, n + 2, d), float32
        x_proj_p,  # (k, b, q + 2 n, d)
        dt_proj_p,  # (k, b, d, q)
        A_p,  # (k, n, d), float32
        in_from_p,  # (2 d, c)
        out_from_p,  # (c, d)
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
        in_to_p,  # (2 d, c)
        out_to_p,  # (c, d)
        conv_rows,
        row0,
        row1,
        row2,
        b,
        blocks,
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
        CR: tl.constexpr,
        CD: tl.constexpr,
        TR: tl.constexpr,
        TD: tl.constexpr,
        TC: tl.constexpr):
    """Add up, cast and move the gradients of all weights to their places.

    The first programs of a direction take a block of columns of a weight
    each; the others cast the gradients of the projections, but for a
    projection of size 0.
    """
    parts = (conv_p, scan_p, x_proj_p, dt_proj_p)
    k = tl.program_id(1)
    if tl.program_id(0) >= blocks:
        cast_projections(in_to_p, in_from_p, in_size, out_to_p, out_from_p,
                         out_size, (tl.program_id(0) - blocks) * K + k, TC)
    # A tuple per direction, in either branch: the dtypes may differ.
    elif k == 0:
        _finish_direction((conv_weight0_p, conv_bias0_p, x_proj0_p, dt_proj0_p,
                           dt_bias0_p, A0_p, D0_p), parts, A_p, k, d,
                          conv_rows, row0, row1, b, HAS_BIAS0, LOG_RATES, K, N,
                          R, Q, TAPS, CR, CD, TR, TD)
    else:
        _finish_direction((conv_weight1_p, conv_bias1_p, x_proj1_p, dt_proj1_p,
                           dt_bias1_p, A1_p, D1_p), parts, A_p, k, d,
                          conv_rows, row1, row2, b, HAS_BIAS1, LOG_RATES, K, N,
                          R, Q, TAPS, CR, CD, TR, TD)


def finish(parts: WeightParts, w: Weights, source: Source) -> List[Tensor]:
    """Turn partial sums into the gradients of all weights in one launch.

    Args:
        parts (WeightParts): The partial sums.
        w (Weights): The stacked weights.
        source (Source): The weights as given to the op.

    Returns:
        list[Tensor]: Gradients in the order of ``source.projections``, then
        of each direction's weights without a missing bias. A gradient is
        contiguous, in separate memory, in the dtype and shape of the weight.
    """
    each = source.each
    first, last = each[0], each[-1]
    grads = [[
        None if t is None else torch.empty(
            t.shape, dtype=t.dtype, device=t.device) for t in p
    ] for p in each]
    some = parts.scan
    # The kernel needs a pointer even for a missing bias or projection.
    outs = [some if g is None else g for p in (grads[0], grads[-1]) for g in p]
    casts = []
    for t, g in zip(source.projections, parts.projections):
        casts.append((g, g if g.dtype == t.dtype else torch.empty(
            t.shape, dtype=t.dtype, device=t.device)))
    projections = [to for _, to in casts]
    if not casts:
        casts = [(some, some)] * 2
    in_size, out_size = (0 if g is to else g.numel() for g, to in casts)
    k, (d, n) = len(each), first.A.shape
    q, taps = parts.dt_proj.shape[3], first.conv_weight.shape[2]
    blocks = ceil_div((taps + 1) * d, CONV_TILE[1]) + sum(
        ceil_div(rows * d, TILE[1]) for rows in (n + 2, q + 2 * n, q))
    cast = ceil_div(in_size, BLOCK_CAST) + ceil_div(out_size, BLOCK_CAST)
    finish_kernel[blocks + ceil_div(cast, k),
                  k](parts.conv,
                     parts.scan,
                     parts.x_proj,
                     parts.dt_proj,
                     w.A,
                     casts[0][0],
                     casts[1][0],
                     *outs,
                     casts[0][1],
                     casts[1][1],
                     len(parts.conv),
                     *parts.scan_rows[:2],
                     parts.scan_rows[-1],
                     parts.x_proj.shape[1],
                     blocks,
                     d,
                     in_size,
                     out_size,
                     HAS_BIAS0=first.conv_bias is not None,
                     HAS_BIAS1=last.conv_bias is not None,
                     LOG_RATES=source.log_rates,
                     K=k,
                     N=n,
                     R=first.dt_proj_weight.shape[1],
                     Q=q,
                     TAPS=taps,
                     CR=CONV_TILE[0],
                     CD=CONV_TILE[1],
                     TR=TILE[0],
                     TD=TILE[1],
                     TC=BLOCK_CAST)
    return projections + [g for p in grads for g in p if g is not None]
