"""Selective scan on the CPU, as loops compiled by numba.

A work item is a sample and ``BLOCK`` channels, walked in tiles of ``STEP``
tokens: the steps and inputs of a tile first, then state by state through the
tile, with the state of 16 channels in registers. For backward the state is
stored before every tile and recomputed in the tile. Rates arrive as
``A * log2(e)``, transposed to (n, d). Channels come in multiples of 16. B and
C stand in rows of tokens, from the columns ``kB`` and ``kC`` on.
"""
from typing import Any, NamedTuple, Optional, Tuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..runtime.first_order import first_order
from ..runtime.host import ceil_div
from ..runtime.numba_cache import compiled
from ..runtime.numba_math import BLOCK, KERNEL, LOG2E
from ..runtime.numba_threads import run, to_numpy
from ..runtime.numba_vectors import WIDTH, load, store
from .numba_tile import BOUND, STEP, input_grads, pull, steps, walk

_f4 = np.float32


@compiled(**KERNEL)
def _forward(u, delta, rates, B, C, kB, kC, D, bias, y, states, last, soft,
             reverse, add, first, end):
    """Scan the items [first, end); states has no rows if none are kept.

    With ``add`` the output is added to y.
    """
    l, d = u.shape[1], u.shape[2]
    n = rates.shape[0]
    blocks = (d + BLOCK - 1) // BLOCK
    h = np.zeros((n, BLOCK), _f4)
    A = np.zeros((n, BLOCK), _f4)
    s = np.zeros((STEP, BLOCK), _f4)
    x = np.zeros((STEP, BLOCK), _f4)
    out = np.zeros((STEP, BLOCK), _f4)
    for item in range(first, end):
        b, c0 = item // blocks, item % blocks * BLOCK
        c1 = min(d, c0 + BLOCK)
        w = c1 - c0
        h[:] = 0
        A[:, :w] = rates[:, c0:c1]
        largest = max(A.max(), -A.min())
        for i0 in range(0, l, STEP):
            if states.shape[1] > 0:
                states[b, i0 // STEP, :, c0:c1] = h[:, :w]
            top = steps(u, delta, bias, soft, reverse, b, i0, c0, c1, s, x)
            count = min(STEP, l - i0)
            t0, step = (l - 1 - i0, -1) if reverse else (i0, 1)
            for j in range(count):
                for c in range(0, w, WIDTH):
                    k = (b, t0 + step * j, c0 + c)
                    v = load(D, (c0 + c, )) * load(u, k)
                    store(out, (j, c), load(y, k) + v if add else v)
            if top * largest < BOUND:
                walk(A, B, C, kB, kC, s, x, h, out, b, t0, step, count, w,
                     False)
            else:
                walk(A, B, C, kB, kC, s, x, h, out, b, t0, step, count, w,
                     True)
            for j in range(count):
                for c in range(0, w, WIDTH):
                    store(y, (b, t0 + step * j, c0 + c), load(out, (j, c)))
        last[b, :, c0:c1] = h[:, :w]


@compiled(**KERNEL)
def _backward(u, delta, rates, B, C, kB, kC, D, bias, dy, states, du, ddelta,
              dA, dB, dC, dD, dbias, soft, reverse, first, end):
    """Differentiate the items [first, end), a stored state at a time."""
    l, d = u.shape[1], u.shape[2]
    n = rates.shape[0]
    blocks = (d + BLOCK - 1) // BLOCK
    A = np.zeros((n, BLOCK), _f4)
    start = np.zeros((n, BLOCK), _f4)
    grad = np.zeros((n, BLOCK), _f4)
    gA = np.zeros((n, BLOCK), _f4)
    gD = np.zeros(BLOCK, _f4)
    gbias = np.zeros(BLOCK, _f4)
    s = np.zeros((STEP, BLOCK), _f4)
    x = np.zeros((STEP, BLOCK), _f4)
    g = np.zeros((STEP, BLOCK), _f4)
    through_a = np.zeros((STEP, BLOCK), _f4)
    through_b = np.zeros((STEP, BLOCK), _f4)
    a = np.zeros((STEP, WIDTH), _f4)
    h = np.zeros((STEP + 1, WIDTH), _f4)
    sums = np.zeros((2, STEP, WIDTH), _f4)
    for item in range(first, end):
        b, block = item // blocks, item % blocks
        c0 = block * BLOCK
        c1 = min(d, c0 + BLOCK)
        w = c1 - c0
        grad[:] = 0
        gA[:] = 0
        gD[:] = 0
        gbias[:] = 0
        A[:, :w] = rates[:, c0:c1]
        largest = max(A.max(), -A.min())
        dBb, dCb = dB[block, b], dC[block, b]
        for i0 in range((l - 1) // STEP * STEP, -1, -STEP):
            start[:, :w] = states[b, i0 // STEP, :, c0:c1]
            top = steps(u, delta, bias, soft, reverse, b, i0, c0, c1, s, x)
            count = min(STEP, l - i0)
            t0, step = (l - 1 - i0, -1) if reverse else (i0, 1)
            for j in range(count):
                g[j, :w] = dy[b, t0 + step * j, c0:c1]
            through_a[:] = 0
            through_b[:] = 0
            if top * largest < BOUND:
                pull(A, B, C, kB, kC, s, x, g, a, h, start, grad, gA, dBb, dCb,
                     through_a, through_b, sums, b, t0, step, count, w, False)
            else:
                pull(A, B, C, kB, kC, s, x, g, a, h, start, grad, gA, dBb, dCb,
                     through_a, through_b, sums, b, t0, step, count, w, True)
            input_grads(u, D, s, g, through_a, through_b, soft, du, ddelta, gD,
                        gbias, b, t0, step, count, c0, w)
        dA[b, :, c0:c1] = gA[:, :w]
        dD[b, c0:c1] = gD[:w]
        dbias[b, c0:c1] = gbias[:w]


class ScanArrays(NamedTuple):
    """Inputs of the kernels, float32, contiguous.

    Attributes:
        u (ndarray): Inputs, shape (b, l, d), d a multiple of 16.
        delta (ndarray): Steps before bias and softplus, shape (b, l, d).
        rates (ndarray): ``A * log2(e)``, shape (n, d).
        B (ndarray): Input weights, shape (b, l, kB + n or more).
        C (ndarray): Output weights, shape (b, l, kC + n or more).
        kB (int): First column of the input weights.
        kC (int): First column of the output weights.
        D (ndarray): Skip weights, shape (d, ).
        bias (ndarray): Of the steps, shape (d, ).
    """
    u: np.ndarray
    delta: np.ndarray
    rates: np.ndarray
    B: np.ndarray
    C: np.ndarray
    kB: int
    kC: int
    D: np.ndarray
    bias: np.ndarray


def rates_of(A: Tensor) -> np.ndarray:
    """Return ``A * log2(e)`` of A (d, n), float32, shape (n, d)."""
    return np.ascontiguousarray(to_numpy(A).T) * LOG2E


def scan(arrays: ScanArrays, y: np.ndarray, soft: bool, reverse: bool,
         add: bool, keep: bool) -> Tuple[np.ndarray, np.ndarray]:
    """Scan all channels.

    Args:
        arrays (ScanArrays): Inputs.
        y (ndarray): Written: output, shape (b, l, d), float32.
        soft (bool): Apply softplus to the steps.
        reverse (bool): Scan from the last token to the first.
        add (bool): Add the output to ``y``.
        keep (bool): Store states for ``scan_backward``.

    Returns:
        tuple: Last state (b, n, d), and the stored states.
    """
    b, l, d = arrays.u.shape
    n = arrays.rates.shape[0]
    last = np.empty((b, n, d), _f4)
    states = np.empty((b, ceil_div(l, STEP) if keep else 0, n, d), _f4)
    run(_forward, b * ceil_div(d, BLOCK), *arrays, y, states, last, soft,
        reverse, add)
    return last, states


def scan_backward(arrays: ScanArrays, states: np.ndarray, dy: np.ndarray,
                  soft: bool, reverse: bool) -> Tuple[Tensor, ...]:
    """Differentiate ``scan``.

    Args:
        arrays (ScanArrays): As for ``scan``.
        states (ndarray): Stored by ``scan``.
        dy (ndarray): Gradient of the output, shape (b, l, d).
        soft (bool): As for ``scan``.
        reverse (bool): As for ``scan``.

    Returns:
        tuple[Tensor]: Gradients of u and delta (b, l, d), of A (d, n), of B
        and C as partial sums (blocks, b, l, n), of D and of the bias (d, ).
    """
    b, l, d = arrays.u.shape
    n = arrays.rates.shape[0]
    blocks = ceil_div(d, BLOCK)
    du, ddelta = np.empty((b, l, d), _f4), np.empty((b, l, d), _f4)
    dA = np.empty((b, n, d), _f4)
    # A partial sum per channel block: threads share none.
    dB = np.empty((blocks, b, l, n), _f4)
    dC = np.empty((blocks, b, l, n), _f4)
    dD, dbias = np.empty((b, d), _f4), np.empty((b, d), _f4)
    run(_backward, b * blocks, *arrays, dy, states, du, ddelta, dA, dB, dC, dD,
        dbias, soft, reverse)
    found = [torch.from_numpy(x) for x in (du, ddelta, dA, dB, dC, dD, dbias)]
    for i in (2, 5, 6):
        found[i] = found[i].sum(0)
    found[2] = found[2].t().contiguous()
    return tuple(found)


def _scan(inputs: Tuple[Tensor, ...], soft: bool, reverse: bool,
          keep: bool) -> Tuple[Tensor, Tensor, tuple]:
    """Run the forward kernel; return output, last state, and its arrays."""
    u, delta, A, B, C, D, bias = inputs
    arrays = (to_numpy(u), to_numpy(delta), rates_of(A), to_numpy(B),
              to_numpy(C), to_numpy(D), to_numpy(bias))
    y = np.empty(u.shape, _f4)
    state, states = scan(
        _as_scan_arrays(*arrays), y, soft, reverse, add=False, keep=keep)
    last = torch.from_numpy(state).transpose(1, 2)
    return torch.from_numpy(y), last, (*arrays, states)


def _as_scan_arrays(u: np.ndarray, delta: np.ndarray, rates: np.ndarray,
                    B: np.ndarray, C: np.ndarray, D: np.ndarray,
                    bias: np.ndarray) -> ScanArrays:
    return ScanArrays(u, delta, rates, B, C, 0, 0, D, bias)


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
        grads = list(
            scan_backward(
                _as_scan_arrays(*arrays), states, to_numpy(dy), *ctx.options))
        grads[3:5] = (x.sum(0) for x in grads[3:5])
        return (None, None, *grads)


def selective_scan(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor,
                   D: Optional[Tensor], z: Optional[Tensor],
                   delta_bias: Optional[Tensor], delta_softplus: bool,
                   reverse: bool) -> Tuple[Tensor, Tensor]:
    """Compute the op with numba; see ``ops.selective_scan``.

    Args:
        u (Tensor): Input, shape (b, l, d).
        delta (Tensor): Step size, shape (b, l, d).
        A (Tensor): Negative decay rates, shape (d, n).
        B (Tensor): Input weights, shape (b, l, n).
        C (Tensor): Output weights, shape (b, l, n).
        D (Tensor, optional): Skip weight, shape (d, ).
        z (Tensor, optional): Gate, shape (b, l, d).
        delta_bias (Tensor, optional): Added to ``delta``, shape (d, ).
        delta_softplus (bool): Pass the step size through softplus.
        reverse (bool): Scan from the last token.

    Returns:
        tuple: Output (b, l, d) in the dtype of ``u``, and the last state
        (b, d, n), detached, in float32.
    """
    d = u.shape[2]
    zeros = A.new_zeros(d)
    missing = -d % WIDTH

    def padded(x: Tensor, *before_last: int) -> Tensor:
        x = x.float()
        return F.pad(x, (*before_last, 0, missing)) if missing else x

    inputs = (padded(u), padded(delta), padded(A, 0, 0), B.float(), C.float(),
              padded(zeros if D is None else D),
              padded(zeros if delta_bias is None else delta_bias))
    if torch.is_grad_enabled() and any(x.requires_grad for x in inputs):
        y, last = _Scan.apply(delta_softplus, reverse, *inputs)
    else:
        y, last, _ = _scan(inputs, delta_softplus, reverse, keep=False)
    y, last = y[..., :d], last[:, :d]
    if z is not None:
        y = y * F.silu(z.float())
    return y.to(u.dtype), last
