"""Adapter to the stock CUDA packages ``mamba_ssm`` and ``causal_conv1d``.

The stock kernels take channels first, (b, d, l), and scan from the first
token only: a reverse direction is a flipped copy, and each direction repeats
work common to both. The published VideoMamba runs this way.
"""
from typing import Any, Optional, Tuple

import torch
import torch.nn.functional as F
from causal_conv1d import causal_conv1d_fn
from mamba_ssm.ops.selective_scan_interface import selective_scan_fn
from torch import Tensor

from .conv.reference import causal_conv1d as causal_conv1d_reference
from .mixer.api import ScanParams
from .mixer.reference import bidirectional_mixer as mixer_reference
from .mixer.reference import \
    bidirectional_selective_scan as bidirectional_reference
from .runtime.host import compute_dtype
from .scan.groups import same_groups, scan_groups
from .scan.reference import selective_scan as selective_scan_reference

# Limits of the stock kernels.
CONV_WIDTHS = (2, 3, 4)
MAX_STATE = 256
# The stock backward pass of a channel-first convolution (causal-conv1d 1.7.0)
# is wrong around the last chunk where the chunk has 1 to 3 tokens in float32
# (chunks of 512), 1 to 7 in half precision (chunks of 1024).
CHUNK = 512
LEAST_TAIL = 8


def _channel_first(x: Tensor, reverse: bool = False) -> Tensor:
    """Copy tokens (b, l, ...) to (b, ..., l), last token first if asked."""
    x = (x.flip(1) if reverse else x).movedim(1, -1)
    # contiguous() would leave the strides of a single token unchanged, and
    # the kernels derive the layout from the strides.
    return x.clone(memory_format=torch.contiguous_format)


def _token_major(x: Tensor, reverse: bool) -> Tensor:
    """View the channels (b, d, l) as tokens (b, l, d) in stored order."""
    return (x.flip(-1) if reverse else x).transpose(1, 2)


def _check_state(n: int) -> None:
    if n > MAX_STATE:
        raise RuntimeError(
            "backend 'mamba_ssm' cannot run selective_scan here: it holds at "
            f"most {MAX_STATE} states, but A has {n}; use backend 'torch'")


def _check_width(k: int) -> None:
    if k not in CONV_WIDTHS:
        raise RuntimeError(
            "backend 'mamba_ssm' cannot run causal_conv1d here: it knows the "
            f"widths {CONV_WIDTHS}, but weight has {k} taps; use backend "
            "'triton' or 'torch'")


def _convolve(x: Tensor, weight: Tensor, bias: Optional[Tensor],
              activation: Optional[str]) -> Tensor:
    """Convolve channels (b, d, l), with zeros after a short last chunk."""
    l = x.shape[-1]
    if 0 < l % CHUNK < LEAST_TAIL:
        x = F.pad(x, (0, LEAST_TAIL - l % CHUNK))
    if bias is not None:
        bias = bias.to(weight.dtype)
    y = causal_conv1d_fn(x, weight.contiguous(), bias, activation=activation)
    return y[..., :l]


def selective_scan(u: Tensor, delta: Tensor, A: Tensor, B: Tensor, C: Tensor,
                   D: Optional[Tensor], z: Optional[Tensor],
                   delta_bias: Optional[Tensor], delta_softplus: bool,
                   reverse: bool) -> Tuple[Tensor, Tensor]:
    """Compute the op with ``mamba_ssm``; see ``ops.selective_scan``.

    Args:
        u (Tensor): Input, shape (b, l, d).
        delta (Tensor): Step size, shape (b, l, d).
        A (Tensor): Negative decay rates, shape (d, n).
        B (Tensor): Input weights, shape (b, l, n), (b, l, g, n) or (d, n).
        C (Tensor): Output weights, shapes as ``B``.
        D (Tensor, optional): Skip weight, shape (d, ).
        z (Tensor, optional): Gate, shape (b, l, d).
        delta_bias (Tensor, optional): Added to ``delta``, shape (d, ).
        delta_softplus (bool): Pass the step size through softplus.
        reverse (bool): Scan from the last token.

    Returns:
        tuple: Output (b, l, d) in the dtype of ``u``, and the last state
        (b, d, n), detached, in float32.

    Raises:
        RuntimeError: If the stock kernel has no room for the state.
    """
    _check_state(A.shape[1])
    if not u.numel():
        # The stock kernels refuse an empty grid; there is nothing to compute.
        return selective_scan_reference(u, delta, A, B, C, D, z, delta_bias,
                                        delta_softplus, reverse)
    if B.dim() == 2 and C.dim() == 4 and C.shape[2] > 1:
        # The kernel takes no constant B with grouped C.
        return scan_groups(selective_scan, u, delta, A, B, C, D, z, delta_bias,
                           delta_softplus, reverse)
    dtype = u.dtype
    for t in (delta, z, B, C):
        # A constant B or C has the dtype of A.
        if t is not None and t.dim() > 2:
            dtype = torch.promote_types(dtype, t.dtype)
    u_, delta_, z_ = (None if t is None else _channel_first(
        t.to(dtype), reverse) for t in (u, delta, z))
    B, C = same_groups(B, C)
    weights = (
        t.to(A.dtype) if t.dim() == 2 else _channel_first(
            t.to(dtype), reverse) for t in (B, C))
    if delta_bias is not None:
        delta_bias = delta_bias.contiguous()
    if D is not None:
        D = D.contiguous()
    y, last = selective_scan_fn(u_, delta_, A, *weights, D, z_, delta_bias,
                                delta_softplus, True)
    if B.dim() == 2:
        # The kernel leaves a constant B out of the state.
        last = last * B
    return _token_major(y, reverse).to(u.dtype), last.detach()


