"""Gate of a mixer, applied once to the sum of both directions."""
from typing import Tuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from ...runtime.host import on_nvidia
from ...runtime.triton_launcher import cached_launch
from ...runtime.triton_warp import sigmoid
from .tiles import tiles_and_grid


@triton.jit
def _sum_directions(y_p, at, md, ok, K: tl.constexpr):
    y = tl.load(y_p + at, mask=ok, other=0.).to(tl.float32)
    if K == 2:
        y += tl.load(y_p + md + at, mask=ok, other=0.).to(tl.float32)
    return y


@cached_launch
@triton.jit(do_not_specialize=('m', ))
def gate_fwd_kernel(
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
def gate_bwd_kernel(
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
        tiles, grid = tiles_and_grid(b * l, d)
        gate_fwd_kernel[grid](
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
        tiles, grid = tiles_and_grid(b * l, d)
        gate_bwd_kernel[grid](
            do, total, xz, o, dy, dxz, b * l, d, USE_PTX=on_nvidia(), **tiles)
    return o, dy
