"""Selective scan in plain torch: the definition of the op.

The recurrence is linear in the state, so a segment of tokens is scanned in
two levels: all chunks of the segment advance together from a zero state, the
final states are chained, and a second sweep starts every chunk from the true
state. A segment of ``s`` tokens costs about ``3 * sqrt(s)`` vector operations
instead of ``s``. Segments follow each other, so memory is linear in tokens.
"""
import math
from contextlib import nullcontext
from typing import (Any, Callable, ContextManager, List, Optional, Sequence,
                    Tuple)

import torch
import torch.nn.functional as F
from torch import Tensor

from ..runtime.host import being_exported, being_traced, ceil_div
from . import exported
from .traceable import scan as traceable_scan

# Elements of a (s, b, g, p, n) work tensor; 2 M floats stay in a CPU cache.
_SEGMENT_ELEMENTS = 2**21
# Below this the stored segment states would outgrow the inputs (n = 16).
_MIN_SEGMENT = 16


def _linear_scan(a: Tensor, x: Tensor, h0: Tensor) -> Tensor:
    """Return all states of ``h[l] = a[l] * h[l-1] + x[l]``.

    Args:
        a (Tensor): Decays, shape (s, ...).
        x (Tensor): Inputs, shape (s, ...).
        h0 (Tensor): State before the first token, shape (...).

    Returns:
        Tensor: States, shape (s, ...).
    """
    s = a.shape[0]
    k = math.isqrt(s - 1) + 1
    c = ceil_div(s, k)
    if c * k > s:
        rest = (c * k - s, *a.shape[1:])
        a = torch.cat([a, a.new_ones(rest)])
        x = torch.cat([x, x.new_zeros(rest)])
    a, x = a.unflatten(0, (c, k)), x.unflatten(0, (c, k))
    end = x[:, 0]
    for j in range(1, k):
        end = torch.addcmul(x[:, j], a[:, j], end)
    decay = a.prod(dim=1)
    starts = [h0]
    for i in range(c - 1):
        starts.append(torch.addcmul(end[i], decay[i], starts[-1]))
    state = torch.stack(starts)
    h = torch.empty_like(x)
    for j in range(k):
        state = torch.addcmul(x[:, j], a[:, j], state)
        h[:, j] = state
    return h.flatten(0, 1)[:s]


