"""The whole mixer as one op: projections, both scans and the gate."""
from typing import Optional

import torch.nn.functional as F
from torch import Tensor

from .backends import resolve
from .selective_scan import (ScanParams, bidirectional_selective_scan,
                             check_params)


def bidirectional_mixer(x: Tensor,
                        in_weight: Tensor,
                        out_weight: Tensor,
                        forward: Optional[ScanParams],
                        backward: Optional[ScanParams],
                        in_bias: Optional[Tensor] = None,
                        out_bias: Optional[Tensor] = None,
                        backend: str = 'auto') -> Tensor:
    """Project in, scan both ways, gate, and project out.

    ``out_weight @ bidirectional_selective_scan(in_weight @ x)``. As one op it
    can keep nothing but ``x`` for backward and recompute the rest, which is
    what the 'triton' backend does.

    Args:
        x (Tensor): Tokens, shape (b, l, c).
        in_weight (Tensor): Shape (2 * d, c).
        out_weight (Tensor): Shape (c, d).
        forward (ScanParams, optional): Weights of the first-to-last scan, or
            None to leave it out.
        backward (ScanParams, optional): Weights of the last-to-first scan,
            or None to leave it out.
        in_bias (Tensor, optional): Shape (2 * d, ). Defaults to None.
        out_bias (Tensor, optional): Shape (c, ). Defaults to None.
        backend (str): 'auto' or a name in ``BACKENDS``. Defaults to 'auto'.

    Returns:
        Tensor: Shape (b, l, c).

    Raises:
        ValueError: If both directions are None, or shapes, dtypes or devices
            do not fit.
        RuntimeError: If ``backend`` is named and cannot run here.

    Source: Zhu et al., arXiv:2401.09417, Algorithm 1; VideoMamba,
    arXiv:2403.06977, Section 3.2.
    """
    if x.dim() != 3 or x.shape[1] == 0 or in_weight.shape[1:] != x.shape[2:]:
        raise ValueError(
            'x must have shape (b, l, c) with l >= 1 and in_weight (2 * d, c)'
            f', but got {tuple(x.shape)} and {tuple(in_weight.shape)}')
    d = in_weight.shape[0] // 2
    if out_weight.dim() != 2 or out_weight.shape[1] != d:
        raise ValueError(f'out_weight must have shape (c, {d}), but got '
                         f'{tuple(out_weight.shape)}')
    refused = check_params(forward, backward, d, x)
    name, function = resolve('bidirectional_mixer', backend, x, refused)
    return function(x, in_weight, out_weight, forward, backward, in_bias,
                    out_bias, name)


def mixer_composite(x: Tensor, in_weight: Tensor, out_weight: Tensor,
                    forward: Optional[ScanParams],
                    backward: Optional[ScanParams], in_bias: Optional[Tensor],
                    out_bias: Optional[Tensor], backend: str) -> Tensor:
    """Compose the op from what is between the projections."""
    xz = F.linear(x, in_weight, in_bias)
    y = bidirectional_selective_scan(xz, forward, backward, backend)
    return F.linear(y, out_weight, out_bias)
