"""``mamba_inner_fn``: a block between its projections, and the last one."""
from typing import Optional

import torch.nn.functional as F
from torch import Tensor

from ..conv.api import causal_conv1d
from ..mixer.api import ScanParams, bidirectional_selective_scan
from ..norm.api import add_rms_norm
from ..runtime.checks import check_shape
from ..scan.api import selective_scan
from .scan import check_rates, token_major


def mamba_inner_fn(xz: Tensor,
                   conv1d_weight: Tensor,
                   conv1d_bias: Optional[Tensor],
                   x_proj_weight: Tensor,
                   delta_proj_weight: Tensor,
                   out_proj_weight: Tensor,
                   out_proj_bias: Optional[Tensor],
                   A: Tensor,
                   B: Optional[Tensor] = None,
                   C: Optional[Tensor] = None,
                   D: Optional[Tensor] = None,
                   delta_bias: Optional[Tensor] = None,
                   B_proj_bias: Optional[Tensor] = None,
                   C_proj_bias: Optional[Tensor] = None,
                   delta_softplus: bool = True,
                   checkpoint_lvl: int = 1,
                   b_rms_weight: Optional[Tensor] = None,
                   c_rms_weight: Optional[Tensor] = None,
                   dt_rms_weight: Optional[Tensor] = None,
                   b_c_dt_rms_eps: float = 1e-6) -> Tensor:
    """Compute a Mamba block from its first projection's output on.

    Convolution with SiLU, projections to step size, B and C, scan, gate and
    the last projection.

    Args:
        xz (Tensor): Content and gate, shape (b, 2 * d, l).
        conv1d_weight (Tensor): Taps, shape (d, 1, k).
        conv1d_bias (Tensor, optional): Shape (d, ).
        x_proj_weight (Tensor): Makes step rank, then B and C unless given,
            shape (r + 2 * n, d), with n rows less for each given.
        delta_proj_weight (Tensor): Makes the steps, shape (d, r).
        out_proj_weight (Tensor): Shape (c, d).
        out_proj_bias (Tensor, optional): Shape (c, ).
        A (Tensor): Negative decay rates, shape (d, n), float32.
        B (Tensor, optional): Input weights in the place of projected ones,
            shapes as in ``selective_scan_fn``. Defaults to None.
        C (Tensor, optional): Output weights, as ``B``. Defaults to None.
        D (Tensor, optional): Skip weight, shape (d, ), float32. Defaults to
            None.
        delta_bias (Tensor, optional): Added to the steps, shape (d, ),
            float32. Defaults to None.
        B_proj_bias (Tensor, optional): Added to a projected B, shape (n, ).
            Defaults to None.
        C_proj_bias (Tensor, optional): Added to a projected C, shape (n, ).
            Defaults to None.
        delta_softplus (bool): Pass the step size through softplus. Defaults
            to True.
        checkpoint_lvl (int): 0 or 1; without effect, as each backend decides
            what to recompute in backward. Defaults to 1.
        b_rms_weight (Tensor, optional): Scale of an RMSNorm of a projected
            B, shape (n, ). Defaults to None.
        c_rms_weight (Tensor, optional): The same for C. Defaults to None.
        dt_rms_weight (Tensor, optional): Scale of an RMSNorm of the steps
            over the channels, shape (d, ). Defaults to None.
        b_c_dt_rms_eps (float): Added to the mean squares. Defaults to 1e-6.

    Returns:
        Tensor: Shape (b, l, c), tokens first, as the package returns it.

    Raises:
        ValueError: If shapes, dtypes or devices do not fit, ``A`` is
            complex, or an argument belongs to a projected weight that is
            given.

    Source: Gu and Dao, arXiv:2312.00752, Section 3.4; signature of
    ``mamba_ssm.ops.selective_scan_interface``, release 2.3.2.
    """
    if checkpoint_lvl not in (0, 1):
        raise ValueError(
            f'checkpoint_lvl must be 0 or 1, not {checkpoint_lvl}')
    _check_inner(xz, conv1d_weight, conv1d_bias, x_proj_weight,
                 delta_proj_weight, out_proj_weight, A, B, C)
    _check_projected('B', B, A, B_proj_bias, b_rms_weight)
    _check_projected('C', C, A, C_proj_bias, c_rms_weight)
    check_shape('dt_rms_weight', dt_rms_weight, (A.shape[0], ))
    # (b, 2 * d, l) to (b, l, 2 * d).
    x = xz.transpose(1, 2)
    further = (B, C, B_proj_bias, C_proj_bias, b_rms_weight, c_rms_weight,
               dt_rms_weight)
    # The arguments of a stock Mamba block run as a single op.
    if (delta_softplus and D is not None and delta_bias is not None
            and all(t is None for t in further)):
        params = ScanParams(conv1d_weight, conv1d_bias, x_proj_weight,
                            delta_proj_weight, delta_bias, A, D)
        y = bidirectional_selective_scan(x, params, None)
        return F.linear(y, out_proj_weight, out_proj_bias)
    n, eps = A.shape[1], b_c_dt_rms_eps
    v, z = x.chunk(2, -1)
    s = causal_conv1d(v, conv1d_weight, conv1d_bias)
    sizes = [delta_proj_weight.shape[1], *(n * (t is None) for t in (B, C))]
    rank, B_, C_ = F.linear(s, x_proj_weight).split(sizes, -1)
    delta = _normed(F.linear(rank, delta_proj_weight), dt_rms_weight, eps)
    y, _ = selective_scan(
        s,
        delta,
        A,
        _projected(B, B_, B_proj_bias, b_rms_weight, eps),
        _projected(C, C_, C_proj_bias, c_rms_weight, eps),
        D,
        z,
        delta_bias,
        delta_softplus,
        return_last_state=True)
    return F.linear(y, out_proj_weight, out_proj_bias)


