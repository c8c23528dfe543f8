"""Groups of channels with weights B and C of their own, in a scan."""
from typing import Callable, Optional, Tuple

import torch
from torch import Tensor


def check_groups(B: Tensor, C: Tensor, d: int) -> None:
    """Check that groups divide the channels, and each other.

    Args:
        B (Tensor): Input weights, shape (b, l, g, n) if grouped, else
            (b, l, n) or (d, n).
        C (Tensor): Output weights, shapes as ``B``.
        d (int): Channels.

    Raises:
        ValueError: If a number of groups does not divide ``d``, or neither
            of two numbers divides the other.
    """
    counts = []
    for name, t in (('B', B), ('C', C)):
        g = t.shape[2] if t.dim() == 4 else 1
        counts.append(g)
        if g == 0 or d % g:
            raise ValueError(f'{name} has {g} groups, but {g} does not divide '
                             f'the {d} channels')
    if max(counts) % min(counts):
        raise ValueError(f'B has {counts[0]} groups and C {counts[1]}: one '
                         'number must divide the other')


def same_groups(B: Tensor, C: Tensor) -> Tuple[Tensor, Tensor]:
    """Repeat the coarser of two weights up to the groups of the finer.

    Args:
        B (Tensor): Shape (b, l, n), (b, l, g, n), or (d, n), constant.
        C (Tensor): Shapes as ``B``.

    Returns:
        tuple: Both weights, as given if neither has groups or a weight is
        constant, else of shape (b, l, g, n) with equal g.
    """
    if B.dim() == 2 or C.dim() == 2 or B.dim() == C.dim() == 3:
        return B, C
    B, C = (t.unsqueeze(2) if t.dim() == 3 else t for t in (B, C))
    g = max(B.shape[2], C.shape[2])
    return (B.repeat_interleave(g // B.shape[2],
                                2), C.repeat_interleave(g // C.shape[2], 2))


def scan_groups(function: Callable[...,
                                   Tuple[Tensor,
                                         Tensor]], u: Tensor, delta: Tensor,
                A: Tensor, B: Tensor, C: Tensor, D: Optional[Tensor],
                z: Optional[Tensor], delta_bias: Optional[Tensor],
                delta_softplus: bool, reverse: bool) -> Tuple[Tensor, Tensor]:
    """Scan group by group with a function that knows a single group.

    Args:
        function (Callable): Takes the other arguments, ``B`` and ``C`` of
            shape (b, l, n), or (d, n) where constant.
        u (Tensor): Input, shape (b, l, d).
        delta (Tensor): Step size, shape (b, l, d).
        A (Tensor): Rates, shape (d, n).
        B (Tensor): Shape (b, l, n), (b, l, g, n) or (d, n); ``B`` or ``C``
            has groups.
        C (Tensor): Shapes as ``B``.
        D (Tensor, optional): Skip weight, shape (d, ).
        z (Tensor, optional): Gate, shape (b, l, d).
        delta_bias (Tensor, optional): Shape (d, ).
        delta_softplus (bool): Pass the step size through softplus.
        reverse (bool): Scan from the last token.

    Returns:
        tuple: Output (b, l, d) and last state (b, d, n).
    """
    B, C = same_groups(B, C)
    g = max(t.shape[2] for t in (B, C) if t.dim() == 4)

    def parts(t: Optional[Tensor], dim: int) -> tuple:
        return (None, ) * g if t is None else t.tensor_split(g, dim)

    def weights(t: Tensor) -> tuple:
        return t.unbind(2) if t.dim() == 4 else parts(t, 0)

    done = [
        function(*group, delta_softplus, reverse) for group in zip(
            parts(u, 2), parts(delta, 2), parts(A, 0), weights(B), weights(C),
            parts(D, 0), parts(z, 2), parts(delta_bias, 0))
    ]
    y, last = zip(*done)
    return torch.cat(y, 2), torch.cat(last, 1)
