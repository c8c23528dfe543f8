"""Both scan directions, without or with projections, as autograd ops.

torch.compile and fake tensors see registered ops; eager mode runs the same
passes in a plain autograd function, with less overhead.
"""
import itertools
from typing import Any, Callable, List, NamedTuple, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ...runtime.first_order import first_order
from ...runtime.host import compute_dtype, needs_registered_op
from ...scan.triton.launch import chunk_starts_shape
from ..api import ScanParams
from .passes import (Residuals, inner_backward, inner_run, mixer_backward,
                     mixer_run, output_dtype)
from .weights import Weights, stack, stack_compilable, unstack


def _directions(forward: Optional[ScanParams],
                backward: Optional[ScanParams]) -> Tuple[list, int]:
    """Return the given directions, and ``reverse_bits`` for them."""
    each = [p for p in (forward, backward) if p is not None]
    return each, 0 if backward is None else 1 << (len(each) - 1)


def _fake_residuals(x: Tensor, w: List[Tensor], keep: bool) -> Residuals:
    """Return empty tensors with the shapes of a run's residuals."""
    k, n, d = Weights(*w).A.shape
    b, l = x.shape[:2]
    starts = w[5].new_empty(chunk_starts_shape(x.new_empty(k, b, l, d), n))
    dtype = output_dtype(x)
    y = x.new_empty((b, l, d) if keep else (0, b, l, d), dtype=dtype)
    return Residuals(starts, y)


def _like(grads: Weights, w: List[Tensor]) -> List[Tensor]:
    """Return contiguous copies in the dtypes of the weights."""
    whole = torch.contiguous_format
    return [
        g.to(t.dtype, copy=True, memory_format=whole)
        for g, t in zip(grads, w)
    ]


def _inner_gradients(xz: Tensor, w: Weights, reverse_bits: int,
                     residuals: Residuals,
                     do: Tensor) -> Tuple[Tensor, Weights]:
    """Return the gradients of ``inner_backward``, without the output."""
    _, dxz, grads = inner_backward(xz, w, reverse_bits, residuals,
                                   do.contiguous())
    return dxz, grads


@torch.library.custom_op('mmvideomamba::bidirectional_scan', mutates_args=())
def _inner(xz: Tensor, weights: List[Tensor], reverse_bits: int,
           keep: bool) -> Tuple[Tensor, Tensor, Tensor]:
    o, residuals = inner_run(xz, Weights(*weights), reverse_bits, keep)
    return o, *residuals


