"""Gate and step sizes of a mixer: Triton kernels and their launch."""
from typing import Tuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from ...runtime.host import (GRID_LIMIT, ceil_div, interpreting, on_nvidia,
                             power_of_2)
from ...runtime.triton_launcher import cached_launch
from ...runtime.triton_warp import LOG2E, sigmoid
from ...scan.triton.launch import uses_n16_kernels


@triton.jit
def _softplus(x):
    """Compute log(1 + exp(x)) by a polynomial of log1p(v) / v."""
    v = tl.exp2(-tl.abs(x) * LOG2E)
    p = 0.0052326829 * v - 0.029505193
    p = (((p * v + 0.07822587) * v - 0.1366324) * v + 0.19106004) * v
    p = ((p - 0.24842982) * v + 0.33319098) * v - 0.49999493
    return tl.maximum(x, 0.) + (p * v + 0.99999994) * v


@cached_launch
@triton.jit(do_not_specialize=('m', ))
def _steps_kernel(
        g_p,  # (k, m, q + 2 n): step ranks, B, C
        w_p,  # (k, d, q)
        bias_p,  # (k, d), float32
        delta_p,  # (k, m, d)
        bc_p,  # (k, m, 2 n)
        m,
        d,
        R: tl.constexpr,
        N2: tl.constexpr,
        BR: tl.constexpr,
        BN2: tl.constexpr,
        TM: tl.constexpr,
        TD: tl.constexpr,
        UPCAST: tl.constexpr):
    """Compute ``softplus(w rank + bias)``, and copy B and C."""
    k = tl.program_id(2).to(tl.int64)
    row = tl.program_id(1) * TM + tl.arange(0, TM)[:, None]
    c = tl.program_id(0) * TD + tl.arange(0, TD)[None, :]
    in_m = row < m
    g_row = g_p + (k * m + row) * (R + N2)
    rank = tl.arange(0, BR)
    g = tl.load(
        g_row + rank[None, :], mask=in_m & (rank[None, :] < R), other=0.)
    w = tl.load(
        w_p + (k * d + c) * R + rank[:, None],
        mask=(c < d) & (rank[:, None] < R),
        other=0.)
    if UPCAST:
        g, w = g.to(tl.float32), w.to(tl.float32)
    x = tl.dot(g, w, input_precision='ieee')
    x += tl.load(bias_p + k * d + c, mask=c < d, other=0.)
    tl.store(
        delta_p + (k * m + row) * d + c,
        _softplus(x).to(delta_p.dtype.element_ty),
        mask=in_m & (c < d))
    if tl.program_id(0) == 0:
        n = tl.arange(0, BN2)[None, :]
        bc = tl.load(g_row + R + n, mask=in_m & (n < N2), other=0.)
        tl.store(
            bc_p + (k * m + row) * N2 + n,
            bc.to(bc_p.dtype.element_ty),
            mask=in_m & (n < N2))


@triton.jit
def _sum_directions(y_p, at, md, ok, K: tl.constexpr):
    y = tl.load(y_p + at, mask=ok, other=0.).to(tl.float32)
    if K == 2:
        y += tl.load(y_p + md + at, mask=ok, other=0.).to(tl.float32)
    return y


@cached_launch
@triton.jit(do_not_specialize=('m', ))
def _gate_fwd_kernel(
        y_p,  # (k, m, d)
        xz_p,  # (m, 2 d), the gate in the second half
        o_p,  # (m, d)
        sum_p,  # (m, d), output ``sum(y)`` if KEEP
        m,
        d,
        K: tl.constexpr,
        KEEP: tl.constexpr,
        TM: tl.constexpr,
        TD: tl.constexpr,
        USE_PTX: tl.constexpr):
    """Compute ``sum(y) * silu(z)``."""
    row = tl.program_id(1).to(tl.int64) * TM + tl.arange(0, TM)[:, None]
    c = tl.program_id(0) * TD + tl.arange(0, TD)[None, :]
    ok = (row < m) & (c < d)
    at = row * d + c
    md = m.to(tl.int64) * d
    y = _sum_directions(y_p, at, md, ok, K)
    z = tl.load(xz_p + row * 2 * d + d + c, mask=ok, other=0.).to(tl.float32)
    if KEEP:
        tl.store(sum_p + at, y.to(sum_p.dtype.element_ty), mask=ok)
    o = y * z * sigmoid(z, USE_PTX)
    tl.store(o_p + at, o.to(o_p.dtype.element_ty), mask=ok)


