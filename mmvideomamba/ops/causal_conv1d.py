"""Depthwise causal convolution over tokens, with SiLU."""
from typing import Optional

import torch
import torch.nn.functional as F
from torch import Tensor

from .backends import resolve


def causal_conv1d(x: Tensor,
                  weight: Tensor,
                  bias: Optional[Tensor] = None,
                  activation: Optional[str] = 'silu',
                  reverse: bool = False,
                  backend: str = 'auto') -> Tensor:
    """Mix each token with the few before it, channel by channel.

    ``y[l] = act(bias + sum_j weight[:, j] * x[l - k + 1 + j])`` with zeros
    before the first token; the last tap meets the current token. With
    ``reverse`` the taps reach into the tokens after it instead, which equals
    flipping the tokens, convolving and flipping back.

    Args:
        x (Tensor): Tokens, shape (b, l, d).
        weight (Tensor): Taps, shape (d, k) or (d, 1, k).
        bias (Tensor, optional): Shape (d, ). Defaults to None.
        activation (str, optional): 'silu' or None. Defaults to 'silu'.
        reverse (bool): Look at later tokens. Defaults to False.
        backend (str): 'auto' or a name in ``BACKENDS``. Defaults to 'auto'.

    Returns:
        Tensor: Shape (b, l, d), dtype of ``x``.

    Raises:
        ValueError: If shapes, devices or the activation do not fit.
        RuntimeError: If ``backend`` is named and cannot run here.

    Source: Gu and Dao, arXiv:2312.00752, Section 3.4 (the short
    convolution of the Mamba block).
    """
    if weight.dim() == 3 and weight.shape[1] == 1:
        weight = weight.squeeze(1)
    if x.dim() != 3 or weight.dim() != 2 or weight.shape[0] != x.shape[2]:
        raise ValueError(
            'causal_conv1d expects x (b, l, d) and weight (d, k) or '
            f'(d, 1, k), but got {tuple(x.shape)} and {tuple(weight.shape)}')
    if bias is not None and bias.shape != weight.shape[:1]:
        raise ValueError(f'bias must have shape ({weight.shape[0]}, ), but '
                         f'got {tuple(bias.shape)}')
    if activation not in ('silu', None):
        raise ValueError("activation must be 'silu' or None, but got "
                         f'{activation!r}')
    for name, t in (('weight', weight), ('bias', bias)):
        if t is not None and t.device != x.device:
            raise ValueError(f'{name} is on {t.device}, but x on {x.device}')
    function = resolve('causal_conv1d', backend, x)[1]
    return function(x, weight, bias, activation, reverse)


def causal_conv1d_torch(x: Tensor, weight: Tensor, bias: Optional[Tensor],
                        activation: Optional[str], reverse: bool) -> Tensor:
    """Compute ``causal_conv1d`` as a sum of shifted products."""
    l, k = x.shape[1], weight.shape[1]
    # float32 products, as in the kernels; float64 stays float64.
    dtype = torch.promote_types(x.dtype, torch.float32)
    weight = weight.to(dtype)
    pad = (0, 0, 0, k - 1) if reverse else (0, 0, k - 1, 0)
    padded = F.pad(x.to(dtype), pad)
    y = x.new_zeros((), dtype=dtype) if bias is None else bias.to(dtype)
    for j in range(k):
        tap = weight[:, k - 1 - j] if reverse else weight[:, j]
        y = torch.addcmul(y, padded[:, j:j + l], tap)
    return (F.silu(y) if activation == 'silu' else y).to(x.dtype)
