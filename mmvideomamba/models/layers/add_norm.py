"""Residual addition followed by a norm: the entry of every block."""
from typing import Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from mmvideomamba.ops import add_rms_norm

# Functions with branches, which torch.fx cannot follow: calls are recorded.
for _name in ('add_rms_norm', '_add_layer_norm'):
    fx.wrap(_name)


class AddRMSNorm(nn.Module):
    """Add to the residual stream, then RMSNorm.

    Args:
        dims (int): Channels c.
        eps (float): Added to the mean square. Defaults to 1e-5.
    """

    def __init__(self, dims: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dims))

    def forward(self,
                x: Tensor,
                residual: Optional[Tensor] = None) -> Tuple[Tensor, Tensor]:
        """Return the normalised sum and the stream, both (..., c).

        Args:
            x (Tensor): Branch output, shape (..., c).
            residual (Tensor, optional): Stream so far, shape (..., c).
                Defaults to None, zeros.

        Returns:
            tuple: Norm of the sum, dtype of ``x``, and the sum, float32.
        """
        return add_rms_norm(x, residual, self.weight, self.eps)


class AddLayerNorm(nn.Module):
    """Add to the residual stream, then LayerNorm.

    Args:
        dims (int): Channels c.
        eps (float): Added to the variance. Defaults to 1e-5.
    """

    def __init__(self, dims: int, eps: float = 1e-5) -> None:
        super().__init__()
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(dims))
        self.bias = nn.Parameter(torch.zeros(dims))

    def forward(self,
                x: Tensor,
                residual: Optional[Tensor] = None) -> Tuple[Tensor, Tensor]:
        """Return the normalised sum and the stream, both (..., c).

        Args:
            x (Tensor): Branch output, shape (..., c).
            residual (Tensor, optional): Stream so far, shape (..., c).
                Defaults to None, zeros.

        Returns:
            tuple: Norm of the sum, dtype of ``x``, and the sum, float32.
        """
        return _add_layer_norm(x, residual, self.weight, self.bias, self.eps)


def _add_layer_norm(x: Tensor, residual: Optional[Tensor], weight: Tensor,
                    bias: Tensor, eps: float) -> Tuple[Tensor, Tensor]:
    """Add in float32 or float64, and normalise."""
    stream = x.to(torch.promote_types(x.dtype, torch.float32))
    if residual is not None:
        stream = stream + residual
    y = F.layer_norm(stream, weight.shape, weight.to(stream.dtype),
                     bias.to(stream.dtype), eps)
    return y.to(x.dtype), stream


_NORMS = {
    'RMSNorm': AddRMSNorm,
    'LN': AddLayerNorm,
    'LayerNorm': AddLayerNorm,
}


def build_add_norm(norm_cfg: dict, dims: int) -> nn.Module:
    """Build the norm of a block from a config.

    Args:
        norm_cfg (dict): ``type`` 'RMSNorm' or 'LN', and optionally ``eps``.
        dims (int): Channels.

    Returns:
        nn.Module: ``AddRMSNorm`` or ``AddLayerNorm``.

    Raises:
        ValueError: If the type is unknown.
    """
    cfg = dict(norm_cfg)
    kind = cfg.pop('type', None)
    if kind not in _NORMS:
        raise ValueError(f'norm_cfg has the unknown type {kind!r}; choose one '
                         f'of {list(_NORMS)}')
    return _NORMS[kind](dims, **cfg)
