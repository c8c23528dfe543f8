"""Both scan directions of a mixer as one op, without or with projections."""
from typing import Dict, NamedTuple, Optional

import torch
from torch import Tensor

from ..dispatch import refuse_states, resolve
from ..runtime.checks import check_dtypes, check_shape


class ScanParams(NamedTuple):
    """Weights of one scan direction between the mixer's projections.

    Attributes:
        conv_weight (Tensor): Taps, shape (d, 1, k).
        conv_bias (Tensor, optional): Shape (d, ).
        x_proj_weight (Tensor): Makes step rank, B and C, shape
            (r + 2 * n, d).
        dt_proj_weight (Tensor): Makes the steps, shape (d, r).
        dt_proj_bias (Tensor): Shape (d, ), float32.
        A (Tensor): Negative decay rates, shape (d, n), float32.
        D (Tensor): Skip weight, shape (d, ), float32.
    """
    conv_weight: Tensor
    conv_bias: Optional[Tensor]
    x_proj_weight: Tensor
    dt_proj_weight: Tensor
    dt_proj_bias: Tensor
    A: Tensor
    D: Tensor


def bidirectional_selective_scan(xz: Tensor,
                                 forward: Optional[ScanParams],
                                 backward: Optional[ScanParams],
                                 backend: str = 'auto',
                                 log_rates: bool = False) -> Tensor:
    """Compute everything between the projections of a VideoMamba mixer.

    ``xz`` splits into content ``v`` and gate ``z``. Each direction computes
    ``s = silu(conv(v))``, ``(r, B, C) = x_proj(s)``,
    ``delta = softplus(dt_proj(r))`` and the selective scan of ``s``; the
    backward direction runs from the last token to the first. The sum of both
    is gated once: ``(y_forward + y_backward) * silu(z)``.

    Args:
        xz (Tensor): Content and gate, shape (b, l, 2 * d).
        forward (ScanParams, optional): Weights of the first-to-last scan, or
            None to leave it out.
        backward (ScanParams, optional): Weights of the last-to-first scan,
            or None to leave it out.
        backend (str): 'auto' or a name in ``BACKENDS``. Defaults to 'auto'.
        log_rates (bool): The A of both directions is the logarithm of the
            decay rates, ``A = -exp(given)``, which the 'triton' backend
            computes along with the casts of the weights. Defaults to False.

    Returns:
        Tensor: Shape (b, l, d), dtype of ``xz``.

    Raises:
        ValueError: If both directions are None, or shapes, dtypes or devices
            do not fit.
        RuntimeError: If ``backend`` is named and cannot run here.

    Source: Zhu et al., arXiv:2401.09417, Algorithm 1, as used by VideoMamba,
    arXiv:2403.06977, Section 3.2.
    """
    if xz.dim() != 3 or xz.shape[1] == 0 or xz.shape[2] % 2:
        raise ValueError('xz must have shape (b, l, 2 * d) with l >= 1, but '
                         f'got {tuple(xz.shape)}')
    refused = _check_both(forward, backward, xz.shape[2] // 2, xz)
    name, function = resolve('bidirectional_selective_scan', backend, xz,
                             refused)
    if log_rates and name == 'triton':
        return function(xz, forward, backward, name, True)
    forward, backward = (
        _with_rates(p, log_rates) for p in (forward, backward))
    return function(xz, forward, backward, name)


def bidirectional_mixer(x: Tensor,
                        in_weight: Tensor,
                        out_weight: Tensor,
                        forward: Optional[ScanParams],
                        backward: Optional[ScanParams],
                        in_bias: Optional[Tensor] = None,
                        out_bias: Optional[Tensor] = None,
                        backend: str = 'auto',
                        log_rates: bool = False) -> Tensor:
    """Project in, scan both ways, gate, and project out.

    ``out_weight @ bidirectional_selective_scan(in_weight @ x)``. With the
    projections inside the op, the 'triton' backend stores little but ``x``
    for backward and recomputes the rest.

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
        log_rates (bool): The A of both directions is the logarithm of the
            decay rates, ``A = -exp(given)``, which the 'triton' backend
            computes along with the casts of the weights. Defaults to False.

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
    refused = _check_both(forward, backward, d, x)
    name, function = resolve('bidirectional_mixer', backend, x, refused)
    if log_rates and name == 'triton':
        return function(x, in_weight, out_weight, forward, backward, in_bias,
                        out_bias, name, True)
    forward, backward = (
        _with_rates(p, log_rates) for p in (forward, backward))
    return function(x, in_weight, out_weight, forward, backward, in_bias,
                    out_bias, name)


def _with_rates(params: Optional[ScanParams],
                log_rates: bool) -> Optional[ScanParams]:
    """Replace logarithms of decay rates by the rates."""
    if params is None or not log_rates:
        return params
    return params._replace(A=-torch.exp(params.A))


def _check_both(forward: Optional[ScanParams], backward: Optional[ScanParams],
                d: int, x: Tensor) -> Dict[str, str]:
    """Check the weights of both directions against an input.

    Args:
        forward (ScanParams, optional): Weights of the first-to-last scan.
        backward (ScanParams, optional): Weights of the last-to-first scan.
        d (int): Inner channels.
        x (Tensor): The input, for its device and dtype.

    Returns:
        dict[str, str]: Reason by name of each backend unable to run these
        sizes, for ``refused`` of ``resolve``.

    Raises:
        ValueError: If both are None, or shapes, dtypes or devices do not
            fit.
    """
    if forward is None and backward is None:
        raise ValueError('one of forward and backward must be given')
    for name, params in (('forward', forward), ('backward', backward)):
        if params is not None:
            _check_params(name, params, d, x)
    sizes = [(p.A.shape[1], p.dt_proj_weight.shape[1], p.conv_weight.shape[2])
             for p in (forward, backward) if p is not None]
    refused = refuse_states(max(sizes)[0])
    if sizes[0] != sizes[-1]:
        refused['triton'] = (
            'it scans both directions at once, but they differ in states, '
            f'ranks or taps, {sizes[0]} and {sizes[1]}')
    return refused


def _check_params(direction: str, p: ScanParams, d: int, x: Tensor) -> None:
    if p.A.dim() != 2 or p.dt_proj_weight.dim() != 2:
        raise ValueError(
            f'{direction}.A must have shape ({d}, n) and '
            f'{direction}.dt_proj_weight ({d}, r), but got '
            f'{tuple(p.A.shape)} and {tuple(p.dt_proj_weight.shape)}')
    n, r, k = p.A.shape[1], p.dt_proj_weight.shape[1], p.conv_weight.shape[-1]
    # In the order of the fields.
    expected = ((d, 1, k), (d, ), (r + 2 * n, d), (d, r), (d, ), (d, n), (d, ))
    weights = list(zip(p._fields, p))
    for (field, tensor), shape in zip(weights, expected):
        # Names are made for errors alone: this runs in every layer and call.
        if tensor is not None and tensor.shape != shape:
            check_shape(f'{direction}.{field}', tensor, shape)
    check_dtypes(x, weights[:4], weights[4:], f'{direction}.')
