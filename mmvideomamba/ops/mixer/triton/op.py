"""Both scan directions, without or with projections, as an autograd op.

torch.compile and fake tensors see a registered op; eager mode runs the same
passes in a plain autograd function, with less overhead. Casts
and the stacking of the weights are part of both.
"""
from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ...runtime.first_order import first_order
from ...runtime.host import compute_dtype, needs_registered_op
from ...runtime.registered_op import differentiable, fake_of, registered_op
from ...scan.triton.launch import chunk_starts_shape
from ..api import ScanParams
from .passes import (Residuals, inner_backward, inner_run, mixer_backward,
                     mixer_run, output_dtype)
from .weight_gradients import finish
from .weights import Source, Stacked, padded_rank, stack, stacked_sizes, views

# Tensors kept for backward: residuals, and with the stacked weights.
_RESIDUALS = len(Residuals._fields)
_SAVED = _RESIDUALS + len(Stacked._fields)


class Options(NamedTuple):
    """Choices of an op, and the layout of the weights.

    Attributes:
        reverse_bits (int): Bit i is set if direction i runs in reverse.
        bias_bits (int): Bit i is set if direction i has a convolution bias.
        projected (int): 1 includes both projections, the first two weights.
        log_rates (int): See ``Source``, 0 or 1.
        keep (int): 1 if a backward pass may follow.
    """
    reverse_bits: int
    bias_bits: int
    projected: int
    log_rates: int
    keep: int


def _flatten(projections: Sequence[Tensor], forward: Optional[ScanParams],
             backward: Optional[ScanParams]) -> Tuple[List[Tensor], int, int]:
    """Return the weights there are, ``reverse_bits`` and ``bias_bits``."""
    weights, bias_bits = list(projections), 0
    each = [p for p in (forward, backward) if p is not None]
    for i, p in enumerate(each):
        weights += [t for t in p if t is not None]
        bias_bits |= (p.conv_bias is not None) << i
    reverse_bits = 0 if backward is None else 1 << (len(each) - 1)
    return weights, reverse_bits, bias_bits


def _source(weights: Sequence[Tensor], options: Options) -> Source:
    """Group what ``_flatten`` returned."""
    each: List[ScanParams] = []
    at = 2 * options.projected
    while at < len(weights):
        biased = options.bias_bits >> len(each) & 1
        one = weights[at:at + 6 + biased]
        bias = one[1] if biased else None
        each.append(ScanParams(one[0], bias, *one[1 + biased:]))
        at += len(one)
    return Source(weights[:2 * options.projected], each,
                  bool(options.log_rates))


def _forward(x: Tensor, weights: Sequence[Tensor],
             options: Options) -> Tuple[Tensor, List[Tensor]]:
    """Compute the op; return the output, and what backward needs.

    Needed are the residuals of the passes and the stacked weights, empty
    without ``keep``.
    """
    source = _source(weights, options)
    stacked, w = stack(source, x.dtype)
    run = mixer_run if options.projected else inner_run
    y, residuals = run(x, w, options.reverse_bits, bool(options.keep))
    if not options.keep:
        stacked = Stacked(*(t.new_empty(0) for t in stacked))
    return y, [*residuals, *stacked]


def _backward(x: Tensor, weights: Sequence[Tensor], saved: Sequence[Tensor],
              dy: Tensor, options: Options) -> List[Tensor]:
    """Return the gradients of x and of all weights, each with own memory."""
    source = _source(weights, options)
    w = views(Stacked(*saved[_RESIDUALS:]), source)
    residuals = Residuals(*saved[:_RESIDUALS])
    if options.projected:
        dx, parts = mixer_backward(x, w, options.reverse_bits, residuals, dy)
    else:
        _, dx, parts = inner_backward(x, w, options.reverse_bits, residuals,
                                      dy.contiguous())
    return [dx, *finish(parts, w, source)]


@registered_op('mixer')
def _mixer(
    x: Tensor, weights: List[Tensor], options: List[int]
) -> Tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    y, (starts, total, g, full, low) = _forward(x, weights, Options(*options))
    return y, starts, total, g, full, low


