"""Selective scan in one direction."""
from functools import partial
from typing import Optional, Tuple, Union

from torch import Tensor

from ..dispatch import refuse_states, resolve
from ..runtime.checks import check_dtypes, check_shape
from .groups import check_groups, scan_groups

# Backends whose function takes B and C of shape (b, l, n) only.
_ONE_GROUP = ('numba', 'triton')


def _check_bc(name: str, tensor: Tensor, b: int, l: int, d: int,
              n: int) -> None:
    g = tensor.shape[2] if tensor.dim() == 4 else 'a divisor of d'
    check_shape(name, tensor, (b, l, n), (b, l, g, n), (d, n))


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
        C (Tensor): Output weights, shapes as ``B``. Of two numbers of
            groups, one divides the other.
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
            scanned token. No gradient flows through the state. Defaults to
            False.

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
    check_shape('A', A, (d, n))
    check_shape('delta', delta, (b, l, d))
    check_shape('z', z, (b, l, d))
    check_shape('D', D, (d, ))
    check_shape('delta_bias', delta_bias, (d, ))
    _check_bc('B', B, b, l, d, n)
    _check_bc('C', C, b, l, d, n)
    check_groups(B, C, d)
    inputs = [('u', u), ('delta', delta), ('B', B), ('C', C), ('z', z)]
    state = [('A', A), ('D', D), ('delta_bias', delta_bias)]
    check_dtypes(u, inputs, state)
    refused = refuse_states(n)
    if B.dim() == 2 or C.dim() == 2:
        refused.update(
            dict.fromkeys(_ONE_GROUP, 'B or C is constant, of shape (d, n)'))
    name, function = resolve('selective_scan', backend, u, refused)
    if name in _ONE_GROUP and max(B.dim(), C.dim()) == 4:
        function = partial(scan_groups, function)
    y, last = function(u, delta, A, B, C, D, z, delta_bias, delta_softplus,
                       reverse)
    return (y, last) if return_last_state else y
