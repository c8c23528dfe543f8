"""A mixer and what is between its projections as ops, on Triton kernels.

torch.compile sees registered ops. Everything else takes a shorter way, plain
autograd functions.
"""
import itertools
from typing import Callable, List, NamedTuple, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .backends import compute_dtype, traced
from .mixer_passes_triton import (Kept, inside_backward, inside_run,
                                  mixer_backward, mixer_run, output_dtype)
from .mixer_weights_triton import Weights, stack, stack_traced, unstack
from .scan_launch_triton import starts_shape
from .selective_scan import ScanParams


def _directions(forward: Optional[ScanParams],
                backward: Optional[ScanParams]) -> Tuple[list, int]:
    """Return those given; bit i of the int says that i runs backward."""
    each = [p for p in (forward, backward) if p is not None]
    return each, 0 if backward is None else 1 << (len(each) - 1)


def _fake_kept(x: Tensor, w: List[Tensor], keep: bool) -> Kept:
    """Return empty tensors like those that a run on x keeps."""
    k, n, d = Weights(*w).A.shape
    b, l = x.shape[:2]
    starts = w[5].new_empty(starts_shape(x.new_empty(k, b, l, d), n))
    dtype = output_dtype(x)
    y = x.new_empty((b, l, d) if keep else (0, b, l, d), dtype=dtype)
    return Kept(starts, y)


def _like(grads: Weights, w: List[Tensor]) -> List[Tensor]:
    """Return copies in the dtypes of the weights, as an op must."""
    whole = torch.contiguous_format
    return [
        g.to(t.dtype, copy=True, memory_format=whole)
        for g, t in zip(grads, w)
    ]


def _inside_gradients(xz: Tensor, w: Weights, reversed_: int, kept: Kept,
                      do: Tensor) -> Tuple[Tensor, Weights]:
    """Return all that ``inside_backward`` does but the output."""
    _, dxz, grads = inside_backward(xz, w, reversed_, kept, do.contiguous())
    return dxz, grads


@torch.library.custom_op('mmvideomamba::inside', mutates_args=())
def _inside(xz: Tensor, weights: List[Tensor], reversed_: int,
            keep: bool) -> Tuple[Tensor, Tensor, Tensor]:
    o, kept = inside_run(xz, Weights(*weights), reversed_, keep)
    return o, *kept


@_inside.register_fake
def _(xz: Tensor, weights: List[Tensor], reversed_: int,
      keep: bool) -> Tuple[Tensor, Tensor, Tensor]:
    y = xz.new_empty(xz.shape[0], xz.shape[1], xz.shape[2] // 2)
    return y, *_fake_kept(xz, weights, keep)


@torch.library.custom_op('mmvideomamba::inside_backward', mutates_args=())
def _inside_grads(xz: Tensor, weights: List[Tensor], reversed_: int,
                  starts: Tensor, y: Tensor, do: Tensor) -> List[Tensor]:
    dxz, grads = _inside_gradients(xz, Weights(*weights), reversed_,
                                   Kept(starts, y), do)
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
    o, kept = mixer_run(x, in_weight, out_weight, Weights(*weights), reversed_,
                        keep)
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
    *own, grads = mixer_backward(x, in_weight, out_weight, Weights(*weights),
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


class _Passes(NamedTuple):
    """Both passes of an op.

    Attributes:
        run (Callable): Takes the op's own tensors, the stacked weights,
            ``reversed_`` and ``keep``; returns output and ``Kept``.
        differentiate (Callable): Takes the same but ``keep``, then ``Kept``
            and the output's gradient; returns the gradients of the own
            tensors and of the weights.
        own (int): Number of the own tensors, the first of which is tokens.
    """
    run: Callable
    differentiate: Callable
    own: int


_INSIDE = _Passes(inside_run, _inside_gradients, 1)
_MIXER = _Passes(mixer_run, mixer_backward, 3)


class _Eager(torch.autograd.Function):
    """An op in one node: casts, stacks and their gradients included."""

    @staticmethod
    def forward(ctx, op: _Passes, dtype: torch.dtype, reversed_: int,
                keep: bool, *tensors: Optional[Tensor]) -> Tensor:
        own, flat = tensors[:op.own], tensors[op.own:]
        w = stack(_grouped(flat), dtype)
        low = [t.to(dtype) for t in own]
        low[0] = low[0].contiguous()
        y, kept = op.run(*low, w, reversed_, keep)
        ctx.op, ctx.reversed_ = op, reversed_
        ctx.dtypes = [t.dtype for t in own]
        if keep:
            ctx.save_for_backward(*low, *kept, *w, *flat)
        return y

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx, dy: Tensor) -> tuple:
        saved = iter(ctx.saved_tensors)
        low, kept, w = (
            list(itertools.islice(saved, n))
            for n in (ctx.op.own, len(Kept._fields), len(Weights._fields)))
        *own, grads = ctx.op.differentiate(*low, Weights(*w), ctx.reversed_,
                                           Kept(*kept), dy)
        own = [g.to(t) for g, t in zip(own, ctx.dtypes)]
        each = unstack(grads, _grouped(list(saved)))
        return None, None, None, None, *own, *(g for p in each for g in p)


def _grouped(flat: Sequence[Optional[Tensor]]) -> List[ScanParams]:
    """Put the weights of directions together again."""
    size = len(ScanParams._fields)
    return [ScanParams(*flat[i:i + size]) for i in range(0, len(flat), size)]


def _differentiated(*tensors: Optional[Tensor]) -> bool:
    """Tell whether there will be a backward pass."""
    return torch.is_grad_enabled() and any(t is not None and t.requires_grad
                                           for t in tensors)


def bidirectional_selective_scan(xz: Tensor, forward: Optional[ScanParams],
                                 backward: Optional[ScanParams],
                                 _: str) -> Tensor:
    """Compute the op; see ``ops.bidirectional_selective_scan``."""
    dtype = compute_dtype(xz)
    each, reversed_ = _directions(forward, backward)
    flat = [t for p in each for t in p]
    keep = _differentiated(xz, *flat)
    if traced(xz):
        low = xz.to(dtype).contiguous()
        y = _inside(low, list(stack_traced(each, dtype)), reversed_, keep)[0]
    else:
        y = _Eager.apply(_INSIDE, dtype, reversed_, keep, xz, *flat)
    # As everywhere, also where autocast computes in another dtype.
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
    each, reversed_ = _directions(forward, backward)
    flat = [t for p in each for t in p]
    keep = _differentiated(x, in_weight, out_weight, *flat)
    if traced(x):
        y, _, _ = _mixer(
            x.to(dtype).contiguous(),
            in_weight.to(dtype), out_weight.to(dtype),
            list(stack_traced(each, dtype)), reversed_, keep)
    else:
        y = _Eager.apply(_MIXER, dtype, reversed_, keep, x, in_weight,
                         out_weight, *flat)
    return y if out_bias is None else y + out_bias.to(dtype)
