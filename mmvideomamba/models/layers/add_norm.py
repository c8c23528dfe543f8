"""Residual addition followed by a norm: the entry of every block."""
from typing import Any, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, fx, nn

from mmvideomamba.ops import add_rms_norm
from mmvideomamba.ops.norm.reference import add_dropped
from .plain_layer import is_untouched

# torch.fx cannot follow branches inside functions: calls are recorded.
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
                residual: Optional[Tensor] = None,
                draw: Optional[Tensor] = None,
                drop_prob: float = 0.) -> Tuple[Tensor, Tensor]:
        """Return the normalised sum and the stream, both (..., c).

        Args:
            x (Tensor): Branch output, shape (..., c).
            residual (Tensor, optional): Stream so far, shape (..., c).
                Defaults to None, zeros.
            draw (Tensor, optional): Uniform numbers, shape (b, ), float32;
                samples below ``drop_prob`` lose ``x``, the others have ``x``
                divided by ``1 - drop_prob``. Defaults to None, nothing is
                dropped.
            drop_prob (float): Probability of dropping. Defaults to 0.

        Returns:
            tuple: Norm of the sum, dtype of ``x``, and the sum, float32.
        """
        return add_rms_norm(
            x, residual, self.weight, self.eps, draw=draw, drop_prob=drop_prob)


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
                residual: Optional[Tensor] = None,
                draw: Optional[Tensor] = None,
                drop_prob: float = 0.) -> Tuple[Tensor, Tensor]:
        """Return the normalised sum and the stream, both (..., c).

        Args:
            x (Tensor): Branch output, shape (..., c).
            residual (Tensor, optional): Stream so far, shape (..., c).
                Defaults to None, zeros.
            draw (Tensor, optional): Uniform numbers, shape (b, ), float32;
                samples below ``drop_prob`` lose ``x``, the others have ``x``
                divided by ``1 - drop_prob``. Defaults to None, nothing is
                dropped.
            drop_prob (float): Probability of dropping. Defaults to 0.

        Returns:
            tuple: Norm of the sum, dtype of ``x``, and the sum, float32.
        """
        return _add_layer_norm(x, residual, self.weight, self.bias, self.eps,
                               draw, drop_prob)


def _add_layer_norm(x: Tensor, residual: Optional[Tensor], weight: Tensor,
                    bias: Tensor, eps: float, draw: Optional[Tensor],
                    drop_prob: float) -> Tuple[Tensor, Tensor]:
    """Add in float32 or float64, and normalise."""
    stream = add_dropped(x, residual, draw, drop_prob)
    # The stream is float32 where a half-precision model has half-precision
    # weights.
    y = F.layer_norm(stream, weight.shape, weight.to(stream.dtype),
                     bias.to(stream.dtype), eps)
    return y.to(x.dtype), stream


_NORMS = {
    'RMSNorm': AddRMSNorm,
    'LN': AddLayerNorm,
    'LayerNorm': AddLayerNorm,
}


def takes_draw(norm: nn.Module) -> bool:
    """Tell whether a norm of a block may drop samples, given numbers.

    Args:
        norm (nn.Module): The norm; another class, or a hook, expects to see
            the branch with its samples dropped.

    Returns:
        bool: True for an ``AddRMSNorm`` or ``AddLayerNorm`` without hooks.
    """
    return (type(norm) in _NORMS.values() and is_untouched(norm, type(norm)))


def drop_add_norm(drop_path: Any, norm: nn.Module, hidden: Tensor,
                  residual: Optional[Tensor],
                  draw: Optional[Tensor]) -> Tuple[Tensor, Tensor]:
    """Drop samples of a branch, add the branch to the stream, and normalise.

    Args:
        drop_path (DropPath): Called to drop, unless there is a ``draw``.
        norm (nn.Module): Adds and normalises.
        hidden (Tensor): Branch, shape (b, l, c).
        residual (Tensor, optional): Stream, shape (b, l, c).
        draw (Tensor, optional): Numbers for the norm in the place of
            ``drop_path``, shape (b, ).

    Returns:
        tuple: Norm of the sum and the sum, both (b, l, c).
    """
    # An exchanged or hooked layer has to be called, and gets no draw.
    if draw is None:
        return norm(drop_path(hidden), residual)
    return norm(hidden, residual, draw, drop_path.drop_prob)


def drop_add(drop_path: Any, hidden: Tensor, residual: Tensor,
             draw: Optional[Tensor]) -> Tensor:
    """Drop samples of a branch, and add the branch to the stream.

    Args:
        drop_path (DropPath): Called to drop, unless there is a ``draw``.
        hidden (Tensor): Branch, shape (b, l, c).
        residual (Tensor): Stream, shape (b, l, c).
        draw (Tensor, optional): Numbers in the place of ``drop_path``, shape
            (b, ).

    Returns:
        Tensor: The sum, shape (b, l, c).
    """
    if draw is None:
        return residual + drop_path(hidden)
    return add_dropped(hidden, residual, draw, drop_path.drop_prob)


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
