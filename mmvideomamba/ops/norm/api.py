"""Residual addition fused with RMSNorm."""
from typing import Optional, Tuple

from torch import Tensor

from ..dispatch import resolve


def add_rms_norm(x: Tensor,
                 residual: Optional[Tensor],
                 weight: Tensor,
                 eps: float = 1e-5,
                 backend: str = 'auto') -> Tuple[Tensor, Tensor]:
    """Add to the residual stream and normalise the sum.

    ``r = x + residual`` in float32 and
    ``y = r / sqrt(mean(r ** 2) + eps) * weight``.

    Args:
        x (Tensor): Output of the previous mixer, shape (..., c).
        residual (Tensor, optional): Stream so far, shape (..., c). None
            stands for zeros, as before the first block.
        weight (Tensor): Scale, shape (c, ).
        eps (float): Added to the mean square. Defaults to 1e-5.
        backend (str): 'auto' or a name in ``BACKENDS``. Defaults to 'auto'.

    Returns:
        tuple: Normalised sum (..., c) in the dtype of ``x``, and the stream
        (..., c) in float32 (float64 for float64 input).

    Raises:
        ValueError: If shapes or devices do not fit.
        RuntimeError: If ``backend`` is named and cannot run here.

    Source: Zhang and Sennrich, arXiv:1910.07467, Eq. 4.
    """
    if weight.shape != x.shape[-1:]:
        raise ValueError(f'weight must have shape ({x.shape[-1]}, ), but got '
                         f'{tuple(weight.shape)}')
    if residual is not None and residual.shape != x.shape:
        raise ValueError(
            f'residual must have the shape of x, {tuple(x.shape)}, but has '
            f'{tuple(residual.shape)}')
    for name, t in (('weight', weight), ('residual', residual)):
        if t is not None and t.device != x.device:
            raise ValueError(f'{name} is on {t.device}, but x on {x.device}')
    function = resolve('add_rms_norm', backend, x)[1]
    return function(x, residual, weight, eps)
