"""``selective_scan_fn``: the scan, channels before tokens."""
from typing import Optional, Tuple, Union

from torch import Tensor

from ..runtime.checks import check_shape
from ..scan.api import selective_scan


def token_major(x: Tensor) -> Tensor:
    """View (b, ..., l) as (b, l, ...); leave constants (d, n)."""
    return x if x.dim() == 2 else x.movedim(-1, 1)


def check_rates(A: Tensor) -> None:
    """Check that the rates are a real matrix.

    Args:
        A (Tensor): Rates, shape (d, n).

    Raises:
        ValueError: If ``A`` is complex or has another number of axes.
    """
    if A.is_complex():
        raise ValueError(f'A is {A.dtype}: complex rates are not supported')
    if A.dim() != 2:
        raise ValueError(f'A must have shape (d, n), but got {tuple(A.shape)}')


def selective_scan_fn(
        u: Tensor,
        delta: Tensor,
        A: Tensor,
        B: Tensor,
        C: Tensor,
        D: Optional[Tensor] = None,
        z: Optional[Tensor] = None,
        delta_bias: Optional[Tensor] = None,
        delta_softplus: bool = False,
        return_last_state: bool = False
) -> Union[Tensor, Tuple[Tensor, Tensor]]:
    """Run the selective scan of Mamba on channels (b, d, l).

    ``ops.selective_scan`` has the formulas.

    Args:
        u (Tensor): Input, shape (b, d, l).
        delta (Tensor): Step size, shape (b, d, l).
        A (Tensor): Negative decay rates, shape (d, n), float32.
        B (Tensor): Input weights, shape (b, n, l), or (b, g, n, l) with g
            groups of d / g neighbouring channels, or (d, n), constant.
        C (Tensor): Output weights, shapes as ``B``.
        D (Tensor, optional): Skip weight, shape (d, ), float32. Defaults to
            None.
        z (Tensor, optional): Gate, shape (b, d, l). Defaults to None.
        delta_bias (Tensor, optional): Added to ``delta``, shape (d, ),
            float32. Defaults to None.
        delta_softplus (bool): Pass the step size through softplus. Defaults
            to False.
        return_last_state (bool): Also return the state after the last token.
            No gradient flows through the state. Defaults to False.

    Returns:
        Tensor | tuple: Output, shape (b, d, l), contiguous, dtype of ``u``;
        with ``return_last_state`` also the state (b, d, n) in float32.

    Raises:
        ValueError: If shapes, dtypes or devices do not fit, or ``A`` is
            complex.

    Source: Gu and Dao, arXiv:2312.00752, Algorithm 2; signature of
    ``mamba_ssm.ops.selective_scan_interface``, release 2.3.2.
    """
    check_rates(A)
    if u.dim() != 3 or u.shape[2] == 0:
        raise ValueError('u must have shape (b, d, l) with l >= 1, but got '
                         f'{tuple(u.shape)}')
    b, d, l = u.shape
    n = A.shape[1]
    check_shape('A', A, (d, n))
    check_shape('delta', delta, (b, d, l))
    check_shape('z', z, (b, d, l))
    for name, t in (('B', B), ('C', C)):
        g = t.shape[1] if t.dim() == 4 else 'a divisor of d'
        check_shape(name, t, (b, n, l), (b, g, n, l), (d, n))
    y, last = selective_scan(
        token_major(u),
        token_major(delta),
        A,
        token_major(B),
        token_major(C),
        D,
        None if z is None else token_major(z),
        delta_bias,
        delta_softplus,
        return_last_state=True)
    y = y.transpose(1, 2).contiguous()
    return (y, last) if return_last_state else y
