"""Residual addition and RMSNorm as an autograd op on Triton kernels."""
from typing import Any, Optional, Tuple

import torch
from torch import Tensor

from ...runtime.first_order import first_order
from ...runtime.host import needs_registered_op
from .launch import norm_backward, norm_forward


@torch.library.custom_op('mmvideomamba::add_rms_norm', mutates_args=())
def _norm(x: Tensor, residual: Optional[Tensor], weight: Tensor,
          eps: float) -> Tuple[Tensor, Tensor, Tensor]:
    return norm_forward(x, residual, weight, eps)


@_norm.register_fake
def _(x: Tensor, residual: Optional[Tensor], weight: Tensor,
      eps: float) -> Tuple[Tensor, Tensor, Tensor]:
    stream = x.new_empty(x.shape, dtype=torch.float32)
    rows = x.numel() // x.shape[-1]
    return x.new_empty(x.shape), stream, stream.new_empty(rows)


@torch.library.custom_op(
    'mmvideomamba::add_rms_norm_backward', mutates_args=())
def _norm_backward(dy: Tensor, dstream: Tensor, stream: Tensor, rstd: Tensor,
                   weight: Tensor) -> Tuple[Tensor, Tensor]:
    dx, _, dweight = norm_backward(dy, dstream, stream, rstd, weight,
                                   torch.float32)
    return dx, dweight


@_norm_backward.register_fake
def _(dy: Tensor, dstream: Tensor, stream: Tensor, rstd: Tensor,
      weight: Tensor) -> Tuple[Tensor, Tensor]:
    return torch.empty_like(stream), torch.empty_like(weight)


def _setup(ctx: Any, inputs: tuple, output: tuple) -> None:
    x, residual, weight, _ = inputs
    ctx.dtypes = x.dtype, None if residual is None else residual.dtype
    ctx.save_for_backward(output[1], output[2], weight)


def _backward(ctx: Any, dy: Tensor, dstream: Tensor,
              _: Tensor) -> Tuple[Optional[Tensor], ...]:
    dx, dweight = _norm_backward(dy, dstream, *ctx.saved_tensors)
    return dx.to(ctx.dtypes[0]), _residual_gradient(ctx, dx), dweight, None


def _residual_gradient(ctx: Any, dx: Tensor) -> Optional[Tensor]:
    dtype = ctx.dtypes[1]
    return None if dtype is None else dx.to(dtype)


_norm.register_autograd(_backward, setup_context=_setup)


class _EagerNorm(torch.autograd.Function):
    """The op without the overhead of a registered op."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, residual: Optional[Tensor],
                weight: Tensor, eps: float) -> Tuple[Tensor, Tensor]:
        out = norm_forward(x, residual, weight, eps)
        _setup(ctx, (x, residual, weight, eps), out)
        return out[:2]

    @staticmethod
    @first_order
    def backward(ctx: Any, dy: Tensor,
                 dstream: Tensor) -> Tuple[Optional[Tensor], ...]:
        dx, low, dweight = norm_backward(dy, dstream, *ctx.saved_tensors,
                                         ctx.dtypes[0])
        return low, _residual_gradient(ctx, dx), dweight, None


def add_rms_norm(x: Tensor, residual: Optional[Tensor], weight: Tensor,
                 eps: float) -> Tuple[Tensor, Tensor]:
    """Compute the op on a GPU; see ``ops.add_rms_norm`` for the shapes."""
    weight = weight.contiguous()
    if needs_registered_op(x):
        return _norm(x, residual, weight, eps)[:2]
    return _EagerNorm.apply(x, residual, weight, eps)
