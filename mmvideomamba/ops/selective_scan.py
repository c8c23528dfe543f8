"""Selective scan: one direction, and both directions of a mixer."""
from typing import Dict, List, NamedTuple, Optional, Tuple, Union

import torch
import torch.nn.functional as F
from torch import Tensor

from .backends import refuse_states, resolve
from .causal_conv1d import causal_conv1d


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


def _expect(name: str, tensor: Optional[Tensor], *shapes: tuple) -> None:
    """Raise ValueError unless the tensor has one of the shapes."""
    if tensor is not None and tuple(tensor.shape) not in shapes:
        expected = ' or '.join(str(s) for s in shapes)
        raise ValueError(f'{name} must have shape {expected}, but got '
                         f'{tuple(tensor.shape)}')


def _check_bc(name: str, tensor: Tensor, b: int, l: int, d: int,
              n: int) -> None:
    if tensor.dim() == 4 and tensor.shape[2] > 0 and d % tensor.shape[2] == 0:
        _expect(name, tensor, (b, l, tensor.shape[2], n))
    else:
        _expect(name, tensor, (b, l, n), (b, l, 'a divisor of d', n), (d, n))


def _check_dtypes(u: Tensor,
                  tensors: List[Tuple[str, Optional[Tensor]]],
                  state: List[Tuple[str, Optional[Tensor]]],
                  prefix: str = '') -> None:
    """Check devices of all tensors and the dtype of the state's ones."""
    device, dtype = u.device, u.dtype
    for name, t in tensors + state:
        if t is None:
            continue
        if t.device != device:
            raise ValueError(f'{prefix}{name} is on {t.device}, but the input '
                             f'is on {device}')
        if not t.is_floating_point():
            raise ValueError(
                f'{prefix}{name} must be floating point, but is {t.dtype}')
    wanted = torch.float64 if dtype == torch.float64 else torch.float32
    for name, t in state:
        if t is not None and t.dtype != wanted:
            raise ValueError(f'{prefix}{name} must be {wanted} for {dtype} '
                             f'input, but is {t.dtype}')


def selective_scan(
        u: Tensor,
        delta: Tensor,
        A: Tensor,
        B: Tensor,
        C: Tensor,
        D: Optional[Tensor] = None,
        z: Optional[Tensor] = None,
        delta_bias: Optional[Tensor] = None,
        delta_softplus: bool = False,
        reverse: bool = False,
        backend: str = 'auto',
        return_last_state: bool = False
) -> Union[Tensor, Tuple[Tensor, Tensor]]:
    """Run the input-dependent linear recurrence of Mamba over a sequence.

    With ``s = delta + delta_bias``, through softplus if asked,
    ``h[l] = exp(s[l] * A) * h[l-1] + s[l] * B[l] * u[l]`` from a zero state
    and ``y[l] = C[l] . h[l] + D * u[l]``, gated by ``silu(z[l])`` if given.
    The state is float32 in every backend (float64 for float64 input).

    Args:
        u (Tensor): Input, shape (b, l, d).
        delta (Tensor): Step size, shape (b, l, d).
        A (Tensor): Negative decay rates, shape (d, n), float32.
        B (Tensor): Input weights, shape (b, l, n), or (b, l, g, n) with g
            groups of d / g neighbouring channels, or (d, n), constant.
        C (Tensor): Output weights, shapes as ``B``.
        D (Tensor, optional): Skip weight, shape (d, ), float32. Defaults to
            None.
        z (Tensor, optional): Gate, shape (b, l, d). Defaults to None.
        delta_bias (Tensor, optional): Added to ``delta``, shape (d, ),
            float32. Defaults to None.
        delta_softplus (bool): Pass the step size through softplus. Defaults
            to False.
        reverse (bool): Scan from the last token. Defaults to False.
        backend (str): 'auto' or a name in ``BACKENDS``. Defaults to 'auto'.
        return_last_state (bool): Also return the state after the last
            scanned token. No gradient flows through it. Defaults to False.

    Returns:
        Tensor | tuple: Output, shape (b, l, d), dtype of ``u``; with
        ``return_last_state`` also the state (b, d, n) in float32.

    Raises:
        ValueError: If shapes, dtypes or devices do not fit.
        RuntimeError: If ``backend`` is named and cannot run here.

    Source: Gu and Dao, arXiv:2312.00752, Eq. 2 and Algorithm 2.
    """
    if u.dim() != 3 or u.shape[1] == 0:
        raise ValueError('u must have shape (b, l, d) with l >= 1, but got '
                         f'{tuple(u.shape)}')
    b, l, d = u.shape
    if A.dim() != 2:
        raise ValueError(
            f'A must have shape ({d}, n), but got {tuple(A.shape)}')
    n = A.shape[1]
    _expect('A', A, (d, n))
    _expect('delta', delta, (b, l, d))
    _expect('z', z, (b, l, d))
    _expect('D', D, (d, ))
    _expect('delta_bias', delta_bias, (d, ))
    _check_bc('B', B, b, l, d, n)
    _check_bc('C', C, b, l, d, n)
    inputs = [('u', u), ('delta', delta), ('B', B), ('C', C), ('z', z)]
    state = [('A', A), ('D', D), ('delta_bias', delta_bias)]
    _check_dtypes(u, inputs, state)
    refused = refuse_states(n)
    if B.dim() != 3 or C.dim() != 3:
        reason = 'B and C must have shape (b, l, n)'
        refused.update(numba=reason, triton=reason)
    function = resolve('selective_scan', backend, u, refused)[1]
    y, last = function(u, delta, A, B, C, D, z, delta_bias, delta_softplus,
                       reverse)
    return (y, last) if return_last_state else y


