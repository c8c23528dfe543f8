"""Launch of the norm kernels."""
from typing import Optional, Tuple

import torch
from torch import Tensor

from ...runtime.host import ceil_div, power_of_2
from .kernels import norm_bwd_kernel, norm_fwd_kernel

# Rows of a backward program, which sums their share of the weight gradient.
ROWS = 32


def _warps(width: int) -> int:
    """Return the warps of a program for rows of so many channels."""
    return 1 if width <= 256 else 4 if width <= 2048 else 8


def norm_forward(x: Tensor, residual: Optional[Tensor], weight: Tensor,
                 eps: float) -> Tuple[Tensor, Tensor, Tensor]:
    """Add to the stream and normalise.

    Args:
        x (Tensor): Output of the previous mixer, shape (..., c).
        residual (Tensor, optional): Stream so far, shape (..., c).
        weight (Tensor): Scale, shape (c, ), contiguous.
        eps (float): Added to the mean square.

    Returns:
        tuple: Normalised stream (..., c) in the dtype of ``x``, the stream
        (..., c) in float32, and the reciprocal of the stream's root mean
        square, shape (rows, ), float32.
    """
    c = x.shape[-1]
    x = x.contiguous()
    rows = x.numel() // c
    y = torch.empty_like(x)
    stream = torch.empty_like(x, dtype=torch.float32)
    rstd = stream.new_empty(rows)
    if rows:
        width = power_of_2(c)
        norm_fwd_kernel[(rows, )](
            x,
            x if residual is None else residual.contiguous(),
            weight,
            y,
            stream,
            rstd,
            c,
            eps,
            BC=width,
            HAS_RESIDUAL=residual is not None,
            num_warps=_warps(width))
    return y, stream, rstd


def norm_backward(dy: Tensor, dstream: Tensor, stream: Tensor, rstd: Tensor,
                  weight: Tensor,
                  dtype: torch.dtype) -> Tuple[Tensor, Tensor, Tensor]:
    """Differentiate ``norm_forward``.

    Args:
        dy (Tensor): Gradient of the normalised stream, shape (..., c).
        dstream (Tensor): Gradient of the stream, shape (..., c), float32.
        stream (Tensor): As returned by ``norm_forward``.
        rstd (Tensor): As returned by ``norm_forward``.
        weight (Tensor): As given to ``norm_forward``.
        dtype (torch.dtype): Dtype of the second result.

    Returns:
        tuple: Gradient of the sum (..., c) in float32, the same in ``dtype``,
        and the gradient of the weight (c, ).
    """
    c = stream.shape[-1]
    dx = torch.empty_like(stream)
    low = dx if dtype == dx.dtype else torch.empty_like(dx, dtype=dtype)
    rows = rstd.numel()
    programs = ceil_div(rows, ROWS)
    dweight = stream.new_empty(programs, c)
    if rows:
        width = power_of_2(c)
        norm_bwd_kernel[(programs, )](
            dy.contiguous(),
            dstream.contiguous(),
            stream,
            rstd,
            weight,
            dx,
            low,
            dweight,
            rows,
            c,
            BC=width,
            ROWS=ROWS,
            HAS_LOW=low is not dx,
            num_warps=_warps(width))
    return dx, low, dweight.sum(0).to(weight.dtype)