def _check_inner(xz: Tensor, conv1d_weight: Tensor,
                 conv1d_bias: Optional[Tensor], x_proj_weight: Tensor,
                 delta_proj_weight: Tensor, out_proj_weight: Tensor, A: Tensor,
                 B: Optional[Tensor], C: Optional[Tensor]) -> None:
    """Check shapes; the ops check the rest."""
    check_rates(A)
    if xz.dim() != 3 or xz.shape[2] == 0 or xz.shape[1] % 2:
        raise ValueError('xz must have shape (b, 2 * d, l) with l >= 1, but '
                         f'got {tuple(xz.shape)}')
    d, n = xz.shape[1] // 2, A.shape[1]
    check_shape('A', A, (d, n))
    check_shape('conv1d_weight', conv1d_weight,
                (d, 1, *conv1d_weight.shape[2:3]))
    check_shape('conv1d_bias', conv1d_bias, (d, ))
    check_shape('delta_proj_weight', delta_proj_weight,
                (d, *delta_proj_weight.shape[1:2]))
    rows = delta_proj_weight.shape[1] + n * ((B is None) + (C is None))
    check_shape('x_proj_weight', x_proj_weight, (rows, d))
    check_shape('out_proj_weight', out_proj_weight,
                (*out_proj_weight.shape[:1], d))


def _check_projected(name: str, given: Optional[Tensor], A: Tensor,
                     bias: Optional[Tensor], rms: Optional[Tensor]) -> None:
    """Check the arguments of a projected B or C; a given one has none."""
    for end, t in (('_proj_bias', bias), ('_rms_weight', rms)):
        argument = (name if t is bias else name.lower()) + end
        if t is not None and given is not None:
            raise ValueError(f'{argument} is for a projected {name}, but '
                             f'{name} is given')
        check_shape(argument, t, (A.shape[1], ))


def _normed(x: Tensor, weight: Optional[Tensor], eps: float) -> Tensor:
    return x if weight is None else add_rms_norm(x, None, weight, eps)[0]


def _projected(given: Optional[Tensor], x: Tensor, bias: Optional[Tensor],
               rms: Optional[Tensor], eps: float) -> Tensor:
    """Return B or C: the given weight, or the projection x (b, l, n)."""
    if given is not None:
        return token_major(given)
    if bias is not None:
        x = x + bias.to(x.dtype)
    return _normed(x, rms, eps)
