"""Selective scan on the CPU, as loops compiled by numba.

A work item is a sample and ``BLOCK`` channels; the item's state stays in
cache during the walk over the tokens. The innermost loop runs over channels
and vectorises. For backward the state is stored every ``STEP`` tokens and
recomputed in between. Rates arrive as ``A * log2(e)``, transposed to (n, d).
"""
from typing import Any, Optional, Tuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..runtime.first_order import first_order
from ..runtime.host import ceil_div
from ..runtime.numba_cache import compiled
from ..runtime.numba_math import BLOCK, INLINED, KERNEL, LOG2E, exp2, softplus
from ..runtime.numba_threads import run, to_numpy

# Tokens between two stored states: as many floats as 2 * u for n = 16.
STEP = 8

_f4 = np.float32
_LN2 = _f4(np.log(2.))


@compiled(**INLINED)
def _step(delta, bias, soft, s):
    """Write the step sizes of w channels to s, zeros beyond."""
    for e in range(delta.shape[0]):
        v = delta[e] + bias[e]
        s[e] = softplus(v) if soft else v


@compiled(**KERNEL)
def _forward(u, delta, rates, B, C, D, bias, y, states, last, soft, reverse,
             first, end):
    """Scan the items [first, end); states has no rows if none are kept."""
    l, d = u.shape[1], u.shape[2]
    n = rates.shape[0]
    blocks = (d + BLOCK - 1) // BLOCK
    h = np.zeros((n, BLOCK), _f4)
    A = np.zeros((n, BLOCK), _f4)
    s = np.zeros(BLOCK, _f4)
    x = np.zeros(BLOCK, _f4)
    out = np.zeros(BLOCK, _f4)
    for item in range(first, end):
        b, c0 = item // blocks, item % blocks * BLOCK
        c1 = min(d, c0 + BLOCK)
        w = c1 - c0
        skip, shift = D[c0:c1].copy(), bias[c0:c1].copy()
        h[:] = 0
        s[:] = 0
        x[:] = 0
        A[:, :w] = rates[:, c0:c1]
        for i in range(l):
            t = l - 1 - i if reverse else i
            if i % STEP == 0 and states.shape[1] > 0:
                states[b, i // STEP, :, c0:c1] = h[:, :w]
            row = u[b, t, c0:c1]
            _step(delta[b, t, c0:c1], shift, soft, s)
            for e in range(w):
                x[e] = s[e] * row[e]
                out[e] = skip[e] * row[e]
            for m in range(n):
                Bm, Cm = B[b, t, m], C[b, t, m]
                for e in range(BLOCK):
                    v = exp2(s[e] * A[m, e]) * h[m, e] + x[e] * Bm
                    h[m, e] = v
                    out[e] += v * Cm
            y[b, t, c0:c1] = out[:w]
        last[b, :, c0:c1] = h[:, :w]


@compiled(**INLINED)
def _recompute(u, delta, bias, A, B, soft, reverse, b, i0, c0, c1, s, x, a, h):
    """Fill steps, inputs, decays and states of the chunk that starts at i0.

    ``h[0]`` holds the state before the chunk.
    """
    l = u.shape[1]
    for j in range(min(STEP, l - i0)):
        t = l - 1 - i0 - j if reverse else i0 + j
        sj, xj, row = s[j], x[j], u[b, t, c0:c1]
        _step(delta[b, t, c0:c1], bias, soft, sj)
        for e in range(c1 - c0):
            xj[e] = sj[e] * row[e]
        for m in range(A.shape[0]):
            Bm = B[b, t, m]
            for e in range(BLOCK):
                v = exp2(s[j, e] * A[m, e])
                a[j, m, e] = v
                h[j + 1, m, e] = v * h[j, m, e] + x[j, e] * Bm


@compiled(**INLINED)
def _token_grads(A, B, C, s, x, a, before, after, g, grad, gA, dB, dC,
                 through_a, through_b):
    """Pull the gradient of a token's output back through the state.

    On entry ``grad`` holds the later tokens' gradient of the state; on return,
    the gradient of the state before the token.
    """
    through_a[:] = 0
    through_b[:] = 0
    for m in range(A.shape[0]):
        Bm, Cm = B[m], C[m]
        sum_b = _f4(0)
        sum_c = _f4(0)
        for e in range(BLOCK):
            v = grad[m, e] + g[e] * Cm
            sum_c += g[e] * after[m, e]
            sum_b += x[e] * v
            through_b[e] += v * Bm
            v = v * a[m, e]
            grad[m, e] = v
            v = v * before[m, e]
            through_a[e] += v * A[m, e]
            gA[m, e] += v * s[e]
        dB[m] = sum_b
        dC[m] = sum_c


@compiled(**INLINED)
def _input_grads(u, s, g, skip, through_a, through_b, soft, du, ddelta, gD,
                 gbias):
    """Write the gradients of a token's input and step."""
    for e in range(u.shape[0]):
        du[e] = s[e] * through_b[e] + g[e] * skip[e]
        # The rates carry a factor log2(e); remove the factor.
        v = u[e] * through_b[e] + through_a[e] * _LN2
        if soft:
            # The sigmoid of the argument, from the softplus s: 1 - e**-s, by
            # a series where the difference would cancel.
            t = s[e]
            small = t * (
                _f4(1) - t * (_f4(1 / 2) - t * (_f4(1 / 6) - t * _f4(1 / 24))))
            v *= small if t < _f4(0.06) else _f4(1) - exp2(-LOG2E * t)
        ddelta[e] = v
        gbias[e] += v
        gD[e] += g[e] * u[e]


@compiled(**KERNEL)
def _backward(u, delta, rates, B, C, D, bias, dy, states, du, ddelta, dA, dB,
              dC, dD, dbias, soft, reverse, first, end):
    """Differentiate the items [first, end), a stored state at a time."""
    l, d = u.shape[1], u.shape[2]
    n = rates.shape[0]
    blocks = (d + BLOCK - 1) // BLOCK
    h = np.zeros((STEP + 1, n, BLOCK), _f4)
    a = np.zeros((STEP, n, BLOCK), _f4)
    A = np.zeros((n, BLOCK), _f4)
    grad = np.zeros((n, BLOCK), _f4)
    s = np.zeros((STEP, BLOCK), _f4)
    x = np.zeros((STEP, BLOCK), _f4)
    g = np.zeros(BLOCK, _f4)
    through_a = np.zeros(BLOCK, _f4)
    through_b = np.zeros(BLOCK, _f4)
    for item in range(first, end):
        b, block = item // blocks, item % blocks
        c0 = block * BLOCK
        c1 = min(d, c0 + BLOCK)
        w = c1 - c0
        skip, shift = D[c0:c1].copy(), bias[c0:c1].copy()
        gA = np.zeros((n, BLOCK), _f4)
        gD = np.zeros(BLOCK, _f4)
        gbias = np.zeros(BLOCK, _f4)
        A[:, :w] = rates[:, c0:c1]
        h[:] = 0
        s[:] = 0
        x[:] = 0
        g[:] = 0
        grad[:] = 0
        for chunk in range((l - 1) // STEP, -1, -1):
            i0 = chunk * STEP
            h[0, :, :w] = states[b, chunk, :, c0:c1]
            _recompute(u, delta, shift, A, B, soft, reverse, b, i0, c0, c1, s,
                       x, a, h)
            for j in range(min(STEP, l - i0) - 1, -1, -1):
                t = l - 1 - i0 - j if reverse else i0 + j
                g[:w] = dy[b, t, c0:c1]
                _token_grads(A, B[b, t], C[b, t], s[j], x[j], a[j], h[j],
                             h[j + 1], g, grad, gA, dB[block, b, t],
                             dC[block, b, t], through_a, through_b)
                _input_grads(u[b, t, c0:c1], s[j], g, skip, through_a,
                             through_b, soft, du[b, t, c0:c1],
                             ddelta[b, t, c0:c1], gD, gbias)
        dA[b, :, c0:c1] = gA[:, :w]
        dD[b, c0:c1] = gD[:w]
        dbias[b, c0:c1] = gbias[:w]


def _scan(inputs: Tuple[Tensor, ...], soft: bool, reverse: bool,
          keep: bool) -> Tuple[Tensor, Tensor, tuple]:
    """Run the forward kernel; return output, last state, and its arrays."""
    u, delta, A, B, C, D, bias = inputs
    b, l, d = u.shape
    n = A.shape[1]
    rates = np.ascontiguousarray(to_numpy(A).T) * LOG2E
    arrays = (to_numpy(u), to_numpy(delta), rates, to_numpy(B), to_numpy(C),
              to_numpy(D), to_numpy(bias))
    y = np.empty((b, l, d), _f4)
    last = np.empty((b, n, d), _f4)
    states = np.empty((b, ceil_div(l, STEP) if keep else 0, n, d), _f4)
    run(_forward, b * ceil_div(d, BLOCK), *arrays, y, states, last, soft,
        reverse)
    last = torch.from_numpy(last).transpose(1, 2)
    return torch.from_numpy(y), last, (*arrays, states)


class _Scan(torch.autograd.Function):
    """Steps, recurrence and skip, float32 in and out."""

    @staticmethod
    def forward(ctx: Any, soft: bool, reverse: bool, *inputs:
                Tensor) -> Tuple[Tensor, Tensor]:
        y, last, arrays = _scan(inputs, soft, reverse, keep=True)
        ctx.save_for_backward(*(torch.from_numpy(x) for x in arrays))
        ctx.options = soft, reverse
        ctx.mark_non_differentiable(last)
        return y, last

    @staticmethod
    @first_order
    def backward(ctx: Any, dy: Tensor,
                 _: Tensor) -> Tuple[Optional[Tensor], ...]:
        *arrays, states = (x.numpy() for x in ctx.saved_tensors)
        b, l, d = arrays[0].shape
        n = arrays[2].shape[0]
        blocks = ceil_div(d, BLOCK)
        du, ddelta = np.empty((b, l, d), _f4), np.empty((b, l, d), _f4)
        dA = np.empty((b, n, d), _f4)
        # A partial sum per channel block: threads share none.
        dB = np.empty((blocks, b, l, n), _f4)
        dC = np.empty((blocks, b, l, n), _f4)
        dD, dbias = np.empty((b, d), _f4), np.empty((b, d), _f4)
        run(_backward, b * blocks, *arrays, to_numpy(dy), states, du, ddelta,
            dA, dB, dC, dD, dbias, *ctx.options)
        grads = (du, ddelta, dA.sum(0).T, dB.sum(0), dC.sum(0), dD.sum(0),
                 dbias.sum(0))
        return (None, None, *(torch.from_numpy(x) for x in grads))


def selective_scan(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor,
                   D: Optional[Tensor], z: Optional[Tensor],
                   delta_bias: Optional[Tensor], delta_softplus: bool,
                   reverse: bool) -> Tuple[Tensor, Tensor]:
    """Compute the op with numba; see ``ops.selective_scan`` for the shapes.

    ``B`` and ``C`` must have shape (b, l, n).

    Returns:
        tuple: Output (b, l, d) in the dtype of ``u``, and the last state
        (b, d, n), detached, in float32.
    """
    zeros = A.new_zeros(u.shape[2])
    inputs = (u.float(), delta.float(), A, B.float(), C.float(),
              zeros if D is None else D,
              zeros if delta_bias is None else delta_bias)
    if torch.is_grad_enabled() and any(x.requires_grad for x in inputs):
        y, last = _Scan.apply(delta_softplus, reverse, *inputs)
    else:
        y, last, _ = _scan(inputs, delta_softplus, reverse, keep=False)
    if z is not None:
        y = y * F.silu(z.float())
    return y.to(u.dtype), last