def bidirectional_selective_scan(xz: Tensor,
                                 forward: Optional[ScanParams],
                                 backward: Optional[ScanParams],
                                 backend: str = 'auto') -> Tensor:
    """Compute everything between the projections of a VideoMamba mixer.

    ``xz`` splits into content ``v`` and gate ``z``. Each direction computes
    ``s = silu(conv(v))``, ``(r, B, C) = x_proj(s)``,
    ``delta = softplus(dt_proj(r))`` and the selective scan of ``s``; the
    backward one runs from the last token to the first. Their sum is gated
    once: ``(y_forward + y_backward) * silu(z)``.

    Args:
        xz (Tensor): Content and gate, shape (b, l, 2 * d).
        forward (ScanParams, optional): Weights of the first-to-last scan, or
            None to leave it out.
        backward (ScanParams, optional): Weights of the last-to-first scan,
            or None to leave it out.
        backend (str): 'auto' or a name in ``BACKENDS``. Defaults to 'auto'.

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
    refused = check_params(forward, backward, xz.shape[2] // 2, xz)
    name, function = resolve('bidirectional_selective_scan', backend, xz,
                             refused)
    return function(xz, forward, backward, name)


def check_params(forward: Optional[ScanParams], backward: Optional[ScanParams],
                 d: int, x: Tensor) -> Dict[str, str]:
    """Check the weights of both directions against an input.

    Args:
        forward (ScanParams, optional): Weights of the first-to-last scan.
        backward (ScanParams, optional): Weights of the last-to-first scan.
        d (int): Inner channels.
        x (Tensor): The input, for its device and dtype.

    Returns:
        dict[str, str]: Backends that cannot run these sizes, for ``refused``
        of ``resolve``.

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
    expected = ScanParams((d, 1, k), (d, ), (r + 2 * n, d), (d, r), (d, ),
                          (d, n), (d, ))
    weights = list(zip(p._fields, p))
    for (field, tensor), shape in zip(weights, expected):
        # Names are made for errors alone: this runs in every layer and call.
        if tensor is not None and tensor.shape != shape:
            _expect(f'{direction}.{field}', tensor, shape)
    _check_dtypes(x, weights[:4], weights[4:], f'{direction}.')


def bidirectional_composite(xz: Tensor, forward: Optional[ScanParams],
                            backward: Optional[ScanParams],
                            backend: str) -> Tensor:
    """Compose the op from the one-directional ones of a backend."""
    v, z = xz.chunk(2, dim=-1)
    y = None
    for params, reverse in ((forward, False), (backward, True)):
        if params is None:
            continue
        r, n = params.dt_proj_weight.shape[1], params.A.shape[1]
        s = causal_conv1d(v, params.conv_weight, params.conv_bias, 'silu',
                          reverse, backend)
        rank, B, C = F.linear(s, params.x_proj_weight).split([r, n, n], -1)
        delta = F.linear(rank, params.dt_proj_weight)
        out = selective_scan(s, delta, params.A, B, C, params.D, None,
                             params.dt_proj_bias, True, reverse, backend)
        y = out if y is None else y + out
    return y * F.silu(z)
