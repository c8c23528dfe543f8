"""Residual addition fused with RMSNorm."""
from typing import Optional, Tuple

import torch
from torch import Tensor

from ..dispatch import resolve


def add_rms_norm(x: Tensor,
                 residual: Optional[Tensor],
                 weight: Tensor,
                 eps: float = 1e-5,
                 backend: str = 'auto',
                 draw: Optional[Tensor] = None,
                 drop_prob: float = 0.) -> Tuple[Tensor, Tensor]:
    """Add to the residual stream and normalise the sum.

    ``r = x * s + residual`` in float32 and
    ``y = r / sqrt(mean(r ** 2) + eps) * weight``. The scale ``s`` is 1, or
    with ``draw`` (stochastic depth) one number for each sample:
    ``floor(1 - drop_prob + draw) / (1 - drop_prob)``.

    Args:
        x (Tensor): Output of the previous mixer, shape (..., c), with
            ``draw`` (b, ..., c).
        residual (Tensor, optional): Stream so far, shape (..., c). None
            stands for zeros, as before the first block.
        weight (Tensor): Scale, shape (c, ).
        eps (float): Added to the mean square. Defaults to 1e-5.
        backend (str): 'auto' or a name in ``BACKENDS``. Defaults to 'auto'.
        draw (Tensor, optional): Uniform numbers in [0, 1), shape (b, ),
            float32. Samples with a number below ``drop_prob`` lose ``x``.
            Defaults to None, nothing is dropped.
        drop_prob (float): Probability of dropping, in [0, 1); unused without
            ``draw``. Defaults to 0.

    Returns:
        tuple: Normalised sum (..., c) in the dtype of ``x``, and the stream
        (..., c) in float32 (float64 for float64 input).

    Raises:
        ValueError: If shapes, devices, the dtype of ``draw`` or
            ``drop_prob`` do not fit.
        RuntimeError: If ``backend`` is named and cannot run here.

    Source: Zhang and Sennrich, arXiv:1910.07467, Eq. 4; Huang et al.,
    arXiv:1603.09382, Section 3.
    """
    if weight.shape != x.shape[-1:]:
        raise ValueError(f'weight must have shape ({x.shape[-1]}, ), but got '
                         f'{tuple(weight.shape)}')
    if residual is not None and residual.shape != x.shape:
        raise ValueError(
            f'residual must have the shape of x, {tuple(x.shape)}, but has '
            f'{tuple(residual.shape)}')
    if draw is not None:
        _check_draw(x, draw, drop_prob)
    for name, t in (('weight', weight), ('residual', residual), ('draw',
                                                                 draw)):
        if t is not None and t.device != x.device:
            raise ValueError(f'{name} is on {t.device}, but x on {x.device}')
    function = resolve('add_rms_norm', backend, x)[1]
    return function(x, residual, weight, eps, draw, drop_prob)


def _check_draw(x: Tensor, draw: Tensor, drop_prob: float) -> None:
    if draw.shape != x.shape[:1] or draw.dtype != torch.float32:
        raise ValueError(
            f'draw must be float32 of shape ({x.shape[0]}, ), a number for '
            f'each sample of x, but is {draw.dtype} of shape '
            f'{tuple(draw.shape)}')
    if not 0 <= drop_prob < 1:
        raise ValueError(f'drop_prob must lie in [0, 1), but got {drop_prob}')
