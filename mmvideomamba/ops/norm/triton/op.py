"""Residual addition and RMSNorm as an autograd op on Triton kernels."""
from typing import Any, List, Optional, Tuple

import torch
from torch import Tensor

from ...runtime.first_order import first_order
from ...runtime.host import needs_registered_op
from ...runtime.registered_op import differentiable, fake_of, registered_op
from .launch import norm_backward, norm_forward


@registered_op('add_rms_norm')
def _norm(x: Tensor, residual: Optional[Tensor], weight: Tensor, eps: float,
          draw: Optional[Tensor],
          drop_prob: float) -> Tuple[Tensor, Tensor, Tensor]:
    return norm_forward(x, residual, weight, eps, draw, drop_prob)


@fake_of('add_rms_norm')
def _(x: Tensor, residual: Optional[Tensor], weight: Tensor, eps: float,
      draw: Optional[Tensor],
      drop_prob: float) -> Tuple[Tensor, Tensor, Tensor]:
    stream = x.new_empty(x.shape, dtype=torch.float32)
    rows = x.numel() // x.shape[-1]
    return x.new_empty(x.shape), stream, stream.new_empty(rows)


@registered_op('add_rms_norm_backward', last=True)
def _norm_backward(dy: Tensor, dstream: Optional[Tensor], stream: Tensor,
                   rstd: Tensor, weight: Tensor, dtype: torch.dtype,
                   draw: Optional[Tensor], drop_prob: float) -> List[Tensor]:
    dx, low, dweight = norm_backward(dy, dstream, stream, rstd, weight, dtype,
                                     draw, drop_prob)
    # A registered op must not return a tensor twice.
    return [dx, dweight] if low is dx else [dx, dweight, low]


@fake_of('add_rms_norm_backward')
def _(dy: Tensor, dstream: Optional[Tensor], stream: Tensor, rstd: Tensor,
      weight: Tensor, dtype: torch.dtype, draw: Optional[Tensor],
      drop_prob: float) -> List[Tensor]:
    found = [torch.empty_like(stream), torch.empty_like(weight)]
    if dtype != stream.dtype or draw is not None:
        found.append(torch.empty_like(stream, dtype=dtype))
    return found


def _setup(ctx: Any, inputs: tuple, output: tuple) -> None:
    x, residual, weight, _, draw, ctx.drop_prob = inputs
    ctx.dtypes = x.dtype, None if residual is None else residual.dtype
    ctx.save_for_backward(output[1], output[2], weight, draw)
    # The trunk's last norm leaves its stream unused: no zeros for it.
    ctx.set_materialize_grads(False)


def _gradients(ctx: Any, dx: Tensor, low: Tensor,
               dweight: Tensor) -> Tuple[Optional[Tensor], ...]:
    """Return one gradient for each input."""
    dtype = ctx.dtypes[1]
    residual = None if dtype is None else dx.to(dtype)
    return low, residual, dweight, None, None, None


def _given(ctx: Any, dy: Optional[Tensor]) -> Tensor:
    """Return zeros in the place of a missing gradient."""
    if dy is None:
        return torch.zeros_like(ctx.saved_tensors[0], dtype=ctx.dtypes[0])
    return dy


def _backward(ctx: Any, dy: Optional[Tensor], dstream: Optional[Tensor],
              _: Optional[Tensor]) -> Tuple[Optional[Tensor], ...]:
    stream, rstd, weight, draw = ctx.saved_tensors
    dx, dweight, *low = _norm_backward(
        _given(ctx, dy), dstream, stream, rstd, weight, ctx.dtypes[0], draw,
        ctx.drop_prob)
    return _gradients(ctx, dx, low[0] if low else dx, dweight)


differentiable('add_rms_norm', _backward, _setup)


class _EagerNorm(torch.autograd.Function):
    """The op without the overhead of a registered op."""

    @staticmethod
    def forward(ctx: Any, *inputs: Any) -> Tuple[Tensor, Tensor]:
        out = norm_forward(*inputs)
        _setup(ctx, inputs, out)
        return out[:2]

    @staticmethod
    @first_order
    def backward(ctx: Any, dy: Optional[Tensor],
                 dstream: Optional[Tensor]) -> Tuple[Optional[Tensor], ...]:
        stream, rstd, weight, draw = ctx.saved_tensors
        found = norm_backward(
            _given(ctx, dy), dstream, stream, rstd, weight, ctx.dtypes[0],
            draw, ctx.drop_prob)
        return _gradients(ctx, *found)


def add_rms_norm(x: Tensor,
                 residual: Optional[Tensor],
                 weight: Tensor,
                 eps: float,
                 draw: Optional[Tensor] = None,
                 drop_prob: float = 0.) -> Tuple[Tensor, Tensor]:
    """Compute the op on a GPU; see ``ops.add_rms_norm`` for the shapes."""
    weight = weight.contiguous()
    if draw is not None:
        draw = draw.contiguous()
    if needs_registered_op(x):
        return _norm(x, residual, weight, eps, draw, drop_prob)[:2]
    return _EagerNorm.apply(x, residual, weight, eps, draw, drop_prob)
