"""The whole mixer on Triton kernels, keeping only its input for backward.

Between the projections run: the convolution of both directions, one batched
product each for ``x_proj`` and (with bias and softplus) ``dt_proj``, both
scans in one launch, and the gate. Backward runs them again before it
differentiates them, so nothing but the input is stored.
"""
from typing import List, NamedTuple, Optional, Tuple

import torch
import torch.nn.functional as F
import triton
import triton.language as tl
from torch import Tensor

from .backends import interpreting
from .causal_conv1d_triton import conv_backward, conv_forward
from .scan_launch_triton import scan_backward, scan_forward, uses_lanes
from .selective_scan import ScanParams

LOG2E = tl.constexpr(1.4426950408889634)


@triton.jit
def _softplus(x):
    """Compute log(1 + exp(x)); the polynomial is of log1p(v) / v."""
    v = tl.exp2(-tl.abs(x) * LOG2E)
    p = 0.0052326829 * v - 0.029505193
    p = (((p * v + 0.07822587) * v - 0.1366324) * v + 0.19106004) * v
    p = ((p - 0.24842982) * v + 0.33319098) * v - 0.49999493
    return tl.maximum(x, 0.) + (p * v + 0.99999994) * v


@triton.jit
def _steps_kernel(
        g_p,  # (k, m, r + 2 n): step ranks, B, C
        w_p,  # (k, d, r)
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
    """Compute ``softplus(w rank + bias)``, and set B and C apart."""
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


@triton.jit
def _gate_fwd_kernel(
        y_p,  # (k, m, d)
        xz_p,  # (m, 2 d), the gate in the second half
        o_p,  # (m, d)
        m,
        d,
        K: tl.constexpr,
        TM: tl.constexpr,
        TD: tl.constexpr):
    """Compute ``sum(y) * silu(z)``."""
    row = tl.program_id(1).to(tl.int64) * TM + tl.arange(0, TM)[:, None]
    c = tl.program_id(0) * TD + tl.arange(0, TD)[None, :]
    ok = (row < m) & (c < d)
    at = row * d + c
    md = m.to(tl.int64) * d
    y = _sum_directions(y_p, at, md, ok, K)
    z = tl.load(xz_p + row * 2 * d + d + c, mask=ok, other=0.).to(tl.float32)
    o = y * z / (1. + tl.exp2(-z * LOG2E))
    tl.store(o_p + at, o.to(o_p.dtype.element_ty), mask=ok)


@triton.jit
def _gate_bwd_kernel(
        do_p,  # (m, d)
        y_p,  # (k, m, d)
        xz_p,  # (m, 2 d), the gate in the second half
        o_p,  # (m, d)
        dy_p,  # (m, d)
        dxz_p,  # (m, 2 d), takes the gate's gradient in its second half
        m,
        d,
        K: tl.constexpr,
        TM: tl.constexpr,
        TD: tl.constexpr):
    """Compute ``sum(y) * silu(z)`` again, and its gradients."""
    row = tl.program_id(1).to(tl.int64) * TM + tl.arange(0, TM)[:, None]
    c = tl.program_id(0) * TD + tl.arange(0, TD)[None, :]
    ok = (row < m) & (c < d)
    at = row * d + c
    md = m.to(tl.int64) * d
    y = _sum_directions(y_p, at, md, ok, K)
    z_at = row * 2 * d + d + c
    z = tl.load(xz_p + z_at, mask=ok, other=0.).to(tl.float32)
    do = tl.load(do_p + at, mask=ok, other=0.).to(tl.float32)
    gate = 1. / (1. + tl.exp2(-z * LOG2E))
    silu = z * gate
    dz = do * y * gate * (1. + z * (1. - gate))
    tl.store(o_p + at, (y * silu).to(o_p.dtype.element_ty), mask=ok)
    tl.store(dy_p + at, (do * silu).to(dy_p.dtype.element_ty), mask=ok)
    tl.store(dxz_p + z_at, dz.to(dxz_p.dtype.element_ty), mask=ok)


class Weights(NamedTuple):
    """``ScanParams`` of k directions, stacked.

    Shapes: conv_weight (k, d, taps), conv_bias (k, d), x_proj (k, r + 2 n,
    d), dt_proj (k, d, r), dt_bias (k, d), A (k, d, n), D (k, d). The two
    projections have the dtype of the tokens, the rest is float32.
    """
    conv_weight: Tensor
    conv_bias: Tensor
    x_proj: Tensor
    dt_proj: Tensor
    dt_bias: Tensor
    A: Tensor
    D: Tensor


def _stack(forward: Optional[ScanParams], backward: Optional[ScanParams],
           dtype: torch.dtype) -> Tuple[Weights, int]:
    """Stack the directions' weights; bit i of the int: i runs backward."""
    each = [p for p in (forward, backward) if p is not None]
    reversed_ = 0 if backward is None else 1 << (len(each) - 1)
    stacked = [
        torch.stack([
            p.A.new_zeros(p.A.shape[0]) if p[i] is None else p[i] for p in each
        ]) for i in range(len(ScanParams._fields))
    ]
    conv_weight, conv_bias, x_proj, dt_proj, dt_bias, A, D = stacked
    return Weights(
        conv_weight.squeeze(2).float(), conv_bias.float(), x_proj.to(dtype),
        dt_proj.to(dtype), dt_bias.float(), A.float(), D.float()), reversed_


class Inside(NamedTuple):
    """What the forward pass makes between the projections.

    Shapes, with m = b * l: s (k, b, l, d), g (k, m, r + 2 n), delta
    (k, b, l, d), bc (k, b, l, 2, n), y (k, b, l, d), states.
    """
    s: Tensor
    g: Tensor
    delta: Tensor
    bc: Tensor
    y: Tensor
    states: Tensor


def _tiles(m: int, d: int) -> Tuple[dict, tuple]:
    """Return tile sizes and grid of the kernels over (m, d)."""
    width = min(128, max(16, triton.next_power_of_2(d)))
    tiles = dict(TM=32, TD=width)
    return tiles, (triton.cdiv(d, width), triton.cdiv(m, 32))


def _steps(g: Tensor, w: Weights, b: int, l: int) -> Tuple[Tensor, Tensor]:
    """Return the step sizes (k, b, l, d), and B and C (k, b, l, 2, n)."""
    k, m, _ = g.shape
    d, r = w.dt_proj.shape[1:]
    n = w.A.shape[2]
    delta = g.new_empty(k, b, l, d)
    dtype = g.dtype if uses_lanes(g.dtype, d, n) else torch.float32
    bc = g.new_empty(k, b, l, 2, n, dtype=dtype)
    if m:
        tiles, grid = _tiles(m, d)
        _steps_kernel[(*grid, k)](
            g,
            w.dt_proj,
            w.dt_bias,
            delta,
            bc,
            m,
            d,
            R=r,
            N2=2 * n,
            BR=max(16, triton.next_power_of_2(r)),
            BN2=triton.next_power_of_2(2 * n),
            # Triton's interpreter multiplies bfloat16 as integers.
            UPCAST=interpreting(),
            **tiles)
    return delta, bc


def _inside_forward(xz: Tensor, w: Weights, reversed_: int,
                    keep: bool) -> Inside:
    """Compute everything up to the gate."""
    b, l, d = xz.shape[0], xz.shape[1], xz.shape[2] // 2
    s = conv_forward(xz[..., :d], w.conv_weight, w.conv_bias, reversed_, True)
    g = torch.bmm(s.view(s.shape[0], b * l, d), w.x_proj.transpose(1, 2))
    delta, bc = _steps(g, w, b, l)
    # float16 would overflow before the gate.
    y_dtype = torch.float32 if xz.dtype == torch.float16 else xz.dtype
    y, _, states = scan_forward(s, delta, w.A, bc, w.D, reversed_, y_dtype,
                                keep)
    return Inside(s, g, delta, bc, y, states)


def _gate(y: Tensor, xz: Tensor) -> Tensor:
    k, b, l, d = y.shape
    o = xz.new_empty(b, l, d)
    if o.numel():
        tiles, grid = _tiles(b * l, d)
        _gate_fwd_kernel[grid](y, xz, o, b * l, d, K=k, **tiles)
    return o


def _weight_grad(dy: Tensor, x: Tensor, b: int, l: int) -> Tensor:
    """Return ``dy^T x``, shape (k, p, q), of (k, b * l, p) and (k, b * l, q).

    A product per sample keeps a GPU busy, which the few entries of one long
    product do not.
    """
    k = len(dy)
    dy, x = (t.unflatten(1, (b, l)).flatten(0, 1) for t in (dy, x))
    each = torch.bmm(dy.transpose(1, 2), x).unflatten(0, (k, b))
    return each.sum(1, dtype=torch.float32).to(x.dtype)


def _inside_backward(xz: Tensor, w: Weights, reversed_: int,
                     do: Tensor) -> Tuple[Tensor, Tensor, List[Tensor]]:
    """Differentiate what is between the projections.

    Returns:
        tuple: The gated output (b, l, d) once more, the gradient of ``xz``,
        and the gradients of the weights.
    """
    b, l, d = do.shape
    m, r = b * l, w.dt_proj.shape[2]
    x = _inside_forward(xz, w, reversed_, True)
    k = x.s.shape[0]
    o, dy, dxz = (torch.empty_like(t) for t in (do, do, xz))
    if m:
        tiles, grid = _tiles(m, d)
        _gate_bwd_kernel[grid](do, x.y, xz, o, dy, dxz, m, d, K=k, **tiles)
    du, ddelta, dA, dbc, dD, dt_bias = scan_backward(x.s, x.delta, w.A, x.bc,
                                                     w.D, dy, x.states,
                                                     reversed_, True)
    s, g = x.s.view(k, m, d), x.g
    del x, dy
    ddelta = ddelta.view(k, m, d)
    dg = torch.cat([
        torch.bmm(ddelta, w.dt_proj),
        dbc.flatten(3).flatten(1, 2).to(ddelta.dtype)
    ], -1)
    dt_proj = _weight_grad(ddelta, g[..., :r], b, l)
    x_proj = _weight_grad(dg, s, b, l)
    ds = du.view(k, m, d).baddbmm_(dg, w.x_proj)
    dconv, dconv_bias = conv_backward(xz[..., :d], w.conv_weight, w.conv_bias,
                                      ds.view(k, b, l, d), dxz[..., :d],
                                      reversed_, True)
    grads = [dconv, dconv_bias, x_proj, dt_proj, dt_bias, dA, dD]
    return o, dxz, [t.contiguous() for t in grads]


@torch.library.custom_op('mmvideomamba::inside', mutates_args=())
def _inside(xz: Tensor, weights: List[Tensor], reversed_: int) -> Tensor:
    x = _inside_forward(xz, Weights(*weights), reversed_, False)
    return _gate(x.y, xz)


@_inside.register_fake
def _(xz: Tensor, weights: List[Tensor], reversed_: int) -> Tensor:
    return xz.new_empty(xz.shape[0], xz.shape[1], xz.shape[2] // 2)


@torch.library.custom_op('mmvideomamba::inside_backward', mutates_args=())
def _inside_grads(xz: Tensor, weights: List[Tensor], reversed_: int,
                  do: Tensor) -> List[Tensor]:
    _, dxz, grads = _inside_backward(xz, Weights(*weights), reversed_,
                                     do.contiguous())
    return [dxz, *grads]


@_inside_grads.register_fake
def _(xz: Tensor, weights: List[Tensor], reversed_: int,
      do: Tensor) -> List[Tensor]:
    return [torch.empty_like(t) for t in (xz, *weights)]


def _inside_setup(ctx, inputs: tuple, output: Tensor) -> None:
    xz, weights, ctx.reversed_ = inputs
    ctx.save_for_backward(xz, *weights)


def _inside_autograd(ctx, do: Tensor) -> tuple:
    xz, *weights = ctx.saved_tensors
    dxz, *grads = _inside_grads(xz, weights, ctx.reversed_, do)
    return dxz, grads, None


_inside.register_autograd(_inside_autograd, setup_context=_inside_setup)


@torch.library.custom_op('mmvideomamba::mixer', mutates_args=())
def _mixer(x: Tensor, in_weight: Tensor, out_weight: Tensor,
           weights: List[Tensor], reversed_: int) -> Tensor:
    xz = F.linear(x, in_weight)
    inside = _inside_forward(xz, Weights(*weights), reversed_, False)
    return F.linear(_gate(inside.y, xz), out_weight)


@_mixer.register_fake
def _(x: Tensor, in_weight: Tensor, out_weight: Tensor, weights: List[Tensor],
      reversed_: int) -> Tensor:
    return x.new_empty(x.shape[0], x.shape[1], out_weight.shape[0])


@torch.library.custom_op('mmvideomamba::mixer_backward', mutates_args=())
def _mixer_grads(x: Tensor, in_weight: Tensor, out_weight: Tensor,
                 weights: List[Tensor], reversed_: int,
                 dout: Tensor) -> List[Tensor]:
    dout = dout.contiguous()
    xz = F.linear(x, in_weight)
    o, dxz, grads = _inside_backward(xz, Weights(*weights), reversed_,
                                     dout @ out_weight)
    del xz
    dout, o = dout.flatten(0, 1), o.flatten(0, 1)
    d_in = dxz.flatten(0, 1).t() @ x.flatten(0, 1)
    return [dxz @ in_weight, d_in, dout.t() @ o, *grads]


@_mixer_grads.register_fake
def _(x: Tensor, in_weight: Tensor, out_weight: Tensor, weights: List[Tensor],
      reversed_: int, dout: Tensor) -> List[Tensor]:
    return [t.new_empty(t.shape) for t in (x, in_weight, out_weight, *weights)]


def _mixer_setup(ctx, inputs: tuple, output: Tensor) -> None:
    x, in_weight, out_weight, weights, ctx.reversed_ = inputs
    ctx.save_for_backward(x, in_weight, out_weight, *weights)


def _mixer_autograd(ctx, dout: Tensor) -> tuple:
    x, in_weight, out_weight, *weights = ctx.saved_tensors
    dx, d_in, d_out, *grads = _mixer_grads(x, in_weight, out_weight, weights,
                                           ctx.reversed_, dout)
    return dx, d_in, d_out, grads, None


_mixer.register_autograd(_mixer_autograd, setup_context=_mixer_setup)


def _compute_dtype(x: Tensor) -> torch.dtype:
    """Return the dtype of the products: autocast's, else that of x."""
    kind = x.device.type
    if torch.is_autocast_enabled(kind):
        return torch.get_autocast_dtype(kind)
    return x.dtype


def bidirectional_selective_scan(xz: Tensor, forward: Optional[ScanParams],
                                 backward: Optional[ScanParams],
                                 _: str) -> Tensor:
    """Compute the op; see ``ops.bidirectional_selective_scan``."""
    dtype = _compute_dtype(xz)
    weights, reversed_ = _stack(forward, backward, dtype)
    return _inside(xz.to(dtype).contiguous(), list(weights), reversed_)


def bidirectional_mixer(x: Tensor, in_weight: Tensor, out_weight: Tensor,
                        forward: Optional[ScanParams],
                        backward: Optional[ScanParams],
                        in_bias: Optional[Tensor], out_bias: Optional[Tensor],
                        _: str) -> Tensor:
    """Compute the op; see ``ops.bidirectional_mixer``."""
    dtype = _compute_dtype(x)
    weights, reversed_ = _stack(forward, backward, dtype)
    if in_bias is not None:
        xz = F.linear(x, in_weight, in_bias).contiguous()
        y = _inside(xz, list(weights), reversed_)
        return F.linear(y, out_weight, out_bias)
    y = _mixer(
        x.to(dtype).contiguous(), in_weight.to(dtype), out_weight.to(dtype),
        list(weights), reversed_)
    return y if out_bias is None else y + out_bias.to(dtype)