@fake_of('mixer')
def _(
    x: Tensor, weights: List[Tensor], options: List[int]
) -> Tuple[Tensor, Tensor, Tensor, Tensor, Tensor, Tensor]:
    o = Options(*options)
    source = _source(weights, o)
    (d, n), b, l = source.each[0].A.shape, *x.shape[:2]
    full, low = stacked_sizes(source, x.dtype) if o.keep else (0, 0)
    single = source.each[0].A
    u = x.new_empty(len(source.each), b, l, d)
    return (x.new_empty(b, l, weights[1].shape[0] if o.projected else d),
            single.new_empty(chunk_starts_shape(u, n)),
            x.new_empty(
                (b, l, d) if o.keep else (0, b, l, d), dtype=output_dtype(x)),
            x.new_empty(
                len(source.each), b * l if o.keep else 0,
                padded_rank(source.each[0].dt_proj_weight.shape[1]) + 2 * n),
            single.new_empty(full), x.new_empty(low))


@registered_op('mixer_backward', last=True)
def _mixer_backward(x: Tensor, weights: List[Tensor], saved: List[Tensor],
                    dy: Tensor, options: List[int]) -> List[Tensor]:
    return _backward(x, weights, saved, dy, Options(*options))


@fake_of('mixer_backward')
def _(x: Tensor, weights: List[Tensor], saved: List[Tensor], dy: Tensor,
      options: List[int]) -> List[Tensor]:
    return [t.new_empty(t.shape) for t in (x, *weights)]


def _mixer_setup(ctx: Any, inputs: tuple, output: tuple) -> None:
    x, weights, ctx.options = inputs
    ctx.save_for_backward(x, *output[1:], *weights)


def _mixer_autograd(ctx: Any, dy: Tensor, *_: Tensor) -> tuple:
    x, *rest = ctx.saved_tensors
    dx, *grads = _mixer_backward(x, rest[_SAVED:], rest[:_SAVED], dy,
                                 ctx.options)
    return dx, grads, None


differentiable('mixer', _mixer_autograd, _mixer_setup)


class _Eager(torch.autograd.Function):
    """The op as a single autograd node, casts and stacking included."""

    @staticmethod
    def forward(ctx: Any, dtype: torch.dtype, options: Options, x: Tensor,
                *weights: Tensor) -> Tensor:
        ctx.dtype, ctx.options = x.dtype, options
        x = x.to(dtype).contiguous()
        y, saved = _forward(x, weights, options)
        if options.keep:
            ctx.save_for_backward(x, *saved, *weights)
        return y

    @staticmethod
    @first_order
    def backward(ctx: Any, dy: Tensor) -> tuple:
        x, *rest = ctx.saved_tensors
        dx, *grads = _backward(x, rest[_SAVED:], rest[:_SAVED], dy,
                               ctx.options)
        return None, None, dx.to(ctx.dtype), *grads


def _run(x: Tensor, projections: Sequence[Tensor],
         forward: Optional[ScanParams], backward: Optional[ScanParams],
         log_rates: bool) -> Tensor:
    """Compute the op in the dtype of autocast, or else of x."""
    dtype = compute_dtype(x)
    weights, reverse_bits, bias_bits = _flatten(projections, forward, backward)
    keep = torch.is_grad_enabled() and (x.requires_grad
                                        or any(t.requires_grad
                                               for t in weights))
    # torch.compile of torch 2.11 cannot trace bool() of a tuple.
    projected = len(projections) > 0
    options = Options(reverse_bits, bias_bits, projected, log_rates, keep)
    if needs_registered_op(x):
        return _mixer(
            x.to(dtype).contiguous(), weights, [int(o) for o in options])[0]
    return _Eager.apply(dtype, options, x, *weights)


def bidirectional_selective_scan(xz: Tensor,
                                 forward: Optional[ScanParams],
                                 backward: Optional[ScanParams],
                                 _: str,
                                 log_rates: bool = False) -> Tensor:
    """Compute the op; see ``ops.bidirectional_selective_scan``."""
    # The dtype of the input, also where autocast computes in another.
    return _run(xz, (), forward, backward, log_rates).to(xz.dtype)


def bidirectional_mixer(x: Tensor,
                        in_weight: Tensor,
                        out_weight: Tensor,
                        forward: Optional[ScanParams],
                        backward: Optional[ScanParams],
                        in_bias: Optional[Tensor],
                        out_bias: Optional[Tensor],
                        backend: str,
                        log_rates: bool = False) -> Tensor:
    """Compute the op; see ``ops.bidirectional_mixer``."""
    if in_bias is not None:
        xz = F.linear(x, in_weight, in_bias)
        y = bidirectional_selective_scan(xz, forward, backward, backend,
                                         log_rates)
        return F.linear(y, out_weight, out_bias)
    y = _run(x, (in_weight, out_weight), forward, backward, log_rates)
    return y if out_bias is None else y + out_bias.to(y.dtype)
