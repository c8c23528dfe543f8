"""The whole mixer on Triton kernels, keeping only its input for backward.

Between the projections run: the convolution of both directions, one batched
product each for ``x_proj`` and (with bias and softplus) ``dt_proj``, both
scans in one launch, and the gate. Backward runs them again before it
differentiates them, so nothing but the input is stored.
"""
from typing import List, NamedTuple, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
import triton
import triton.language as tl
from torch import Tensor

from .backends import ceil_div, interpreting, power_of_2, traced
from .causal_conv1d_triton import conv_backward, conv_forward
from .scan_launch_triton import (Scanned, scan_backward, scan_forward,
                                 starts_shape, sum_bc, uses_lanes)
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


@triton.jit(do_not_specialize=('m', ))
def _gate_fwd_kernel(
        y_p,  # (k, m, d)
        xz_p,  # (m, 2 d), the gate in the second half
        o_p,  # (m, d)
        sum_p,  # (m, d), takes ``sum(y)`` if KEEP
        m,
        d,
        K: tl.constexpr,
        KEEP: tl.constexpr,
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
    if KEEP:
        tl.store(sum_p + at, y.to(sum_p.dtype.element_ty), mask=ok)
    o = y * z / (1. + tl.exp2(-z * LOG2E))
    tl.store(o_p + at, o.to(o_p.dtype.element_ty), mask=ok)


@triton.jit(do_not_specialize=('m', ))
def _gate_bwd_kernel(
        do_p,  # (m, d)
        sum_p,  # (m, d), y summed over directions
        xz_p,  # (m, 2 d), the gate in the second half
        o_p,  # (m, d)
        dy_p,  # (m, d)
        dxz_p,  # (m, 2 d), takes the gate's gradient in its second half
        m,
        d,
        TM: tl.constexpr,
        TD: tl.constexpr):
    """Compute ``sum(y) * silu(z)`` again, and its gradients."""
    row = tl.program_id(1).to(tl.int64) * TM + tl.arange(0, TM)[:, None]
    c = tl.program_id(0) * TD + tl.arange(0, TD)[None, :]
    ok = (row < m) & (c < d)
    at = row * d + c
    y = tl.load(sum_p + at, mask=ok, other=0.).to(tl.float32)
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

    Shapes: conv_weight (k, d, taps), conv_bias (k, d), x_proj (k, q + 2 n,
    d), dt_proj (k, d, q), dt_bias (k, d), A (k, n, d), D (k, d). The two
    projections have the dtype of the tokens, the rest is float32. Their rank
    q is r, rounded up with zeros: other products are slow on a GPU.
    """
    conv_weight: Tensor
    conv_bias: Tensor
    x_proj: Tensor
    dt_proj: Tensor
    dt_bias: Tensor
    A: Tensor
    D: Tensor


# To what multiple ranks are rounded up: 16 bytes in half precision.
RANKS = 8


def _stack(each: Sequence[ScanParams], dtype: torch.dtype) -> Weights:
    """Stack the weights of directions."""
    conv_weight, conv_bias, x_proj, dt_proj, dt_bias, A, D = zip(*each)
    d, r = dt_proj[0].shape
    more = -r % RANKS
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


def _unstack(grads: Weights, each: Sequence[ScanParams]) -> List[ScanParams]:
    """Take the gradients of directions out of those of their stack."""
    found = []
    for i, p in enumerate(each):
        r, q = p.dt_proj_weight.shape[1], grads.dt_proj.shape[2]
        x_proj = grads.x_proj[i]
        if r < q:
            x_proj = torch.cat([x_proj[:r], x_proj[q:]])
        own = (grads.conv_weight[i].unsqueeze(1), grads.conv_bias[i], x_proj,
               grads.dt_proj[i, :, :r], grads.dt_bias[i], grads.A[i].t(),
               grads.D[i])
        found.append(
            ScanParams(*(None if w is None else g.to(w.dtype)
                         for g, w in zip(own, p))))
    return found


def _directions(forward: Optional[ScanParams],
                backward: Optional[ScanParams]) -> Tuple[list, int]:
    """Return those given; bit i of the int says that i runs backward."""
    each = [p for p in (forward, backward) if p is not None]
    return each, 0 if backward is None else 1 << (len(each) - 1)


class Kept(NamedTuple):
    """What the forward pass makes and backward does not make again.

    Attributes:
        starts (Tensor): See ``Scanned``.
        y (Tensor): Outputs of the scan, summed over directions, shape
            (b, l, d); (0, b, l, d) if there will be no backward.
    """
    starts: Tensor
    y: Tensor


class Inside(NamedTuple):
    """What the forward pass makes between the projections.

    Shapes, with m = b * l: s (k, b, l, d), g (k, m, q + 2 n), delta
    (k, b, l, d), bc (k, b, l, 2, n); what the scan returns.
    """
    s: Tensor
    g: Tensor
    delta: Tensor
    bc: Tensor
    scanned: Scanned


def _tiles(m: int, d: int) -> Tuple[dict, tuple]:
    """Return tile sizes and grid of the kernels over (m, d)."""
    width = min(128, max(16, power_of_2(d)))
    tiles = dict(TM=32, TD=width)
    return tiles, (ceil_div(d, width), ceil_div(m, 32))


def _steps(g: Tensor, w: Weights, b: int, l: int) -> Tuple[Tensor, Tensor]:
    """Return the step sizes (k, b, l, d), and B and C (k, b, l, 2, n)."""
    k, m, _ = g.shape
    d, r = w.dt_proj.shape[1:]
    n = w.A.shape[1]
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
            BR=max(16, power_of_2(r)),
            BN2=power_of_2(2 * n),
            # Triton's interpreter multiplies bfloat16 as integers.
            UPCAST=interpreting(),
            **tiles)
    return delta, bc


def _output_dtype(x: Tensor) -> torch.dtype:
    """Return the dtype of the scan's outputs for tokens x."""
    # float16 would overflow before the gate.
    return torch.float32 if x.dtype == torch.float16 else x.dtype


def _inside_forward(xz: Tensor,
                    w: Weights,
                    reversed_: int,
                    again: Optional[Kept] = None) -> Inside:
    """Compute everything up to the gate, or what backward needs of it."""
    b, l, d = xz.shape[0], xz.shape[1], xz.shape[2] // 2
    s = conv_forward(xz[..., :d], w.conv_weight, w.conv_bias, reversed_, True)
    g = torch.bmm(s.view(s.shape[0], b * l, d), w.x_proj.transpose(1, 2))
    delta, bc = _steps(g, w, b, l)
    return Inside(
        s, g, delta, bc,
        scan_forward(
            s,
            delta,
            w.A,
            bc,
            w.D,
            reversed_,
            _output_dtype(xz),
            keep=again is not None,
            starts=again and again.starts,
            with_y=again is None))


def _gate(y: Tensor, xz: Tensor, keep: bool) -> Tuple[Tensor, Tensor]:
    """Return ``sum(y) * silu(z)``, and the sum if it is to be kept."""
    k, b, l, d = y.shape
    o = xz.new_empty(b, l, d)
    total = y.new_empty((b, l, d) if keep else (0, b, l, d))
    if o.numel():
        tiles, grid = _tiles(b * l, d)
        _gate_fwd_kernel[grid](
            y, xz, o, total, b * l, d, K=k, KEEP=keep, **tiles)
    return o, total


def _weight_grad(dy: Tensor, x: Tensor, b: int, l: int) -> Tensor:
    """Return ``dy^T x``, (k, p, q), float32, of (k, b * l, p) and (..., q).

    A product per sample keeps a GPU busy, which the few entries of one long
    product do not.
    """
    k = len(dy)
    dy, x = (t.unflatten(1, (b, l)).flatten(0, 1) for t in (dy, x))
    each = torch.bmm(dy.transpose(1, 2), x).unflatten(0, (k, b))
    return each.sum(1, dtype=torch.float32)


def _inside_backward(xz: Tensor, w: Weights, reversed_: int, kept: Kept,
                     do: Tensor) -> Tuple[Tensor, Tensor, Weights]:
    """Differentiate what is between the projections.

    Returns:
        tuple: The gated output (b, l, d) once more, the gradient of ``xz``,
        and the gradients of the weights, float32.
    """
    b, l, d = do.shape
    m, q = b * l, w.dt_proj.shape[2]
    x = _inside_forward(xz, w, reversed_, kept)
    k = x.s.shape[0]
    o, dy, dxz = (torch.empty_like(t) for t in (do, do, xz))
    if m:
        tiles, grid = _tiles(m, d)
        _gate_bwd_kernel[grid](do, kept.y, xz, o, dy, dxz, m, d, **tiles)
    grads = scan_backward(x.s, x.delta, w.A, x.bc, w.D, dy, x.scanned.states,
                          reversed_, True)
    s, g = x.s.view(k, m, d), x.g
    lanes = x.bc.dtype != torch.float32
    del x, dy
    ddelta = grads.delta.view(k, m, d)
    ranks = torch.bmm(ddelta, w.dt_proj)
    dg = sum_bc(grads.bc, ranks.flatten(0, 1), lanes).view(g.shape)
    dt_proj = _weight_grad(ddelta, g[..., :q], b, l)
    x_proj = _weight_grad(dg, s, b, l)
    ds = grads.u.view(k, m, d).baddbmm_(dg, w.x_proj)
    dconv, dconv_bias = conv_backward(xz[..., :d], w.conv_weight, w.conv_bias,
                                      ds.view(k, b, l, d), dxz[..., :d],
                                      reversed_, True)
    return o, dxz, Weights(dconv, dconv_bias, x_proj, dt_proj, grads.bias,
                           grads.A, grads.D)


def _inside_run(xz: Tensor, w: Weights, reversed_: int,
                keep: bool) -> Tuple[Tensor, Kept]:
    """Return the gated output, and what to keep for backward."""
    x = _inside_forward(xz, w, reversed_).scanned
    o, y = _gate(x.y, xz, keep)
    return o, Kept(x.starts, y)


def _mixer_run(x: Tensor, in_weight: Tensor, out_weight: Tensor, w: Weights,
               reversed_: int, keep: bool) -> Tuple[Tensor, Kept]:
    """Return the mixed tokens, and what to keep for backward."""
    y, kept = _inside_run(F.linear(x, in_weight), w, reversed_, keep)
    return F.linear(y, out_weight), kept


class MixerGradients(NamedTuple):
    """Gradients of ``_mixer_run``, by argument."""
    x: Tensor
    in_weight: Tensor
    out_weight: Tensor
    weights: Weights


def _mixer_backward(x: Tensor, in_weight: Tensor, out_weight: Tensor,
                    w: Weights, reversed_: int, kept: Kept,
                    dout: Tensor) -> MixerGradients:
    """Differentiate ``_mixer_run``, which is run again."""
    dout = dout.contiguous()
    xz = F.linear(x, in_weight)
    o, dxz, grads = _inside_backward(xz, w, reversed_, kept, dout @ out_weight)
    del xz
    dout, o = dout.flatten(0, 1), o.flatten(0, 1)
    d_in = dxz.flatten(0, 1).t() @ x.flatten(0, 1)
    return MixerGradients(dxz @ in_weight, d_in, dout.t() @ o, grads)


def _fake_kept(x: Tensor, w: List[Tensor], keep: bool) -> Kept:
    """Return empty tensors like those that a run on x keeps."""
    k, n, d = Weights(*w).A.shape
    b, l = x.shape[:2]
    starts = w[5].new_empty(starts_shape(x.new_empty(k, b, l, d), n))
    dtype = _output_dtype(x)
    y = x.new_empty((b, l, d) if keep else (0, b, l, d), dtype=dtype)
    return Kept(starts, y)


def _like(grads: Weights, w: List[Tensor]) -> List[Tensor]:
    """Return copies in the dtypes of the weights, as an op must."""
    whole = torch.contiguous_format
    return [
        g.to(t.dtype, copy=True, memory_format=whole)
        for g, t in zip(grads, w)
    ]


# What torch.compile sees. Everything else takes the shorter way below.


@torch.library.custom_op('mmvideomamba::inside', mutates_args=())
def _inside(xz: Tensor, weights: List[Tensor], reversed_: int,
            keep: bool) -> Tuple[Tensor, Tensor, Tensor]:
    o, kept = _inside_run(xz, Weights(*weights), reversed_, keep)
    return o, *kept


@_inside.register_fake
def _(xz: Tensor, weights: List[Tensor], reversed_: int,
      keep: bool) -> Tuple[Tensor, Tensor, Tensor]:
    y = xz.new_empty(xz.shape[0], xz.shape[1], xz.shape[2] // 2)
    return y, *_fake_kept(xz, weights, keep)


@torch.library.custom_op('mmvideomamba::inside_backward', mutates_args=())
def _inside_grads(xz: Tensor, weights: List[Tensor], reversed_: int,
                  starts: Tensor, y: Tensor, do: Tensor) -> List[Tensor]:
    _, dxz, grads = _inside_backward(xz, Weights(*weights), reversed_,
                                     Kept(starts, y), do.contiguous())
    return [dxz, *_like(grads, weights)]


@_inside_grads.register_fake
def _(xz: Tensor, weights: List[Tensor], reversed_: int, starts: Tensor,
      y: Tensor, do: Tensor) -> List[Tensor]:
    return [t.new_empty(t.shape) for t in (xz, *weights)]


def _inside_setup(ctx, inputs: tuple, output: tuple) -> None:
    xz, weights, ctx.reversed_, _ = inputs
    ctx.save_for_backward(xz, *output[1:], *weights)


def _inside_autograd(ctx, do: Tensor, *_: Tensor) -> tuple:
    xz, starts, y, *weights = ctx.saved_tensors
    dxz, *grads = _inside_grads(xz, weights, ctx.reversed_, starts, y, do)
    return dxz, grads, None, None


_inside.register_autograd(_inside_autograd, setup_context=_inside_setup)


@torch.library.custom_op('mmvideomamba::mixer', mutates_args=())
def _mixer(x: Tensor, in_weight: Tensor, out_weight: Tensor,
           weights: List[Tensor], reversed_: int,
           keep: bool) -> Tuple[Tensor, Tensor, Tensor]:
    o, kept = _mixer_run(x, in_weight, out_weight, Weights(*weights),
                         reversed_, keep)
    return o, *kept


@_mixer.register_fake
def _(x: Tensor, in_weight: Tensor, out_weight: Tensor, weights: List[Tensor],
      reversed_: int, keep: bool) -> Tuple[Tensor, Tensor, Tensor]:
    y = x.new_empty(x.shape[0], x.shape[1], out_weight.shape[0])
    return y, *_fake_kept(x, weights, keep)


@torch.library.custom_op('mmvideomamba::mixer_backward', mutates_args=())
def _mixer_grads(x: Tensor, in_weight: Tensor, out_weight: Tensor,
                 weights: List[Tensor], reversed_: int, starts: Tensor,
                 y: Tensor, dout: Tensor) -> List[Tensor]:
    *own, grads = _mixer_backward(x, in_weight, out_weight, Weights(*weights),
                                  reversed_, Kept(starts, y), dout)
    return [*own, *_like(grads, weights)]


@_mixer_grads.register_fake
def _(x: Tensor, in_weight: Tensor, out_weight: Tensor, weights: List[Tensor],
      reversed_: int, starts: Tensor, y: Tensor, dout: Tensor) -> List[Tensor]:
    return [t.new_empty(t.shape) for t in (x, in_weight, out_weight, *weights)]


def _mixer_setup(ctx, inputs: tuple, output: tuple) -> None:
    x, in_weight, out_weight, weights, ctx.reversed_, _ = inputs
    ctx.save_for_backward(x, in_weight, out_weight, *output[1:], *weights)


def _mixer_autograd(ctx, dout: Tensor, *_: Tensor) -> tuple:
    x, in_weight, out_weight, starts, y, *weights = ctx.saved_tensors
    dx, d_in, d_out, *grads = _mixer_grads(x, in_weight, out_weight, weights,
                                           ctx.reversed_, starts, y, dout)
    return dx, d_in, d_out, grads, None, None


_mixer.register_autograd(_mixer_autograd, setup_context=_mixer_setup)


class _EagerMixer(torch.autograd.Function):
    """The op in one node: casts, stacks and their gradients included."""

    @staticmethod
    def forward(ctx, dtype: torch.dtype, reversed_: int, keep: bool, x: Tensor,
                in_weight: Tensor, out_weight: Tensor, *flat:
                Optional[Tensor]) -> Tensor:
        w = _stack(_grouped(flat), dtype)
        own = [t.to(dtype) for t in (x.contiguous(), in_weight, out_weight)]
        y, kept = _mixer_run(*own, w, reversed_, keep)
        ctx.reversed_ = reversed_
        ctx.dtypes = [t.dtype for t in (x, in_weight, out_weight)]
        if keep:
            ctx.save_for_backward(*own, *kept, *w, *flat)
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, dout: Tensor) -> tuple:
        x, in_weight, out_weight, starts, y, *rest = ctx.saved_tensors
        w, flat = Weights(*rest[:7]), rest[7:]
        *own, grads = _mixer_backward(x, in_weight, out_weight, w,
                                      ctx.reversed_, Kept(starts, y), dout)
        own = [g.to(t) for g, t in zip(own, ctx.dtypes)]
        each = _unstack(grads, _grouped(flat))
        return None, None, None, *own, *(g for p in each for g in p)


def _grouped(flat: Sequence[Optional[Tensor]]) -> List[ScanParams]:
    """Put the weights of directions together again."""
    size = len(ScanParams._fields)
    return [ScanParams(*flat[i:i + size]) for i in range(0, len(flat), size)]


def _compute_dtype(x: Tensor) -> torch.dtype:
    """Return the dtype of the products: autocast's, else that of x."""
    kind = x.device.type
    if torch.is_autocast_enabled(kind):
        return torch.get_autocast_dtype(kind)
    return x.dtype


def _differentiated(*tensors: Optional[Tensor]) -> bool:
    """Tell whether there will be a backward pass."""
    return torch.is_grad_enabled() and any(t is not None and t.requires_grad
                                           for t in tensors)


def bidirectional_selective_scan(xz: Tensor, forward: Optional[ScanParams],
                                 backward: Optional[ScanParams],
                                 _: str) -> Tensor:
    """Compute the op; see ``ops.bidirectional_selective_scan``."""
    dtype = _compute_dtype(xz)
    each, reversed_ = _directions(forward, backward)
    weights = list(_stack(each, dtype))
    xz = xz.to(dtype).contiguous()
    return _inside(xz, weights, reversed_, _differentiated(xz, *weights))[0]


def bidirectional_mixer(x: Tensor, in_weight: Tensor, out_weight: Tensor,
                        forward: Optional[ScanParams],
                        backward: Optional[ScanParams],
                        in_bias: Optional[Tensor], out_bias: Optional[Tensor],
                        backend: str) -> Tensor:
    """Compute the op; see ``ops.bidirectional_mixer``."""
    if in_bias is not None:
        xz = F.linear(x, in_weight, in_bias)
        y = bidirectional_selective_scan(xz, forward, backward, backend)
        return F.linear(y, out_weight, out_bias)
    dtype = _compute_dtype(x)
    each, reversed_ = _directions(forward, backward)
    flat = [t for p in each for t in p]
    keep = _differentiated(x, in_weight, out_weight, *flat)
    if traced(x):
        y, _, _ = _mixer(
            x.to(dtype).contiguous(), in_weight.to(dtype),
            out_weight.to(dtype), list(_stack(each, dtype)), reversed_, keep)
    else:
        y = _EagerMixer.apply(dtype, reversed_, keep, x, in_weight, out_weight,
                              *flat)
    return y if out_bias is None else y + out_bias.to(dtype)
