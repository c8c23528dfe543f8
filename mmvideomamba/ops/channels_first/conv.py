"""``causal_conv1d_fn``: the convolution, channels before tokens."""
from typing import Optional, Tuple, Union

import torch
import torch.nn.functional as F
from torch import Tensor

from ..conv.api import causal_conv1d
from ..runtime.checks import check_shape


def causal_conv1d_fn(
        x: Tensor,
        weight: Tensor,
        bias: Optional[Tensor] = None,
        seq_idx: Optional[Tensor] = None,
        initial_states: Optional[Tensor] = None,
        return_final_states: bool = False,
        final_states_out: Optional[Tensor] = None,
        activation: Optional[str] = None
) -> Union[Tensor, Tuple[Tensor, Tensor]]:
    """Convolve channels (b, d, l) over tokens, each with earlier ones.

    Args:
        x (Tensor): Shape (b, d, l), any strides.
        weight (Tensor): Taps, shape (d, k).
        bias (Tensor, optional): Shape (d, ). Defaults to None.
        seq_idx (Tensor, optional): Number of the sequence of each token,
            shape (b, l), as in ``ops.causal_conv1d``. Defaults to None.
        initial_states (Tensor, optional): Tokens before the first, shape
            (b, d, k - 1). Defaults to None: zeros.
        return_final_states (bool): Also return the last k - 1 tokens, to be
            the initial states of what follows. Defaults to False.
        final_states_out (Tensor, optional): Where the final states are
            written, shape (b, d, k - 1). Defaults to None.
        activation (str, optional): 'silu', 'swish' (the same) or None.
            Defaults to None.

    Returns:
        Tensor | tuple: Shape (b, d, l), dtype of ``x``, channel-last if
        ``x`` is, else contiguous; with ``return_final_states`` also the
        final states (b, d, k - 1), dtype of ``x``, or
        ``final_states_out``. Gradients flow through both.

    Raises:
        ValueError: If shapes, devices or the activation do not fit, or
            ``seq_idx`` comes with states, or ``final_states_out`` without
            ``return_final_states``.

    Source: signature of ``causal_conv1d``, release 1.7.0.
    """
    _check_conv(x, weight, activation)
    b, d, l = x.shape
    k = weight.shape[1]
    for name, t in (('initial_states', initial_states), ('final_states_out',
                                                         final_states_out)):
        check_shape(name, t, (b, d, k - 1))
    if seq_idx is not None and (initial_states is not None
                                or return_final_states):
        raise ValueError('seq_idx cannot be combined with initial_states or '
                         'return_final_states')
    if final_states_out is not None and not return_final_states:
        raise ValueError('final_states_out needs return_final_states=True')
    whole = x
    if initial_states is not None:
        whole = torch.cat([initial_states.to(x.dtype), x], 2)
    y = causal_conv1d(
        whole.transpose(1, 2),
        weight,
        bias,
        activation and 'silu',
        seq_idx=seq_idx)
    y = y[:, -l:]
    if x.stride(1) == 1:
        y = y.contiguous().transpose(1, 2)
    else:
        y = y.transpose(1, 2).contiguous()
    if not return_final_states:
        return y
    # Cuts the front off, or fills it with zeros.
    states = F.pad(whole, (k - 1 - whole.shape[2], 0))
    if final_states_out is not None:
        states = final_states_out.copy_(states)
    return y, states


def _check_conv(x: Tensor, weight: Tensor, activation: Optional[str]) -> None:
    if x.dim() != 3 or x.shape[2] == 0 or weight.dim() != 2:
        raise ValueError('causal_conv1d_fn expects x (b, d, l) with l >= 1 '
                         f'and weight (d, k), but got {tuple(x.shape)} and '
                         f'{tuple(weight.shape)}')
    check_shape('weight', weight, (x.shape[1], *weight.shape[1:]))
    if activation not in (None, 'silu', 'swish'):
        raise ValueError("activation must be None, 'silu' or 'swish', but got "
                         f'{activation!r}')
