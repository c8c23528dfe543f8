"""Depthwise causal convolution on the CPU, as loops compiled by numba.

Channels come in multiples of 16. Of wider tokens, the first channels are
convolved, as many as there are taps.
"""
from typing import Any, Optional, Tuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..runtime.first_order import first_order
from ..runtime.host import ceil_div
from ..runtime.numba_cache import compiled
from ..runtime.numba_math import BLOCK, INLINED, KERNEL, sigmoid
from ..runtime.numba_threads import run, to_numpy
from ..runtime.numba_vectors import WIDTH, fma, load, splat, store

# Tokens of a work item of the forward kernel, and of a tile of backward.
TOKENS = 64
TILE = 16

_f4 = np.float32


@compiled(**INLINED)
def _preactivation(x, taps, bias, b, i, c, reverse):
    """Return the convolution of 16 channels at scan position i."""
    l, k = x.shape[1], taps.shape[0]
    out = load(bias, (c, ))
    for j in range(max(0, k - 1 - i), k):
        # Position i - (k - 1) + j in scan order.
        t = i - (k - 1) + j
        row = l - 1 - t if reverse else t
        out = fma(load(taps, (j, c)), load(x, (b, row, c)), out)
    return out


@compiled(**KERNEL)
def _forward(x, taps, bias, y, silu, reverse, first, end):
    """Convolve the items [first, end), each 64 tokens of a sample."""
    l, d = x.shape[1], taps.shape[1]
    blocks = (l + TOKENS - 1) // TOKENS
    for item in range(first, end):
        b, i0 = item // blocks, item % blocks * TOKENS
        for i in range(i0, min(i0 + TOKENS, l)):
            t = l - 1 - i if reverse else i
            for c in range(0, d, WIDTH):
                v = _preactivation(x, taps, bias, b, i, c, reverse)
                store(y, (b, t, c), v * sigmoid(v) if silu else v)


@compiled(**INLINED)
def _through_silu(x, taps, bias, dy, dpre, dbias, silu, reverse, b, i0, count,
                  c0, width):
    """Fill dpre, the gradients before the activation, of a tile."""
    l = x.shape[1]
    for c in range(0, width, WIDTH):
        summed = load(dbias, (b, c0 + c))
        for j in range(count):
            i = i0 + j
            g = load(dy, (b, l - 1 - i if reverse else i, c0 + c))
            if silu:
                v = _preactivation(x, taps, bias, b, i, c0 + c, reverse)
                gate = sigmoid(v)
                one = splat(_f4(1))
                g = g * gate * fma(v, one - gate, one)
            store(dpre, (j, c), g)
            summed = summed + g
        store(dbias, (b, c0 + c), summed)


@compiled(**INLINED)
def _through_taps(x, taps, dpre, dx, dtaps, reverse, add, b, i0, count, c0,
                  width):
    """Write the gradients of a tile's tokens, and add to those of taps."""
    l, k = x.shape[1], taps.shape[0]
    for c in range(0, width, WIDTH):
        for j in range(count):
            t = l - 1 - i0 - j if reverse else i0 + j
            g = splat(_f4(0))
            if add:
                g = load(dx, (b, t, c0 + c))
            for m in range(k):
                # This token meets tap m at the scan position k - 1 - m later.
                p = load(dpre, (j + k - 1 - m, c))
                g = fma(load(taps, (m, c0 + c)), p, g)
            store(dx, (b, t, c0 + c), g)
        for m in range(k):
            summed = load(dtaps, (b, m, c0 + c))
            for j in range(count):
                t = l - 1 - i0 - j if reverse else i0 + j
                summed = fma(
                    load(x, (b, t, c0 + c)), load(dpre, (j + k - 1 - m, c)),
                    summed)
            store(dtaps, (b, m, c0 + c), summed)