def _segments(l: int, elements: int) -> List[slice]:
    size = max(_MIN_SEGMENT, _SEGMENT_ELEMENTS // max(1, elements))
    return [slice(i, min(i + size, l)) for i in range(0, l, size)]


class _Scan(torch.autograd.Function):
    """``y[l] = C[l] . h[l]`` with the states recomputed in backward.

    All tensors are token-first with channels split into groups: u and delta
    (l, b, g, p), A (g, p, n), B and C (l, b, g, n), states (b, g, p, n).
    """

    @staticmethod
    def forward(ctx: Any, u: Tensor, delta: Tensor, A: Tensor, B: Tensor,
                C: Tensor) -> Tuple[Tensor, Tensor]:
        l, b, g, p = u.shape
        h = A.new_zeros(b, g, p, A.shape[-1])
        y = torch.empty_like(u)
        starts = []
        for s in _segments(l, h.numel()):
            starts.append(h)
            states = _states(u[s], delta[s], A, B[s], h)[1]
            y[s] = (states * C[s].unsqueeze(-2)).sum(-1)
            # A copy, to release the memory of the whole segment.
            h = states[-1].clone()
        ctx.save_for_backward(u, delta, A, B, C, *starts)
        ctx.mark_non_differentiable(h)
        return y, h

    @staticmethod
    def backward(ctx: Any, dy: Tensor, _: Tensor) -> Tuple[Tensor, ...]:
        u, delta, A, B, C, *starts = ctx.saved_tensors
        if torch.is_grad_enabled():
            return _differentiable_grads((u, delta, A, B, C), dy)
        du, ddelta = torch.empty_like(u), torch.empty_like(delta)
        dA = torch.zeros_like(A)
        dB, dC = torch.empty_like(B), torch.empty_like(C)
        segments = _segments(u.shape[0], starts[0].numel())
        carry = torch.zeros_like(starts[0])
        for s, h0 in zip(reversed(segments), reversed(starts)):
            a, h = _states(u[s], delta[s], A, B[s], h0)
            dC[s] = (h * dy[s].unsqueeze(-1)).sum(-2)
            # grad[l] = dy[l] C[l] + a[l+1] grad[l+1]; the carry holds
            # a[l+1] grad[l+1] of the token after the segment.
            later = torch.cat([a[1:], torch.ones_like(a[:1])]).flip(0)
            grad = dy[s].unsqueeze(-1) * C[s].unsqueeze(-2)
            grad = _linear_scan(later, grad.flip(0), carry).flip(0)
            carry = a[0] * grad[0]
            du_, ddelta_, dA_, dB[s] = _local_grads(
                u[s], delta[s], A, B[s], a, torch.cat([h0[None], h[:-1]]),
                grad)
            du[s], ddelta[s] = du_, ddelta_
            dA += dA_
        return du, ddelta, dA, dB, dC


def _differentiable_grads(inputs: Sequence[Tensor],
                          dy: Tensor) -> Tuple[Tensor, ...]:
    """Compute the gradients of ``_Scan`` so that torch differentiates them."""
    # Aliases: the inputs may depend on each other, and each counts alone.
    inner = [
        x.view_as(x) if x.requires_grad else x.detach().requires_grad_()
        for x in inputs
    ]
    u, delta, A, B, C = inner
    y, _ = traceable_scan(
        u.transpose(0, 1), delta.transpose(0, 1), A, B.transpose(0, 1),
        C.transpose(0, 1))
    # A single token has no decay: A is not used, and its gradient is zero.
    return torch.autograd.grad(
        y.transpose(0, 1),
        inner,
        dy,
        create_graph=True,
        materialize_grads=True)


def _states(u: Tensor, delta: Tensor, A: Tensor, B: Tensor,
            h0: Tensor) -> Tuple[Tensor, Tensor]:
    """Return decays and states of a segment, both (s, b, g, p, n)."""
    a = torch.exp(delta.unsqueeze(-1) * A)
    x = (delta * u).unsqueeze(-1) * B.unsqueeze(-2)
    return a, _linear_scan(a, x, h0)


def _local_grads(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, a: Tensor,
                 before: Tensor, grad: Tensor) -> Tuple[Tensor, ...]:
    """Turn the state gradients of a segment into input gradients."""
    through_b = (grad * B.unsqueeze(-2)).sum(-1)  # (s, b, g, p)
    dB = (grad * (delta * u).unsqueeze(-1)).sum(-2)
    through_a = grad * a * before  # (s, b, g, p, n)
    ddelta = u * through_b + (through_a * A).sum(-1)
    dA = (through_a * delta.unsqueeze(-1)).sum((0, 1))
    return delta * through_b, ddelta, dA, dB


def _recomputing_scan(u: Tensor, delta: Tensor, A: Tensor, B: Tensor,
                      C: Tensor) -> Tuple[Tensor, Tensor]:
    """Run ``_Scan`` on tensors with samples first; see ``traceable.scan``."""
    y, last = _Scan.apply(
        u.transpose(0, 1), delta.transpose(0, 1), A, B.transpose(0, 1),
        C.transpose(0, 1))
    return y.transpose(0, 1), last


def _no_autocast(u: Tensor) -> ContextManager[None]:
    """Keep the state in the dtype of A, also under autocast."""
    # Autocast does not know 'meta'.
    kind = 'cpu' if u.is_meta else u.device.type
    # A region of autocast around a loop cannot be saved.
    if being_exported() and not torch.is_autocast_enabled(kind):
        return nullcontext()
    return torch.autocast(kind, enabled=False)


def _scan_for(u: Tensor) -> Callable[..., Tuple[Tensor, Tensor]]:
    """Choose the form of the scan that whoever looks on can follow."""
    if not being_traced(u):
        return _recomputing_scan
    if being_exported() and exported.can_loop():
        return exported.scan
    return traceable_scan


def _grouped(x: Tensor, b: int, l: int, reverse: bool) -> Tensor:
    """Bring B or C to (b, l, g, n), tokens in scan order."""
    if x.dim() == 2:
        x = x.expand(b, l, *x.shape)
    elif x.dim() == 3:
        x = x.unsqueeze(2)
    return x.flip(1) if reverse else x


def selective_scan(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor,
                   D: Optional[Tensor], z: Optional[Tensor],
                   delta_bias: Optional[Tensor], delta_softplus: bool,
                   reverse: bool) -> Tuple[Tensor, Tensor]:
    """Compute the op in torch; see ``ops.selective_scan``.

    Args:
        u (Tensor): Input, shape (b, l, d).
        delta (Tensor): Step size, shape (b, l, d).
        A (Tensor): Negative decay rates, shape (d, n).
        B (Tensor): Input weights, shape (b, l, n), (b, l, g, n) or (d, n).
        C (Tensor): Output weights, shapes as ``B``.
        D (Tensor, optional): Skip weight, shape (d, ).
        z (Tensor, optional): Gate, shape (b, l, d).
        delta_bias (Tensor, optional): Added to ``delta``, shape (d, ).
        delta_softplus (bool): Pass the step size through softplus.
        reverse (bool): Scan from the last token.

    Returns:
        tuple: Output (b, l, d) in the dtype of ``u``, and the last state
        (b, d, n), detached, in the dtype of ``A``.
    """
    b, l, d = u.shape
    dtype = A.dtype
    with _no_autocast(u):
        x, step = u.to(dtype), delta.to(dtype)
        if delta_bias is not None:
            step = step + delta_bias
        if delta_softplus:
            # A graph for any runtime, where softplus itself may be slow.
            step = (exported.softplus if being_exported() else F.softplus)(
                step)
        Bs = _grouped(B.to(dtype), b, l, reverse)
        Cs = _grouped(C.to(dtype), b, l, reverse)
        # B and C may differ in layout; the finer grouping serves both.
        g = max(Bs.shape[2], Cs.shape[2])
        # Only where needed: a tracer takes the factor for a tensor.
        Bs, Cs = (
            t if t.shape[2] == g else t.repeat_interleave(g // t.shape[2], 2)
            for t in (Bs, Cs))

        def split(t: Tensor) -> Tensor:
            t = t.unflatten(2, (g, d // g))
            return t.flip(1) if reverse else t

        y, last = _scan_for(u)(split(x), split(step),
                               A.unflatten(0, (g, d // g)), Bs, Cs)
        y = (y.flip(1) if reverse else y).flatten(2)
        if D is not None:
            y = y + D * x
        if z is not None:
            y = y * F.silu(z.to(dtype))
    return y.to(u.dtype), last.flatten(1, 2)