@_inner.register_fake
def _(xz: Tensor, weights: List[Tensor], reverse_bits: int,
      keep: bool) -> Tuple[Tensor, Tensor, Tensor]:
    y = xz.new_empty(xz.shape[0], xz.shape[1], xz.shape[2] // 2)
    return y, *_fake_residuals(xz, weights, keep)


@torch.library.custom_op(
    'mmvideomamba::bidirectional_scan_backward', mutates_args=())
def _inner_grads(xz: Tensor, weights: List[Tensor], reverse_bits: int,
                 starts: Tensor, y: Tensor, do: Tensor) -> List[Tensor]:
    dxz, grads = _inner_gradients(xz, Weights(*weights), reverse_bits,
                                  Residuals(starts, y), do)
    return [dxz, *_like(grads, weights)]


@_inner_grads.register_fake
def _(xz: Tensor, weights: List[Tensor], reverse_bits: int, starts: Tensor,
      y: Tensor, do: Tensor) -> List[Tensor]:
    return [t.new_empty(t.shape) for t in (xz, *weights)]


def _inner_setup(ctx: Any, inputs: tuple, output: tuple) -> None:
    xz, weights, ctx.reverse_bits, _ = inputs
    ctx.save_for_backward(xz, *output[1:], *weights)


def _inner_autograd(ctx: Any, do: Tensor, *_: Tensor) -> tuple:
    xz, starts, y, *weights = ctx.saved_tensors
    dxz, *grads = _inner_grads(xz, weights, ctx.reverse_bits, starts, y, do)
    return dxz, grads, None, None


_inner.register_autograd(_inner_autograd, setup_context=_inner_setup)


@torch.library.custom_op('mmvideomamba::mixer', mutates_args=())
def _mixer(x: Tensor, in_weight: Tensor, out_weight: Tensor,
           weights: List[Tensor], reverse_bits: int,
           keep: bool) -> Tuple[Tensor, Tensor, Tensor]:
    o, residuals = mixer_run(x, in_weight, out_weight, Weights(*weights),
                             reverse_bits, keep)
    return o, *residuals


@_mixer.register_fake
def _(x: Tensor, in_weight: Tensor, out_weight: Tensor, weights: List[Tensor],
      reverse_bits: int, keep: bool) -> Tuple[Tensor, Tensor, Tensor]:
    y = x.new_empty(x.shape[0], x.shape[1], out_weight.shape[0])
    return y, *_fake_residuals(x, weights, keep)


@torch.library.custom_op('mmvideomamba::mixer_backward', mutates_args=())
def _mixer_grads(x: Tensor, in_weight: Tensor, out_weight: Tensor,
                 weights: List[Tensor], reverse_bits: int, starts: Tensor,
                 y: Tensor, dout: Tensor) -> List[Tensor]:
    *grads_in, grads = mixer_backward(x, in_weight, out_weight,
                                      Weights(*weights), reverse_bits,
                                      Residuals(starts, y), dout)
    return [*grads_in, *_like(grads, weights)]


@_mixer_grads.register_fake
def _(x: Tensor, in_weight: Tensor, out_weight: Tensor, weights: List[Tensor],
      reverse_bits: int, starts: Tensor, y: Tensor,
      dout: Tensor) -> List[Tensor]:
    return [t.new_empty(t.shape) for t in (x, in_weight, out_weight, *weights)]


def _mixer_setup(ctx: Any, inputs: tuple, output: tuple) -> None:
    x, in_weight, out_weight, weights, ctx.reverse_bits, _ = inputs
    ctx.save_for_backward(x, in_weight, out_weight, *output[1:], *weights)


def _mixer_autograd(ctx: Any, dout: Tensor, *_: Tensor) -> tuple:
    x, in_weight, out_weight, starts, y, *weights = ctx.saved_tensors
    dx, d_in, d_out, *grads = _mixer_grads(x, in_weight, out_weight, weights,
                                           ctx.reverse_bits, starts, y, dout)
    return dx, d_in, d_out, grads, None, None


_mixer.register_autograd(_mixer_autograd, setup_context=_mixer_setup)


class _Passes(NamedTuple):
    """Both passes of an op.

    Attributes:
        run (Callable): Takes the tensor arguments, the stacked weights,
            ``reverse_bits`` and ``keep``; returns output and residuals.
        differentiate (Callable): Takes the tensor arguments, the stacked
            weights, ``reverse_bits``, the residuals and the output's
            gradient; returns the gradients of the tensors and weights.
        num_tensors (int): Number of tensor arguments, tokens first.
    """
    run: Callable
    differentiate: Callable
    num_tensors: int


_INNER = _Passes(inner_run, _inner_gradients, 1)
_MIXER = _Passes(mixer_run, mixer_backward, 3)


class _Eager(torch.autograd.Function):
    """An op as a single autograd node, casts and stacking included."""

    @staticmethod
    def forward(ctx: Any, op: _Passes, dtype: torch.dtype, reverse_bits: int,
                keep: bool, *tensors: Optional[Tensor]) -> Tensor:
        inputs, flat = tensors[:op.num_tensors], tensors[op.num_tensors:]
        w = stack(_grouped(flat), dtype)
        cast = [t.to(dtype) for t in inputs]
        cast[0] = cast[0].contiguous()
        y, residuals = op.run(*cast, w, reverse_bits, keep)
        ctx.op, ctx.reverse_bits = op, reverse_bits
        ctx.dtypes = [t.dtype for t in inputs]
        if keep:
            ctx.save_for_backward(*cast, *residuals, *w, *flat)
        return y

    @staticmethod
    @first_order
    def backward(ctx: Any, dy: Tensor) -> tuple:
        saved = iter(ctx.saved_tensors)
        cast, residuals, w = (
            list(itertools.islice(saved, n))
            for n in (ctx.op.num_tensors, len(Residuals._fields),
                      len(Weights._fields)))
        *inputs, grads = ctx.op.differentiate(*cast, Weights(*w),
                                              ctx.reverse_bits,
                                              Residuals(*residuals), dy)
        inputs = [g.to(t) for g, t in zip(inputs, ctx.dtypes)]
        each = unstack(grads, _grouped(list(saved)))
        return None, None, None, None, *inputs, *(g for p in each for g in p)


def _grouped(flat: Sequence[Optional[Tensor]]) -> List[ScanParams]:
    """Group a flat sequence of weights by direction."""
    size = len(ScanParams._fields)
    return [ScanParams(*flat[i:i + size]) for i in range(0, len(flat), size)]


def _differentiated(*tensors: Optional[Tensor]) -> bool:
    """Tell whether a backward pass may follow."""
    return torch.is_grad_enabled() and any(t is not None and t.requires_grad
                                           for t in tensors)


def bidirectional_selective_scan(xz: Tensor, forward: Optional[ScanParams],
                                 backward: Optional[ScanParams],
                                 _: str) -> Tensor:
    """Compute the op; see ``ops.bidirectional_selective_scan``."""
    dtype = compute_dtype(xz)
    each, reverse_bits = _directions(forward, backward)
    flat = [t for p in each for t in p]
    keep = _differentiated(xz, *flat)
    if needs_registered_op(xz):
        cast = xz.to(dtype).contiguous()
        y = _inner(cast, list(stack_compilable(each, dtype)), reverse_bits,
                   keep)[0]
    else:
        y = _Eager.apply(_INNER, dtype, reverse_bits, keep, xz, *flat)
    # The dtype of the input, also where autocast computes in another.
    return y.to(xz.dtype)


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
    dtype = compute_dtype(x)
    each, reverse_bits = _directions(forward, backward)
    flat = [t for p in each for t in p]
    keep = _differentiated(x, in_weight, out_weight, *flat)
    if needs_registered_op(x):
        y, _, _ = _mixer(
            x.to(dtype).contiguous(),
            in_weight.to(dtype), out_weight.to(dtype),
            list(stack_compilable(each, dtype)), reverse_bits, keep)
    else:
        y = _Eager.apply(_MIXER, dtype, reverse_bits, keep, x, in_weight,
                         out_weight, *flat)
    return y if out_bias is None else y + out_bias.to(dtype)
