"""Step sizes of a mixer: projection of the ranks, bias and softplus."""
from typing import Tuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from ...runtime.host import interpreting, power_of_2
from ...runtime.triton_launcher import cached_launch
from ...runtime.triton_warp import LOG2E
from ...scan.triton.launch import uses_n16_kernels
from .tiles import tiles_and_grid

# Rows and channels of a tile.
TILE = 64


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
def step_sizes_kernel(
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


def project_steps(g: Tensor, w: Tensor, bias: Tensor, n: int, b: int,
                  l: int) -> Tuple[Tensor, Tensor]:
    """Compute the step sizes, and copy B and C to a tensor of their own.

    Args:
        g (Tensor): Step ranks, B and C, shape (k, b * l, q + 2 * n).
        w (Tensor): Projection of the ranks, shape (k, d, q).
        bias (Tensor): Shape (k, d), float32.
        n (int): States.
        b (int): Samples.
        l (int): Tokens of a sample.

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
        tiles, plane = tiles_and_grid(m, d, TILE, TILE)
        # By name: for mypy, a star in the brackets needs Python 3.11.
        grid = (*plane, k)
        step_sizes_kernel[grid](
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
