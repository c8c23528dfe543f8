"""Causal convolution as an autograd op on Triton kernels."""
from typing import Any, List, Optional, Tuple

import torch
from torch import Tensor

from ...runtime.registered_op import differentiable, fake_of, registered_op
from .launch import conv_backward, conv_forward, token_stride


@registered_op('causal_conv1d')
def _conv(x: Tensor, weight: Tensor, bias: Tensor, reverse_bits: int,
          silu: bool) -> Tensor:
    return conv_forward(x, weight, bias, reverse_bits, silu)[0]


@fake_of('causal_conv1d')
def _(x: Tensor, weight: Tensor, bias: Tensor, reverse_bits: int,
      silu: bool) -> Tensor:
    return x.new_empty(x.shape)


@registered_op('causal_conv1d_backward', last=True)
def _conv_backward(x: Tensor, weight: Tensor, bias: Tensor, dy: Tensor,
                   reverse_bits: int, silu: bool) -> List[Tensor]:
    dx = x.new_empty(x.shape)
    parts = conv_backward(x, weight, bias,
                          dy.contiguous().unsqueeze(0), dx, reverse_bits, silu)
    sums, taps = parts.sum(0), weight.shape[2]
    # Copies: the outputs of a registered op must not share memory.
    return [
        dx, sums[:, :taps].transpose(
            1, 2).clone(memory_format=torch.contiguous_format),
        sums[:, taps].clone()
    ]


@fake_of('causal_conv1d_backward')
def _(x: Tensor, weight: Tensor, bias: Tensor, dy: Tensor, reverse_bits: int,
      silu: bool) -> List[Tensor]:
    return [
        x.new_empty(x.shape),
        weight.new_empty(weight.shape),
        bias.new_empty(bias.shape)
    ]


def _setup(ctx: Any, inputs: tuple, output: Tensor) -> None:
    *tensors, ctx.reverse_bits, ctx.silu = inputs
    ctx.save_for_backward(*tensors)


def _backward(ctx: Any, dy: Tensor) -> Tuple[Optional[Tensor], ...]:
    grads = _conv_backward(*ctx.saved_tensors, dy, ctx.reverse_bits, ctx.silu)
    return (*grads, None, None)


differentiable('causal_conv1d', _backward, _setup)


def causal_conv1d(x: Tensor, weight: Tensor, bias: Optional[Tensor],
                  activation: Optional[str], reverse: bool) -> Tensor:
    """Compute the op on a GPU; see ``ops.causal_conv1d`` for the shapes."""
    weight = weight.float().contiguous().unsqueeze(0)
    if bias is None:
        bias = weight.new_zeros(weight.shape[1])
    if x.stride(2) != 1 or x.stride(0) != x.shape[1] * token_stride(x):
        x = x.contiguous()
    return _conv(x, weight,
                 bias.float().contiguous().unsqueeze(0), int(reverse),
                 activation == 'silu')
