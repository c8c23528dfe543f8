"""Residual addition and RMSNorm in one pass over memory, in Triton."""
from typing import Optional, Tuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from .backends import traced
from .launch_triton import launched

# Rows whose shares of the weight gradient one program adds up.
ROWS = 32


@launched
@triton.jit
def _norm_fwd_kernel(
        x_p,  # (rows, c)
        residual_p,  # (rows, c)
        weight_p,  # (c, )
        y_p,  # (rows, c)
        stream_p,  # (rows, c), float32
        rstd_p,  # (rows, ), float32
        c,
        eps,
        BC: tl.constexpr,
        HAS_RESIDUAL: tl.constexpr):
    row = tl.program_id(0).to(tl.int64)
    col = tl.arange(0, BC)
    ok = col < c
    at = row * c + col
    x = tl.load(x_p + at, mask=ok, other=0.).to(tl.float32)
    if HAS_RESIDUAL:
        x += tl.load(residual_p + at, mask=ok, other=0.).to(tl.float32)
    rstd = 1. / tl.sqrt(tl.sum(x * x, axis=0) / c + eps)
    weight = tl.load(weight_p + col, mask=ok, other=0.).to(tl.float32)
    tl.store(stream_p + at, x, mask=ok)
    tl.store(y_p + at, (x * rstd * weight).to(y_p.dtype.element_ty), mask=ok)
    tl.store(rstd_p + row, rstd)


@launched
@triton.jit
def _norm_bwd_kernel(
        dy_p,  # (rows, c)
        dstream_p,  # (rows, c), float32
        stream_p,  # (rows, c), float32
        rstd_p,  # (rows, ), float32
        weight_p,  # (c, )
        dx_p,  # (rows, c), float32
        low_p,  # (rows, c), takes the same in another dtype if HAS_LOW
        dweight_p,  # (programs, c), float32
        rows,
        c,
        BC: tl.constexpr,
        ROWS: tl.constexpr,
        HAS_LOW: tl.constexpr):
    col = tl.arange(0, BC)
    ok = col < c
    weight = tl.load(weight_p + col, mask=ok, other=0.).to(tl.float32)
    dweight = tl.zeros([BC], tl.float32)
    first = tl.program_id(0).to(tl.int64) * ROWS
    for row in range(first, tl.minimum(first + ROWS, rows)):
        at = row * c + col
        dy = tl.load(dy_p + at, mask=ok, other=0.).to(tl.float32)
        x = tl.load(stream_p + at, mask=ok, other=0.)
        rstd = tl.load(rstd_p + row)
        x *= rstd
        dweight += dy * x
        dy *= weight
        dx = (dy - x * (tl.sum(dy * x, axis=0) / c)) * rstd
        dx += tl.load(dstream_p + at, mask=ok, other=0.)
        tl.store(dx_p + at, dx, mask=ok)
        if HAS_LOW:
            tl.store(low_p + at, dx.to(low_p.dtype.element_ty), mask=ok)
    tl.store(dweight_p + tl.program_id(0) * c + col, dweight, mask=ok)


def _warps(width: int) -> int:
    return 1 if width <= 256 else 4 if width <= 2048 else 8


def _norm_run(x: Tensor, residual: Optional[Tensor], weight: Tensor,
              eps: float) -> Tuple[Tensor, Tensor, Tensor]:
    """Return the norm, the stream, and 1 / its root mean square."""
    c = x.shape[-1]
    x = x.contiguous()
    rows = x.numel() // c
    y = torch.empty_like(x)
    stream = torch.empty_like(x, dtype=torch.float32)
    rstd = stream.new_empty(rows)
    if rows:
        width = 1 << (c - 1).bit_length()
        _norm_fwd_kernel[(rows, )](
            x,
            x if residual is None else residual.contiguous(),
            weight,
            y,
            stream,
            rstd,
            c,
            eps,
            BC=width,
            HAS_RESIDUAL=residual is not None,
            num_warps=_warps(width))
    return y, stream, rstd


@torch.library.custom_op('mmvideomamba::add_rms_norm', mutates_args=())
def _norm(x: Tensor, residual: Optional[Tensor], weight: Tensor,
          eps: float) -> Tuple[Tensor, Tensor, Tensor]:
    return _norm_run(x, residual, weight, eps)


