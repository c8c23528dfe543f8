"""Selective scan in a single direction as an autograd op on Triton."""
from typing import Any, List, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ...runtime.host import ceil_div, needs_registered_op
from ...runtime.registered_op import differentiable, fake_of, registered_op
from .launch import reduce_bc, scan_backward, scan_forward
from .program import GROUP


@registered_op('scan')
def _scan(u: Tensor, delta: Tensor, A: Tensor, bc: Tensor, D: Tensor,
          reverse_bits: int, keep: bool) -> Tuple[Tensor, Tensor, Tensor]:
    """Scan, with rates (k, n, d); return output, last and stored states."""
    scanned = scan_forward(u, delta, A, bc, D, reverse_bits, u.dtype, keep)
    return scanned.y, scanned.last, scanned.states


@fake_of('scan')
def _(u: Tensor, delta: Tensor, A: Tensor, bc: Tensor, D: Tensor,
      reverse_bits: int, keep: bool) -> Tuple[Tensor, Tensor, Tensor]:
    k, b, l, d = u.shape
    n = A.shape[1]
    groups = ceil_div(l, GROUP.value) if keep else 0
    return (torch.empty_like(u), A.new_empty(k, b, n, d),
            A.new_empty(k, b, groups, n, d))


@registered_op('scan_backward', last=True)
def _scan_backward(u: Tensor, delta: Tensor, A: Tensor, bc: Tensor, D: Tensor,
                   dy: Tensor, states: Tensor,
                   reverse_bits: int) -> List[Tensor]:
    """Return the gradients of u, delta, A, bc and D."""
    grads = scan_backward(u, delta, A, bc, D, dy, states, reverse_bits, False)
    dbc = reduce_bc(grads.bc, grads.bc.new_empty(grads.bc.shape[1], 0), False)
    sums, n = grads.added(), A.shape[1]
    # A copy: the outputs of a registered op must not share memory.
    return [
        grads.u, grads.delta, sums[:, :n].contiguous(),
        dbc.view(bc.shape), sums[:, n].clone()
    ]


@fake_of('scan_backward')
def _(u: Tensor, delta: Tensor, A: Tensor, bc: Tensor, D: Tensor, dy: Tensor,
      states: Tensor, reverse_bits: int) -> List[Tensor]:
    return [torch.empty_like(x) for x in (u, delta, A, bc, D)]


def _setup(ctx: Any, inputs: tuple, output: tuple) -> None:
    *tensors, ctx.reverse_bits, _ = inputs
    ctx.save_for_backward(*tensors, output[2])


def _backward(ctx: Any, dy: Tensor, *_:
              Tensor) -> Tuple[Optional[Tensor], ...]:
    *tensors, states = ctx.saved_tensors
    grads = _scan_backward(*tensors, dy.contiguous(), states, ctx.reverse_bits)
    return (*grads, None, None)


differentiable('scan', _backward, _setup)


def _run(tensors: Sequence[Any], delta_softplus: bool,
         reverse: bool) -> Tuple[Tensor, Tensor]:
    """Compute the op; for backward, states and float32 inputs are stored."""
    u, delta, A, B, C, D, z, delta_bias = tensors
    step = delta.float()
    if delta_bias is not None:
        step = step + delta_bias
    if delta_softplus:
        step = F.softplus(step)
    skip = A.new_zeros(u.shape[2]) if D is None else D
    inputs = (u.float(), step, A.t(), torch.stack([B, C], dim=2).float(), skip)
    keep = torch.is_grad_enabled() and any(x.requires_grad for x in inputs)
    y, last, _ = _scan(*(x.contiguous().unsqueeze(0) for x in inputs),
                       int(reverse), keep)
    y = y[0]
    if z is not None:
        y = y * F.silu(z.float())
    return y.to(u.dtype), last[0].transpose(1, 2).detach()


class _Recomputed(torch.autograd.Function):
    """The op with the inputs alone stored; backward scans once more.

    States and float32 inputs are about ten times as large as inputs in half
    precision.
    """

    @staticmethod
    def forward(ctx: Any, options: Tuple[bool, bool], *tensors:
                Optional[Tensor]) -> Tuple[Tensor, Tensor]:
        y, last = _run(tensors, *options)
        ctx.save_for_backward(*tensors)
        ctx.options = options
        ctx.mark_non_differentiable(last)
        return y, last

    @staticmethod
    @torch.autograd.function.once_differentiable
    def backward(ctx: Any, dy: Tensor,
                 _: Tensor) -> Tuple[Optional[Tensor], ...]:
        needed = ctx.needs_input_grad[1:]
        tensors: List[Any] = [
            t if t is None else t.detach().requires_grad_(need)
            for t, need in zip(ctx.saved_tensors, needed)
        ]
        with torch.enable_grad():
            y, _ = _run(tensors, *ctx.options)
        wanted = [t for t, need in zip(tensors, needed) if need]
        grads = iter(torch.autograd.grad(y, wanted, dy))
        return (None, *(next(grads) if need else None for need in needed))


def selective_scan(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor,
                   D: Optional[Tensor], z: Optional[Tensor],
                   delta_bias: Optional[Tensor], delta_softplus: bool,
                   reverse: bool) -> Tuple[Tensor, Tensor]:
    """Compute the op on a GPU; see ``ops.selective_scan``.

    Args:
        u (Tensor): Input, shape (b, l, d).
        delta (Tensor): Step size, shape (b, l, d).
        A (Tensor): Negative decay rates, shape (d, n).
        B (Tensor): Input weights, shape (b, l, n) or (b, l, g, n).
        C (Tensor): Output weights, shapes as ``B``.
        D (Tensor, optional): Skip weight, shape (d, ).
        z (Tensor, optional): Gate, shape (b, l, d).
        delta_bias (Tensor, optional): Added to ``delta``, shape (d, ).
        delta_softplus (bool): Pass the step size through softplus.
        reverse (bool): Scan from the last token.

    Returns:
        tuple: Output (b, l, d) in the dtype of ``u``, and the last state
        (b, d, n), detached, in float32.
    """
    tensors = (u, delta, A, B, C, D, z, delta_bias)
    differentiated = torch.is_grad_enabled() and any(
        t is not None and t.requires_grad for t in tensors)
    if differentiated and not needs_registered_op(u):
        return _Recomputed.apply((delta_softplus, reverse), *tensors)
    return _run(tensors, delta_softplus, reverse)
