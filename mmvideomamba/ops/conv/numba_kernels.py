"""Depthwise causal convolution on the CPU, as loops compiled by numba."""
from typing import Any, Optional, Tuple

import numpy as np
import torch
from torch import Tensor

from ..runtime.first_order import first_order
from ..runtime.host import ceil_div
from ..runtime.numba_cache import compiled
from ..runtime.numba_math import BLOCK, INLINED, KERNEL, LOG2E, exp2
from ..runtime.numba_threads import run, to_numpy

# Tokens of a work item of the forward kernel.
TOKENS = 64

_f4 = np.float32


@compiled(**INLINED)
def _preactivation(x, taps, bias, i, reverse, out):
    """Write the convolution at scan position i to out.

    x (l, w), taps (k, w), bias (w, ) and out (w, ) hold a single work item.
    """
    l, k = x.shape[0], taps.shape[0]
    out[:] = bias
    for j in range(max(0, k - 1 - i), k):
        # Position i - (k - 1) + j in scan order.
        t = i - (k - 1) + j
        row = x[l - 1 - t] if reverse else x[t]
        tap = taps[j]
        for e in range(out.shape[0]):
            out[e] += tap[e] * row[e]


@compiled(**KERNEL)
def _forward(x, taps, bias, y, silu, reverse, first, end):
    """Convolve the items [first, end), each 64 tokens of a sample."""
    l, d = x.shape[1], x.shape[2]
    blocks = (l + TOKENS - 1) // TOKENS
    out = np.empty(d, _f4)
    for item in range(first, end):
        b, i0 = item // blocks, item % blocks * TOKENS
        for i in range(i0, min(i0 + TOKENS, l)):
            _preactivation(x[b], taps, bias, i, reverse, out)
            row = y[b, l - 1 - i if reverse else i]
            if silu:
                for e in range(d):
                    row[e] = out[e] / (_f4(1) + exp2(-LOG2E * out[e]))
            else:
                row[:] = out


@compiled(**KERNEL)
def _backward(x, taps, bias, dy, dx, dtaps, dbias, silu, reverse, first, end):
    """Differentiate the items [first, end)."""
    l, d = x.shape[1], x.shape[2]
    k = taps.shape[0]
    blocks = (d + BLOCK - 1) // BLOCK
    for item in range(first, end):
        b, c0 = item // blocks, item % blocks * BLOCK
        c1 = min(d, c0 + BLOCK)
        out = np.empty(c1 - c0, _f4)
        # Gradient before the activation, in scan order.
        dpre = np.empty((l, c1 - c0), _f4)
        w, c = taps[:, c0:c1].copy(), bias[c0:c1].copy()
        dw, dc = np.zeros_like(w), np.zeros_like(c)
        for i in range(l):
            t = l - 1 - i if reverse else i
            g = dpre[i]
            g[:] = dy[b, t, c0:c1]
            if silu:
                _preactivation(x[b, :, c0:c1], w, c, i, reverse, out)
                for e in range(out.shape[0]):
                    gate = _f4(1) / (_f4(1) + exp2(-LOG2E * out[e]))
                    g[e] *= gate * (_f4(1) + out[e] * (_f4(1) - gate))
            for e in range(out.shape[0]):
                dc[e] += g[e]
        for i in range(l):
            t = l - 1 - i if reverse else i
            row = x[b, t, c0:c1]
            out[:] = 0
            for j in range(max(0, k - l + i), k):
                # This token meets tap j at scan position i + k - 1 - j.
                g, tap, dtap = dpre[i + k - 1 - j], w[j], dw[j]
                for e in range(out.shape[0]):
                    out[e] += tap[e] * g[e]
                    dtap[e] += row[e] * g[e]
            dx[b, t, c0:c1] = out
        dtaps[b, :, c0:c1] = dw
        dbias[b, c0:c1] = dc


def _conv(x: np.ndarray, taps: np.ndarray, bias: np.ndarray, silu: bool,
          reverse: bool) -> Tensor:
    y = np.empty_like(x)
    run(_forward, x.shape[0] * ceil_div(x.shape[1], TOKENS), x, taps, bias, y,
        silu, reverse)
    return torch.from_numpy(y)


class _Conv(torch.autograd.Function):
    """The convolution and its activation, float32 in and out."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, silu: bool,
                reverse: bool) -> Tensor:
        arrays = (to_numpy(x), to_numpy(weight.t()), to_numpy(bias))
        ctx.save_for_backward(*(torch.from_numpy(a) for a in arrays))
        ctx.options = silu, reverse
        return _conv(*arrays, silu, reverse)

    @staticmethod
    @first_order
    def backward(ctx: Any, dy: Tensor) -> Tuple[Optional[Tensor], ...]:
        x, taps, bias = (a.numpy() for a in ctx.saved_tensors)
        b, _, d = x.shape
        dx = np.empty_like(x)
        dtaps = np.empty((b, *taps.shape), _f4)
        dbias = np.empty((b, d), _f4)
        run(_backward, b * ceil_div(d, BLOCK), x, taps, bias, to_numpy(dy), dx,
            dtaps, dbias, *ctx.options)
        grads = (dx, dtaps.sum(0).T, dbias.sum(0))
        return (*(torch.from_numpy(g) for g in grads), None, None)


def causal_conv1d(x: Tensor, weight: Tensor, bias: Optional[Tensor],
                  activation: Optional[str], reverse: bool) -> Tensor:
    """Compute the op with numba; see ``ops.causal_conv1d`` for the shapes."""
    silu = activation == 'silu'
    weight = weight.float()
    bias = weight.new_zeros(len(weight)) if bias is None else bias.float()
    inputs = (x.float(), weight, bias)
    if torch.is_grad_enabled() and any(t.requires_grad for t in inputs):
        y = _Conv.apply(*inputs, silu, reverse)
    else:
        y = _conv(
            to_numpy(x), to_numpy(weight.t()), to_numpy(bias), silu, reverse)
    return y.to(x.dtype)