@_norm.register_fake
def _(x: Tensor, residual: Optional[Tensor], weight: Tensor,
      eps: float) -> Tuple[Tensor, Tensor, Tensor]:
    stream = x.new_empty(x.shape, dtype=torch.float32)
    rows = x.numel() // x.shape[-1]
    return x.new_empty(x.shape), stream, stream.new_empty(rows)


def _norm_differentiate(dy: Tensor, dstream: Tensor, stream: Tensor,
                        rstd: Tensor, weight: Tensor,
                        dtype: torch.dtype) -> Tuple[Tensor, Tensor, Tensor]:
    """Return the gradient of the sum, in float32 and dtype; of the weight."""
    c = stream.shape[-1]
    dx = torch.empty_like(stream)
    low = dx if dtype == dx.dtype else torch.empty_like(dx, dtype=dtype)
    rows = rstd.numel()
    programs = -(-rows // ROWS)
    dweight = stream.new_empty(programs, c)
    if rows:
        width = 1 << (c - 1).bit_length()
        _norm_bwd_kernel[(programs, )](
            dy.contiguous(),
            dstream.contiguous(),
            stream,
            rstd,
            weight,
            dx,
            low,
            dweight,
            rows,
            c,
            BC=width,
            ROWS=ROWS,
            HAS_LOW=low is not dx,
            num_warps=_warps(width))
    return dx, low, dweight.sum(0).to(weight.dtype)


@torch.library.custom_op(
    'mmvideomamba::add_rms_norm_backward', mutates_args=())
def _norm_backward(dy: Tensor, dstream: Tensor, stream: Tensor, rstd: Tensor,
                   weight: Tensor) -> Tuple[Tensor, Tensor]:
    dx, _, dweight = _norm_differentiate(dy, dstream, stream, rstd, weight,
                                         torch.float32)
    return dx, dweight


@_norm_backward.register_fake
def _(dy: Tensor, dstream: Tensor, stream: Tensor, rstd: Tensor,
      weight: Tensor) -> Tuple[Tensor, Tensor]:
    return torch.empty_like(stream), torch.empty_like(weight)


def _setup(ctx, inputs: tuple, output: tuple) -> None:
    x, residual, weight, _ = inputs
    ctx.dtypes = x.dtype, None if residual is None else residual.dtype
    ctx.save_for_backward(output[1], output[2], weight)


def _backward(ctx, dy: Tensor, dstream: Tensor,
              _: Tensor) -> Tuple[Optional[Tensor], ...]:
    dx, dweight = _norm_backward(dy, dstream, *ctx.saved_tensors)
    return dx.to(ctx.dtypes[0]), _of_residual(ctx, dx), dweight, None


def _of_residual(ctx, dx: Tensor) -> Optional[Tensor]:
    dtype = ctx.dtypes[1]
    return None if dtype is None else dx.to(dtype)


_norm.register_autograd(_backward, setup_context=_setup)


class _EagerNorm(torch.autograd.Function):
    """The op without the detour of a registered one."""

    @staticmethod
    def forward(ctx, x: Tensor, residual: Optional[Tensor], weight: Tensor,
                eps: float) -> Tuple[Tensor, Tensor]:
        out = _norm_run(x, residual, weight, eps)
        _setup(ctx, (x, residual, weight, eps), out)
        return out[:2]

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, dy: Tensor,
                 dstream: Tensor) -> Tuple[Optional[Tensor], ...]:
        dx, low, dweight = _norm_differentiate(dy, dstream, *ctx.saved_tensors,
                                               ctx.dtypes[0])
        return low, _of_residual(ctx, dx), dweight, None


def add_rms_norm(x: Tensor, residual: Optional[Tensor], weight: Tensor,
                 eps: float) -> Tuple[Tensor, Tensor]:
    """Compute the op on a GPU; see ``ops.add_rms_norm`` for the shapes."""
    weight = weight.contiguous()
    if traced(x):
        return _norm(x, residual, weight, eps)[:2]
    return _EagerNorm.apply(x, residual, weight, eps)
