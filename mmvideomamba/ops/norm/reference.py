"""Residual addition and RMSNorm in plain torch: the definition."""
from typing import Optional, Tuple

import torch
from torch import Tensor


def add_dropped(x: Tensor, residual: Optional[Tensor], draw: Optional[Tensor],
                drop_prob: float) -> Tensor:
    """Add a branch, of which whole samples may be dropped, to the stream.

    Args:
        x (Tensor): Branch, shape (b, ..., c).
        residual (Tensor, optional): Stream so far, shape (b, ..., c). None
            stands for zeros.
        draw (Tensor, optional): Uniform numbers in [0, 1), shape (b, ),
            float32. None drops nothing.
        drop_prob (float): Probability of dropping, in [0, 1).

    Returns:
        Tensor: Stream, shape (b, ..., c), float32 (float64 for float64).
    """
    stream = x.to(torch.promote_types(x.dtype, torch.float32))
    if draw is not None:
        keep = 1 - drop_prob
        scale = (draw + keep).floor() / keep
        stream = stream * scale.view(-1, *[1] * (x.dim() - 1))
    return stream if residual is None else stream + residual


def add_rms_norm(x: Tensor,
                 residual: Optional[Tensor],
                 weight: Tensor,
                 eps: float,
                 draw: Optional[Tensor] = None,
                 drop_prob: float = 0.) -> Tuple[Tensor, Tensor]:
    """Compute ``ops.add_rms_norm`` in torch."""
    stream = add_dropped(x, residual, draw, drop_prob)
    scale = torch.rsqrt(stream.pow(2).mean(-1, keepdim=True) + eps)
    return (stream * scale * weight).to(x.dtype), stream