@cached_launch
@triton.jit(do_not_specialize=('m', ))
def _gate_bwd_kernel(
        do_p,  # (m, d)
        sum_p,  # (m, d), y summed over directions
        xz_p,  # (m, 2 d), the gate in the second half
        o_p,  # (m, d)
        dy_p,  # (m, d)
        dxz_p,  # (m, 2 d), output: the gate's gradient, in the second half
        m,
        d,
        TM: tl.constexpr,
        TD: tl.constexpr,
        USE_PTX: tl.constexpr):
    """Recompute ``sum(y) * silu(z)``, and compute the gradients."""
    row = tl.program_id(1).to(tl.int64) * TM + tl.arange(0, TM)[:, None]
    c = tl.program_id(0) * TD + tl.arange(0, TD)[None, :]
    ok = (row < m) & (c < d)
    at = row * d + c
    y = tl.load(sum_p + at, mask=ok, other=0.).to(tl.float32)
    z_at = row * 2 * d + d + c
    z = tl.load(xz_p + z_at, mask=ok, other=0.).to(tl.float32)
    do = tl.load(do_p + at, mask=ok, other=0.).to(tl.float32)
    gate = sigmoid(z, USE_PTX)
    silu = z * gate
    dz = do * y * gate * (1. + z * (1. - gate))
    tl.store(o_p + at, (y * silu).to(o_p.dtype.element_ty), mask=ok)
    tl.store(dy_p + at, (do * silu).to(dy_p.dtype.element_ty), mask=ok)
    tl.store(dxz_p + z_at, dz.to(dxz_p.dtype.element_ty), mask=ok)


def _tiles(m: int,
           d: int,
           height: int = 32,
           width: int = 128) -> Tuple[dict, tuple]:
    """Return tile sizes and grid of the kernels over (m, d)."""
    width = min(width, max(16, power_of_2(d)))
    while ceil_div(m, height) > GRID_LIMIT:
        height *= 2
    return dict(TM=height, TD=width), (ceil_div(d, width), ceil_div(m, height))


def project_steps(g: Tensor, w: Tensor, bias: Tensor, n: int, b: int,
                  l: int) -> Tuple[Tensor, Tensor]:
    """Compute the step sizes, and copy B and C to a tensor of their own.

    Args:
        g (Tensor): Step ranks, B and C, shape (k, b * l, q + 2 * n).
        w (Tensor): Projection of the ranks, shape (k, d, q).
        bias (Tensor): Shape (k, d), float32.
        n (int): States.
        b, l (int): Samples and tokens.

    Returns:
        tuple: Step sizes after softplus (k, b, l, d), dtype of ``g``, and B
        and C (k, b, l, 2, n), dtype by ``uses_n16_kernels``.
    """
    k, m, _ = g.shape
    d, r = w.shape[1:]
    delta = g.new_empty(k, b, l, d)
    dtype = g.dtype if uses_n16_kernels(g.dtype, d, n) else torch.float32
    bc = g.new_empty(k, b, l, 2, n, dtype=dtype)
    if m:
        tiles, grid = _tiles(m, d, 64, 64)
        _steps_kernel[(*grid, k)](
            g,
            w,
            bias,
            delta,
            bc,
            m,
            d,
            R=r,
            N2=2 * n,
            BR=max(16, power_of_2(r)),
            BN2=power_of_2(2 * n),
            # Triton's interpreter multiplies bfloat16 as integers.
            UPCAST=interpreting(),
            **tiles)
    return delta, bc


def gate(y: Tensor, xz: Tensor, keep: bool) -> Tuple[Tensor, Tensor]:
    """Gate the outputs of all directions.

    Args:
        y (Tensor): Outputs of the scan, shape (k, b, l, d).
        xz (Tensor): The gate z in its second half, shape (b, l, 2 * d).
        keep (bool): Also return the sum over directions.

    Returns:
        tuple: ``sum(y) * silu(z)`` (b, l, d), and the sum in the dtype of
        ``y``, (b, l, d), or (0, b, l, d) if not kept.
    """
    k, b, l, d = y.shape
    o = xz.new_empty(b, l, d)
    total = y.new_empty((b, l, d) if keep else (0, b, l, d))
    if o.numel():
        tiles, grid = _tiles(b * l, d)
        _gate_fwd_kernel[grid](
            y,
            xz,
            o,
            total,
            b * l,
            d,
            K=k,
            KEEP=keep,
            USE_PTX=on_nvidia(),
            **tiles)
    return o, total


def gate_backward(do: Tensor, total: Tensor, xz: Tensor,
                  dxz: Tensor) -> Tuple[Tensor, Tensor]:
    """Differentiate ``gate``.

    Args:
        do (Tensor): Gradient of the gated output, shape (b, l, d).
        total (Tensor): Sum over directions, as returned by ``gate`` with
            ``keep``, shape (b, l, d).
        xz (Tensor): As given to ``gate``.
        dxz (Tensor): Output argument, shape (b, l, 2 * d): the gate's
            gradient, in the second half.

    Returns:
        tuple: The gated output, recomputed, and the gradient of every
        direction's output, shape (b, l, d) each.
    """
    b, l, d = do.shape
    o, dy = torch.empty_like(do), torch.empty_like(do)
    if o.numel():
        tiles, grid = _tiles(b * l, d)
        _gate_bwd_kernel[grid](
            do, total, xz, o, dy, dxz, b * l, d, USE_PTX=on_nvidia(), **tiles)
    return o, dy