@compiled(**KERNEL)
def _backward(x, taps, bias, dy, dx, dtaps, dbias, silu, reverse, add, first,
              end):
    """Differentiate the items [first, end); with ``add``, add to dx."""
    l = x.shape[1]
    k, d = taps.shape
    blocks = (d + BLOCK - 1) // BLOCK
    # A tile, and the later positions within the taps' reach.
    dpre = np.zeros((TILE + k - 1, BLOCK), _f4)
    for item in range(first, end):
        b, c0 = item // blocks, item % blocks * BLOCK
        c1 = min(d, c0 + BLOCK)
        dpre[:] = 0
        dtaps[b, :, c0:c1] = 0
        dbias[b, c0:c1] = 0
        for i0 in range((l - 1) // TILE * TILE, -1, -TILE):
            dpre[TILE:] = dpre[:k - 1].copy()
            count = min(TILE, l - i0)
            _through_silu(x, taps, bias, dy, dpre, dbias, silu, reverse, b, i0,
                          count, c0, c1 - c0)
            _through_taps(x, taps, dpre, dx, dtaps, reverse, add, b, i0, count,
                          c0, c1 - c0)


def convolve(x: np.ndarray, taps: np.ndarray, bias: np.ndarray, silu: bool,
             reverse: bool) -> np.ndarray:
    """Convolve the first d channels of tokens.

    Args:
        x (ndarray): Tokens, shape (b, l, d or more), float32.
        taps (ndarray): Shape (k, d), d a multiple of 16.
        bias (ndarray): Shape (d, ).
        silu (bool): Apply SiLU.
        reverse (bool): Look at later tokens.

    Returns:
        ndarray: Shape (b, l, d).
    """
    b, l, _ = x.shape
    y = np.empty((b, l, taps.shape[1]), _f4)
    run(_forward, b * ceil_div(l, TOKENS), x, taps, bias, y, silu, reverse)
    return y


def convolve_backward(x: np.ndarray, taps: np.ndarray, bias: np.ndarray,
                      dy: np.ndarray, dx: np.ndarray, silu: bool,
                      reverse: bool, add: bool) -> Tuple[Tensor, Tensor]:
    """Differentiate ``convolve``.

    Args:
        x (ndarray): As for ``convolve``, as are the next two.
        taps (ndarray): Shape (k, d).
        bias (ndarray): Shape (d, ).
        dy (ndarray): Gradient of the output, shape (b, l, d).
        dx (ndarray): Written: gradient of the tokens, shape of ``x``.
        silu (bool): As for ``convolve``.
        reverse (bool): As for ``convolve``.
        add (bool): Add to ``dx``.

    Returns:
        tuple: Gradients of the weight (d, k) and of the bias (d, ).
    """
    b, (k, d) = x.shape[0], taps.shape
    dtaps, dbias = np.empty((b, k, d), _f4), np.empty((b, d), _f4)
    run(_backward, b * ceil_div(d, BLOCK), x, taps, bias, dy, dx, dtaps, dbias,
        silu, reverse, add)
    return (torch.from_numpy(dtaps).sum(0).t().contiguous(),
            torch.from_numpy(dbias).sum(0))


class _Conv(torch.autograd.Function):
    """The convolution and its activation, float32 in and out."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, weight: Tensor, bias: Tensor, silu: bool,
                reverse: bool) -> Tensor:
        arrays = (to_numpy(x), to_numpy(weight.t()), to_numpy(bias))
        ctx.save_for_backward(*(torch.from_numpy(a) for a in arrays))
        ctx.options = silu, reverse
        return torch.from_numpy(convolve(*arrays, silu, reverse))

    @staticmethod
    @first_order
    def backward(ctx: Any, dy: Tensor) -> Tuple[Optional[Tensor], ...]:
        x, taps, bias = (a.numpy() for a in ctx.saved_tensors)
        dx = np.empty_like(x)
        silu, reverse = ctx.options
        grads = convolve_backward(x, taps, bias, to_numpy(dy), dx, silu,
                                  reverse, False)
        return (torch.from_numpy(dx), *grads, None, None)


def causal_conv1d(x: Tensor, weight: Tensor, bias: Optional[Tensor],
                  activation: Optional[str], reverse: bool) -> Tensor:
    """Compute the op with numba; see ``ops.causal_conv1d`` for the shapes."""
    silu = activation == 'silu'
    d = x.shape[2]
    weight = weight.float()
    bias = weight.new_zeros(d) if bias is None else bias.float()
    inputs = (x.float(), weight, bias)
    missing = -d % WIDTH
    if missing:
        inputs = (F.pad(inputs[0], (0, missing)),
                  F.pad(weight, (0, 0, 0, missing)), F.pad(bias, (0, missing)))
    if torch.is_grad_enabled() and any(t.requires_grad for t in inputs):
        y = _Conv.apply(*inputs, silu, reverse)
    else:
        x_, weight_, bias_ = inputs
        y = torch.from_numpy(
            convolve(
                to_numpy(x_), to_numpy(weight_.t()), to_numpy(bias_), silu,
                reverse))
    return y[..., :d].to(x.dtype)
