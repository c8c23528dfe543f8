"""Depthwise causal convolution over tokens, with SiLU."""
from typing import Dict, Optional

import torch
from torch import Tensor

from ..dispatch import BACKENDS, resolve
from ..runtime.checks import check_shape

_INTEGERS = (torch.int32, torch.int64, torch.int16, torch.int8)


def causal_conv1d(x: Tensor,
                  weight: Tensor,
                  bias: Optional[Tensor] = None,
                  activation: Optional[str] = 'silu',
                  reverse: bool = False,
                  backend: str = 'auto',
                  seq_idx: Optional[Tensor] = None) -> Tensor:
    """Mix each token with the few before it, channel by channel.

    ``y[l] = act(bias + sum_j weight[:, j] * x[l - k + 1 + j])`` with zeros
    before the first token; the last tap meets the current token. With
    ``reverse`` the taps reach into later tokens instead: the result equals
    flipping the tokens, convolving and flipping back.

    Args:
        x (Tensor): Tokens, shape (b, l, d).
        weight (Tensor): Taps, shape (d, k) or (d, 1, k).
        bias (Tensor, optional): Shape (d, ). Defaults to None.
        activation (str, optional): 'silu' or None. Defaults to 'silu'.
        reverse (bool): Look at later tokens. Defaults to False.
        backend (str): 'auto' or a name in ``BACKENDS``. Defaults to 'auto'.
        seq_idx (Tensor, optional): Number of the sequence of each token, of
            several packed into a row; integers, shape (b, l). Taps do not
            reach into other sequences; tokens with a negative number are
            padding and give 0. Backend 'torch' alone takes the argument.
            Defaults to None.

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
    refused = {} if seq_idx is None else _check_seq_idx(seq_idx, x)
    for name, t in (('weight', weight), ('bias', bias), ('seq_idx', seq_idx)):
        if t is not None and t.device != x.device:
            raise ValueError(f'{name} is on {t.device}, but x on {x.device}')
    function = resolve('causal_conv1d', backend, x, refused)[1]
    packed = () if seq_idx is None else (seq_idx, )
    return function(x, weight, bias, activation, reverse, *packed)


def _check_seq_idx(seq_idx: Tensor, x: Tensor) -> Dict[str, str]:
    """Check the numbers of sequences; return who cannot convolve them."""
    check_shape('seq_idx', seq_idx, tuple(x.shape[:2]))
    if seq_idx.dtype not in _INTEGERS:
        raise ValueError('seq_idx must hold integers, but is '
                         f'{seq_idx.dtype}')
    others = (name for name in BACKENDS if name != 'torch')
    return dict.fromkeys(others, 'seq_idx is given')
