"""Selective scan of plain torch operators: for tracing and transforms.

The definition in ``reference.py`` recomputes the states in a backward pass of
its own, which tracers, exporters and ``torch.func`` cannot look into. This
form is the same recurrence as an associative scan, differentiated by torch:
about 14 operators for each halving of the sequence, without loops over
tokens, in-place writes, or a division by decays.
"""
from typing import Tuple

import torch
from torch import Tensor


def _states(a: Tensor, x: Tensor) -> Tensor:
    """Return all states of ``h[i] = a[i] * h[i-1] + x[i]``, h[-1] = 0.

    Pairs of neighbours merge into a sequence of half the length, whose states
    are those of the odd tokens; the even tokens are one step further.

    Args:
        a (Tensor): Decays, shape (b, l, ...).
        x (Tensor): Inputs, shape (b, l, ...).

    Returns:
        Tensor: States, shape (b, l, ...).

    Source: Blelloch, Prefix Sums and Their Applications, 1990, Section 1.4.1,
    for first-order recurrences.
    """
    l = x.shape[1]
    if l == 1:
        return x
    pairs = l // 2
    end = 2 * pairs
    first, second = a[:, 0:end:2], a[:, 1:end:2]
    odd = _states(first * second,
                  torch.addcmul(x[:, 1:end:2], second, x[:, 0:end:2]))
    even = x[:, :1]
    if l > 2:
        later = torch.addcmul(x[:, 2::2], a[:, 2::2], odd[:, :(l - 1) // 2])
        even = torch.cat([even, later], dim=1)
    # Interleaved: (b, pairs, 2, ...) to (b, 2 * pairs, ...).
    h = torch.stack([even[:, :pairs], odd], dim=2).flatten(1, 2)
    return h if end == l else torch.cat([h, even[:, pairs:]], dim=1)


def scan(u: Tensor, delta: Tensor, A: Tensor, B: Tensor,
         C: Tensor) -> Tuple[Tensor, Tensor]:
    """Compute ``y[l] = C[l] . h[l]`` with operators of torch alone.

    Args:
        u (Tensor): Input in scan order, shape (b, l, g, p): channels in g
            groups of p.
        delta (Tensor): Positive step sizes, shape (b, l, g, p).
        A (Tensor): Negative decay rates, shape (g, p, n).
        B (Tensor): Input weights, shape (b, l, g, n).
        C (Tensor): Output weights, shape (b, l, g, n).

    Returns:
        tuple: Output (b, l, g, p), and the last state (b, g, p, n), detached.
    """
    a = torch.exp(delta.unsqueeze(-1) * A)
    h = _states(a, (delta * u).unsqueeze(-1) * B.unsqueeze(-2))
    # (b, l, g, p, n) to (b, l, g, p).
    y = (h * C.unsqueeze(-2)).sum(-1)
    return y, h[:, -1].detach()