def causal_conv1d(x: Tensor, weight: Tensor, bias: Optional[Tensor],
                  activation: Optional[str], reverse: bool) -> Tensor:
    """Compute the op with ``causal_conv1d``; see ``ops.causal_conv1d``.

    Args:
        x (Tensor): Tokens, shape (b, l, d).
        weight (Tensor): Taps, shape (d, k).
        bias (Tensor, optional): Shape (d, ).
        activation (str, optional): 'silu' or None.
        reverse (bool): Look at later tokens.

    Returns:
        Tensor: Shape (b, l, d).

    Raises:
        RuntimeError: If the stock kernel does not know the width.
    """
    _check_width(weight.shape[1])
    if not x.numel():
        return causal_conv1d_reference(x, weight, bias, activation, reverse)
    y = _convolve(_channel_first(x, reverse), weight, bias, activation)
    return _token_major(y, reverse)


def _project(weight: Tensor, x: Tensor) -> Tensor:
    """Multiply channels (b, d, l) by a weight (e, d), channels first."""
    return torch.bmm(weight.expand(x.shape[0], -1, -1), x)


def _direction(xz: Tensor, p: ScanParams) -> Tensor:
    """Compute a gated direction, first token to last: (b, d, l)."""
    v, z = xz.chunk(2, dim=1)
    r, n = p.dt_proj_weight.shape[1], p.A.shape[1]
    s = _convolve(v, p.conv_weight.squeeze(1), p.conv_bias, 'silu')
    rank, B, C = _project(p.x_proj_weight, s).split([r, n, n], 1)
    delta = _project(p.dt_proj_weight, rank)
    return selective_scan_fn(s, delta, p.A, B, C, p.D.contiguous(), z,
                             p.dt_proj_bias.contiguous(), True)


def _inner(xz: Tensor, forward: Optional[ScanParams],
           backward: Optional[ScanParams]) -> Tensor:
    """Compute the part between the projections: (b, 2 d, l) to (b, d, l)."""
    y: Any = None
    for p, reverse in ((forward, False), (backward, True)):
        if p is None:
            continue
        _check_width(p.conv_weight.shape[-1])
        _check_state(p.A.shape[1])
        if reverse:
            out = _direction(xz.flip(-1), p).flip(-1)
        else:
            out = _direction(xz, p)
        y = out if y is None else y + out
    return y


def bidirectional_selective_scan(xz: Tensor, forward: Optional[ScanParams],
                                 backward: Optional[ScanParams],
                                 _: str) -> Tensor:
    """Compute the op; see ``ops.bidirectional_selective_scan``.

    Args:
        xz (Tensor): Content and gate, shape (b, l, 2 * d).
        forward (ScanParams, optional): Weights of the first-to-last scan.
        backward (ScanParams, optional): Weights of the last-to-first scan.

    Returns:
        Tensor: Shape (b, l, d), dtype of ``xz``.

    Raises:
        RuntimeError: If the stock kernels do not know a width or have no
            room for the state.
    """
    if not xz.numel():
        return bidirectional_reference(xz, forward, backward, 'torch')
    low = xz.to(compute_dtype(xz))
    y = _inner(_channel_first(low), forward, backward)
    return y.transpose(1, 2).to(xz.dtype)


def bidirectional_mixer(x: Tensor, in_weight: Tensor, out_weight: Tensor,
                        forward: Optional[ScanParams],
                        backward: Optional[ScanParams],
                        in_bias: Optional[Tensor], out_bias: Optional[Tensor],
                        _: str) -> Tensor:
    """Compute the op; see ``ops.bidirectional_mixer``.

    The first projection writes channels first, so that nothing is
    transposed before the scans.

    Args:
        x (Tensor): Tokens, shape (b, l, c).
        in_weight (Tensor): Shape (2 * d, c).
        out_weight (Tensor): Shape (c, d).
        forward (ScanParams, optional): Weights of the first-to-last scan.
        backward (ScanParams, optional): Weights of the last-to-first scan.
        in_bias (Tensor, optional): Shape (2 * d, ).
        out_bias (Tensor, optional): Shape (c, ).

    Returns:
        Tensor: Shape (b, l, c).

    Raises:
        RuntimeError: If the stock kernels do not know a width or have no
            room for the state.
    """
    if not x.numel():
        return mixer_reference(x, in_weight, out_weight, forward, backward,
                               in_bias, out_bias, 'torch')
    xz = in_weight @ x.flatten(0, 1).t()  # (2 d, b * l)
    if in_bias is not None:
        xz = xz + in_bias.to(xz.dtype).unsqueeze(1)
    xz = xz.unflatten(1, x.shape[:2]).transpose(0, 1)
    y = _inner(xz, forward, backward)
    return F.linear(y.transpose(1, 2), out_weight, out_bias)
