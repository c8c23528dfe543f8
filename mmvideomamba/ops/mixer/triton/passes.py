"""Forward and backward pass of a mixer on Triton kernels.

Between the projections run, in this order: the convolution of both
directions, a batched product for ``x_proj``, another (with bias and softplus)
for ``dt_proj``, both scans in a single launch, and the gate. Backward
recomputes all of this except the scan's outputs, so that the forward pass
stores little but the input. Names: "inner" is the part between the
projections, "mixer" includes the projections.
"""
from typing import NamedTuple, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ...conv.triton.launch import conv_backward, conv_forward
from ...scan.triton.launch import (Scanned, reduce_bc, scan_backward,
                                   scan_forward)
from .gate import gate, gate_backward
from .step_sizes import project_steps
from .weight_gradients import WeightParts
from .weights import Weights


class Residuals(NamedTuple):
    """Intermediate results stored by the forward pass for backward.

    Attributes:
        starts (Tensor): See ``Scanned``.
        y (Tensor): Outputs of the scan, summed over directions, shape
            (b, l, d); (0, b, l, d) without a backward pass.
        g (Tensor): See ``InnerResults``; (k, 0, q + 2 * n) without a backward
            pass. The product takes longer than a copy of this size.
    """
    starts: Tensor
    y: Tensor
    g: Tensor


class InnerResults(NamedTuple):
    """Intermediate results between the projections, with m = b * l.

    Attributes:
        s (Tensor): Convolved tokens, shape (k, b, l, d).
        g (Tensor): Step ranks, B and C, shape (k, m, q + 2 * n).
        delta (Tensor): Step sizes after softplus, shape (k, b, l, d).
        bc (Tensor): B and C, shape (k, b, l, 2, n).
        scanned (Scanned): Results of the scan.
    """
    s: Tensor
    g: Tensor
    delta: Tensor
    bc: Tensor
    scanned: Scanned


def output_dtype(x: Tensor) -> torch.dtype:
    """Return the dtype of the scan's outputs for tokens x."""
    # float16 would overflow before the gate.
    return torch.float32 if x.dtype == torch.float16 else x.dtype


def inner_forward(xz: Tensor,
                  w: Weights,
                  reverse_bits: int,
                  recompute: Optional[Residuals] = None) -> InnerResults:
    """Compute everything from the convolution to the scan.

    Args:
        xz (Tensor): Content and gate, shape (b, l, 2 * d), contiguous.
        w (Weights): Stacked weights of k directions.
        reverse_bits (int): Bit i is set if direction i runs in reverse.
        recompute (Residuals, optional): Given in the backward pass, whose
            scan stores states and leaves out the outputs. Defaults to None.

    Returns:
        InnerResults: Results of all steps.
    """
    b, l, d = xz.shape[0], xz.shape[1], xz.shape[2] // 2
    s = conv_forward(xz[..., :d], w.conv_weight, w.conv_bias, reverse_bits,
                     True)
    if recompute is None:
        g = torch.bmm(s.view(s.shape[0], b * l, d), w.x_proj.transpose(1, 2))
    else:
        g = recompute.g
    delta, bc = project_steps(g, w.dt_proj, w.dt_bias, w.A.shape[1], b, l)
    return InnerResults(
        s, g, delta, bc,
        scan_forward(
            s,
            delta,
            w.A,
            bc,
            w.D,
            reverse_bits,
            output_dtype(xz),
            keep=recompute is not None,
            starts=recompute and recompute.starts,
            with_y=recompute is None))


def _weight_gradient(dy: Tensor, x: Tensor, b: int, l: int) -> Tensor:
    """Return ``dy^T x`` by sample, (k, b, p, q), of (k, b * l, p), (..., q).

    A product per sample keeps a GPU busy; the few entries of a single long
    product do not.
    """
    k = len(dy)
    dy, x = (t.unflatten(1, (b, l)).flatten(0, 1) for t in (dy, x))
    return torch.bmm(dy.transpose(1, 2), x).unflatten(0, (k, b))


