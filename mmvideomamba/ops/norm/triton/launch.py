"""Launch of the norm kernels."""
from typing import Optional, Tuple

import torch
from torch import Tensor

from ...runtime.host import ceil_div, power_of_2
from .kernels import norm_bwd_kernel, norm_fwd_kernel


def _rows(total: int) -> int:
    """Return the rows of a backward program.

    A program goes row by row and sums the weight gradient of all of them.
    Inputs of few rows need short programs to fill a GPU.
    """
    return 32 if total >= 65536 else 8


def _warps(width: int) -> int:
    """Return the warps of a program for rows of so many channels."""
    return 1 if width <= 256 else 4 if width <= 2048 else 8


def norm_forward(x: Tensor,
                 residual: Optional[Tensor],
                 weight: Tensor,
                 eps: float,
                 draw: Optional[Tensor] = None,
                 drop_prob: float = 0.) -> Tuple[Tensor, Tensor, Tensor]:
    """Add to the stream and normalise.

    Args:
        x (Tensor): Output of the previous mixer, shape (..., c).
        residual (Tensor, optional): Stream so far, shape (..., c).
        weight (Tensor): Scale, shape (c, ), contiguous.
        eps (float): Added to the mean square.
        draw (Tensor, optional): Uniform numbers, shape (b, ), float32,
            contiguous. Defaults to None, nothing is dropped.
        drop_prob (float): Probability of dropping. Defaults to 0.

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
        # A kernel takes a pointer in each place: another tensor stands for a
        # missing tensor, and a flag keeps the kernel from reading there.
        norm_fwd_kernel[(rows, )](
            x,
            x if residual is None else residual.contiguous(),
            weight,
            y,
            stream,
            rstd,
            rstd if draw is None else draw,
            c,
            rows // x.shape[0],
            eps,
            1. - drop_prob,
            BC=width,
            HAS_RESIDUAL=residual is not None,
            HAS_DRAW=draw is not None,
            num_warps=_warps(width))
    return y, stream, rstd


def norm_backward(dy: Tensor,
                  dstream: Optional[Tensor],
                  stream: Tensor,
                  rstd: Tensor,
                  weight: Tensor,
                  dtype: torch.dtype,
                  draw: Optional[Tensor] = None,
                  drop_prob: float = 0.) -> Tuple[Tensor, Tensor, Tensor]:
    """Differentiate ``norm_forward``.

    Args:
        dy (Tensor): Gradient of the normalised stream, shape (..., c).
        dstream (Tensor, optional): Gradient of the stream, shape (..., c),
            float32. None stands for zeros.
        stream (Tensor): As returned by ``norm_forward``.
        rstd (Tensor): As returned by ``norm_forward``.
        weight (Tensor): As given to ``norm_forward``.
        dtype (torch.dtype): Dtype of the second result.
        draw (Tensor, optional): As given to ``norm_forward``.
        drop_prob (float): As given to ``norm_forward``.

    Returns:
        tuple: Gradient of the sum (..., c) in float32, the gradient of ``x``
        in ``dtype`` (one tensor for both where the numbers and dtypes are the
        same), and the gradient of the weight (c, ).
    """
    c = stream.shape[-1]
    dx = torch.empty_like(stream)
    one = dtype == dx.dtype and draw is None
    low = dx if one else torch.empty_like(dx, dtype=dtype)
    rows = rstd.numel()
    each = _rows(rows)
    programs = ceil_div(rows, each)
    # Sums of each program apart: with atomic adds the bits would depend on the
    # order of the programs.
    dweight = stream.new_empty(programs, c)
    if rows:
        width = power_of_2(c)
        norm_bwd_kernel[(programs, )](
            dy.contiguous(),
            stream if dstream is None else dstream.contiguous(),
            stream,
            rstd,
            weight,
            rstd if draw is None else draw,
            dx,
            low,
            dweight,
            rows,
            c,
            rows // stream.shape[0],
            1. - drop_prob,
            BC=width,
            ROWS=each,
            HAS_LOW=not one,
            HAS_DSTREAM=dstream is not None,
            HAS_DRAW=draw is not None,
            num_warps=_warps(width))
    return dx, low, dweight.sum(0).to(weight.dtype)
