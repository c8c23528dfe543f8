"""Residual addition and RMSNorm on the CPU, as loops compiled by numba."""
from typing import Any, Optional, Tuple

import numpy as np
import torch
from torch import Tensor

from ..runtime.first_order import first_order
from ..runtime.host import ceil_div
from ..runtime.numba_cache import compiled
from ..runtime.numba_math import KERNEL
from ..runtime.numba_threads import run, to_numpy
from ..runtime.numba_vectors import WIDTH, fma, load, splat, store, total
from . import reference

# Rows of a work item.
ROWS = 64

_f4 = np.float32


@compiled(**KERNEL)
def _forward(x, residual, weight, scale, eps, y, stream, inverse, first, end):
    """Norm the items [first, end), each 64 rows.

    Samples of equally many rows have a scale each; residual has no rows if
    there is none.
    """
    rows, c = x.shape
    for i in range(first * ROWS, min(end * ROWS, rows)):
        factor = splat(scale[i * scale.shape[0] // rows])
        squares = splat(_f4(0))
        for e in range(0, c, WIDTH):
            v = load(x, (i, e)) * factor
            if residual.shape[0] > 0:
                v = v + load(residual, (i, e))
            store(stream, (i, e), v)
            squares = fma(v, v, squares)
        inverse[i] = _f4(1) / np.sqrt(total(squares) / _f4(c) + eps)
        r = splat(inverse[i])
        for e in range(0, c, WIDTH):
            store(y, (i, e), load(stream, (i, e)) * r * load(weight, (e, )))


@compiled(**KERNEL)
def _backward(stream, inverse, weight, scale, dy, dstream, dx, dresidual,
              dweight, first, end):
    """Differentiate the items [first, end).

    ``dresidual`` has no rows if ``dx`` serves as well.
    """
    rows, c = stream.shape
    for item in range(first, end):
        dweight[item] = 0
        for i in range(item * ROWS, min((item + 1) * ROWS, rows)):
            r, products = splat(inverse[i]), splat(_f4(0))
            for e in range(0, c, WIDTH):
                g, v = load(dy, (i, e)), load(stream, (i, e))
                products = fma(g * load(weight, (e, )), v, products)
                store(dweight, (item, e),
                      fma(g * v, r, load(dweight, (item, e))))
            mean = total(products) / _f4(c)
            slope = splat(-mean * inverse[i] * inverse[i] * inverse[i])
            factor = splat(scale[i * scale.shape[0] // rows])
            for e in range(0, c, WIDTH):
                g = load(dy, (i, e)) * load(weight, (e, )) * r
                g = g + fma(load(stream, (i, e)), slope, load(dstream, (i, e)))
                if dresidual.shape[0] > 0:
                    store(dresidual, (i, e), g)
                store(dx, (i, e), g * factor)


def _norm(x: Tensor, residual: Optional[Tensor], weight: Tensor,
          scale: Optional[Tensor], eps: float) -> Tuple[Tensor, ...]:
    """Return the norm, the stream, and the factor of each row."""
    arrays = _arrays(x, residual, weight, scale)
    m, c = x.shape
    y, stream = np.empty((m, c), _f4), np.empty((m, c), _f4)
    inverse = np.empty(m, _f4)
    run(_forward, ceil_div(m, ROWS), *arrays, _f4(eps), y, stream, inverse)
    return tuple(torch.from_numpy(a) for a in (y, stream, inverse))


class _AddNorm(torch.autograd.Function):
    """Sum and norm of rows (m, c), float32 in and out."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, residual: Optional[Tensor],
                weight: Tensor, scale: Optional[Tensor],
                eps: float) -> Tuple[Tensor, Tensor]:
        y, stream, inverse = _norm(x, residual, weight, scale, eps)
        ctx.save_for_backward(weight, scale, stream, inverse)
        ctx.has_residual = residual is not None
        return y, stream

    @staticmethod
    @first_order
    def backward(ctx: Any, dy: Tensor,
                 dstream: Tensor) -> Tuple[Optional[Tensor], ...]:
        weight, scale, stream, inverse = ctx.saved_tensors
        _, none, *others = _arrays(stream, None, weight, scale)
        m, c = stream.shape
        items = ceil_div(m, ROWS)
        dx, dweight = np.empty((m, c), _f4), np.empty((items, c), _f4)
        apart = ctx.has_residual and scale is not None
        dresidual = np.empty((m, c), _f4) if apart else none
        run(_backward, items, stream.numpy(), inverse.numpy(), *others,
            to_numpy(dy), to_numpy(dstream), dx, dresidual, dweight)
        grads = [torch.from_numpy(a) for a in (dx, dresidual, dweight)]
        if ctx.has_residual and not apart:
            grads[1] = grads[0]
        return (grads[0], grads[1] if ctx.has_residual else None,
                grads[2].sum(0), None, None)


def _arrays(x: Tensor, residual: Optional[Tensor], weight: Tensor,
            scale: Optional[Tensor]) -> Tuple[np.ndarray, ...]:
    none = x.new_empty(0, x.shape[1]) if residual is None else residual
    ones = x.new_ones(1) if scale is None else scale
    return to_numpy(x), to_numpy(none), to_numpy(weight), to_numpy(ones)


def add_rms_norm(x: Tensor,
                 residual: Optional[Tensor],
                 weight: Tensor,
                 eps: float,
                 draw: Optional[Tensor] = None,
                 drop_prob: float = 0.) -> Tuple[Tensor, Tensor]:
    """Compute ``ops.add_rms_norm`` with numba.

    Channels that are not a multiple of 16 run the definition.
    """
    c = x.shape[-1]
    if c % WIDTH:
        return reference.add_rms_norm(x, residual, weight, eps, draw,
                                      drop_prob)
    keep = 1 - drop_prob
    inputs = (x.float().reshape(-1, c),
              None if residual is None else residual.float().reshape(-1, c),
              weight.float(), None if draw is None else
              (draw + keep).floor() / keep)
    if torch.is_grad_enabled() and any(t is not None and t.requires_grad
                                       for t in inputs):
        y, stream = _AddNorm.apply(*inputs, eps)
    else:
        y, stream, _ = _norm(*inputs, eps)
    return y.view(x.shape).to(x.dtype), stream.view(x.shape)