def inner_backward(xz: Tensor, w: Weights, reverse_bits: int,
                   residuals: Residuals,
                   do: Tensor) -> Tuple[Tensor, Tensor, WeightParts]:
    """Differentiate the part between the projections.

    Args:
        xz (Tensor): As given to ``inner_run``, as are ``w`` and
            ``reverse_bits``.
        w (Weights): See ``xz``.
        reverse_bits (int): See ``xz``.
        residuals (Residuals): As returned by ``inner_run``.
        do (Tensor): Gradient of the gated output, shape (b, l, d), contiguous.

    Returns:
        tuple: The gated output (b, l, d), recomputed, the gradient of ``xz``,
        and the partial gradients of the weights.
    """
    b, l, d = do.shape
    m, q = b * l, w.dt_proj.shape[2]
    x = inner_forward(xz, w, reverse_bits, residuals)
    k = x.s.shape[0]
    dxz = torch.empty_like(xz)
    o, dy = gate_backward(do, residuals.y, xz, dxz)
    grads = scan_backward(x.s, x.delta, w.A, x.bc, w.D, dy, x.scanned.states,
                          reverse_bits, True)
    s, g = x.s.view(k, m, d), x.g
    n16 = x.bc.dtype != torch.float32
    del x, dy
    ddelta = grads.delta.view(k, m, d)
    ranks = torch.bmm(ddelta, w.dt_proj)
    dg = reduce_bc(grads.bc, ranks.flatten(0, 1), n16).view(g.shape)
    dt_proj = _weight_gradient(ddelta, g[..., :q], b, l)
    x_proj = _weight_gradient(dg, s, b, l)
    ds = grads.u.view(k, m, d).baddbmm_(dg, w.x_proj)
    conv = conv_backward(xz[..., :d], w.conv_weight, w.conv_bias,
                         ds.view(k, b, l, d), dxz[..., :d], reverse_bits, True)
    return o, dxz, WeightParts(conv, grads.sums, grads.rows, x_proj, dt_proj)


def inner_run(xz: Tensor, w: Weights, reverse_bits: int,
              keep: bool) -> Tuple[Tensor, Residuals]:
    """Compute the part between the projections.

    Args:
        xz (Tensor): Content and gate, shape (b, l, 2 * d), contiguous.
        w (Weights): Stacked weights of k directions.
        reverse_bits (int): Bit i is set if direction i runs in reverse.
        keep (bool): Whether a backward pass follows.

    Returns:
        tuple: Gated output (b, l, d), and the residuals for backward.
    """
    x = inner_forward(xz, w, reverse_bits)
    o, y = gate(x.scanned.y, xz, keep)
    g = x.g if keep else x.g.new_empty(len(x.g), 0, x.g.shape[2])
    return o, Residuals(x.scanned.starts, y, g)


def mixer_run(x: Tensor, w: Weights, reverse_bits: int,
              keep: bool) -> Tuple[Tensor, Residuals]:
    """Compute the mixer with its projections.

    Args:
        x (Tensor): Tokens, shape (b, l, c).
        w (Weights): Stacked weights of k directions, and the projections.
        reverse_bits (int): Bit i is set if direction i runs in reverse.
        keep (bool): Whether a backward pass follows.

    Returns:
        tuple: Mixed tokens (b, l, c), and the residuals for backward.
    """
    in_weight, out_weight = w.projections
    y, residuals = inner_run(F.linear(x, in_weight), w, reverse_bits, keep)
    return F.linear(y, out_weight), residuals


def mixer_backward(x: Tensor, w: Weights, reverse_bits: int,
                   residuals: Residuals,
                   dout: Tensor) -> Tuple[Tensor, WeightParts]:
    """Differentiate ``mixer_run``, recomputing most of the forward pass.

    Args:
        x (Tensor): As given to ``mixer_run``, as are ``w`` and
            ``reverse_bits``.
        w (Weights): See ``x``.
        reverse_bits (int): See ``x``.
        residuals (Residuals): As returned by ``mixer_run``.
        dout (Tensor): Gradient of the mixed tokens, shape (b, l, c).

    Returns:
        tuple: The gradient of ``x``, and the partial gradients of the weights.
    """
    dout = dout.contiguous()
    in_weight, out_weight = w.projections
    xz = F.linear(x, in_weight)
    o, dxz, parts = inner_backward(xz, w, reverse_bits, residuals,
                                   dout @ out_weight)
    del xz
    d_in = dxz.flatten(0, 1).t() @ x.flatten(0, 1)
    d_out = dout.flatten(0, 1).t() @ o.flatten(0, 1)
    return dxz @ in_weight, parts._replace(projections=(d_in, d_out))
