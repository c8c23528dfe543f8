"""Forward and backward pass of a mixer on Triton kernels.

Between the projections run: the convolution of both directions, one batched
product each for ``x_proj`` and (with bias and softplus) ``dt_proj``, both
scans in one launch, and the gate. Backward runs all but the scan's outputs
again before it differentiates them, so little but the input is stored.
"""
from typing import NamedTuple, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from .causal_conv1d_triton import conv_backward, conv_forward
from .mixer_kernels_triton import gate, gate_backward, project_steps
from .mixer_weights_triton import Weights
from .scan_launch_triton import Scanned, scan_backward, scan_forward, sum_bc


class Kept(NamedTuple):
    """What the forward pass makes and backward does not make again.

    Attributes:
        starts (Tensor): See ``Scanned``.
        y (Tensor): Outputs of the scan, summed over directions, shape
            (b, l, d); (0, b, l, d) if there will be no backward.
    """
    starts: Tensor
    y: Tensor


class Inside(NamedTuple):
    """What the forward pass makes between the projections.

    Shapes, with m = b * l: s (k, b, l, d), g (k, m, q + 2 n), delta
    (k, b, l, d), bc (k, b, l, 2, n); what the scan returns.
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


def inside_forward(xz: Tensor,
                   w: Weights,
                   reversed_: int,
                   again: Optional[Kept] = None) -> Inside:
    """Compute everything up to the gate, or what backward needs of it."""
    b, l, d = xz.shape[0], xz.shape[1], xz.shape[2] // 2
    s = conv_forward(xz[..., :d], w.conv_weight, w.conv_bias, reversed_, True)
    g = torch.bmm(s.view(s.shape[0], b * l, d), w.x_proj.transpose(1, 2))
    delta, bc = project_steps(g, w.dt_proj, w.dt_bias, w.A.shape[1], b, l)
    return Inside(
        s, g, delta, bc,
        scan_forward(
            s,
            delta,
            w.A,
            bc,
            w.D,
            reversed_,
            output_dtype(xz),
            keep=again is not None,
            starts=again and again.starts,
            with_y=again is None))


def _weight_gradient(dy: Tensor, x: Tensor, b: int, l: int) -> Tensor:
    """Return ``dy^T x``, (k, p, q), float32, of (k, b * l, p) and (..., q).

    A product per sample keeps a GPU busy, which the few entries of one long
    product do not.
    """
    k = len(dy)
    dy, x = (t.unflatten(1, (b, l)).flatten(0, 1) for t in (dy, x))
    each = torch.bmm(dy.transpose(1, 2), x).unflatten(0, (k, b))
    return each.sum(1, dtype=torch.float32)


def inside_backward(xz: Tensor, w: Weights, reversed_: int, kept: Kept,
                    do: Tensor) -> Tuple[Tensor, Tensor, Weights]:
    """Differentiate what is between the projections.

    Returns:
        tuple: The gated output (b, l, d) once more, the gradient of ``xz``,
        and the gradients of the weights, float32.
    """
    b, l, d = do.shape
    m, q = b * l, w.dt_proj.shape[2]
    x = inside_forward(xz, w, reversed_, kept)
    k = x.s.shape[0]
    dxz = torch.empty_like(xz)
    o, dy = gate_backward(do, kept.y, xz, dxz)
    grads = scan_backward(x.s, x.delta, w.A, x.bc, w.D, dy, x.scanned.states,
                          reversed_, True)
    s, g = x.s.view(k, m, d), x.g
    lanes = x.bc.dtype != torch.float32
    del x, dy
    ddelta = grads.delta.view(k, m, d)
    ranks = torch.bmm(ddelta, w.dt_proj)
    dg = sum_bc(grads.bc, ranks.flatten(0, 1), lanes).view(g.shape)
    dt_proj = _weight_gradient(ddelta, g[..., :q], b, l)
    x_proj = _weight_gradient(dg, s, b, l)
    ds = grads.u.view(k, m, d).baddbmm_(dg, w.x_proj)
    dconv, dconv_bias = conv_backward(xz[..., :d], w.conv_weight, w.conv_bias,
                                      ds.view(k, b, l, d), dxz[..., :d],
                                      reversed_, True)
    return o, dxz, Weights(dconv, dconv_bias, x_proj, dt_proj, grads.bias,
                           grads.A, grads.D)


def inside_run(xz: Tensor, w: Weights, reversed_: int,
               keep: bool) -> Tuple[Tensor, Kept]:
    """Return the gated output, and what to keep for backward."""
    x = inside_forward(xz, w, reversed_).scanned
    o, y = gate(x.y, xz, keep)
    return o, Kept(x.starts, y)


def mixer_run(x: Tensor, in_weight: Tensor, out_weight: Tensor, w: Weights,
              reversed_: int, keep: bool) -> Tuple[Tensor, Kept]:
    """Return the mixed tokens, and what to keep for backward."""
    y, kept = inside_run(F.linear(x, in_weight), w, reversed_, keep)
    return F.linear(y, out_weight), kept


class MixerGradients(NamedTuple):
    """Gradients of ``mixer_run``, by argument."""
    x: Tensor
    in_weight: Tensor
    out_weight: Tensor
    weights: Weights


def mixer_backward(x: Tensor, in_weight: Tensor, out_weight: Tensor,
                   w: Weights, reversed_: int, kept: Kept,
                   dout: Tensor) -> MixerGradients:
    """Differentiate ``mixer_run``, which is run again."""
    dout = dout.contiguous()
    xz = F.linear(x, in_weight)
    o, dxz, grads = inside_backward(xz, w, reversed_, kept, dout @ out_weight)
    del xz
    dout, o = dout.flatten(0, 1), o.flatten(0, 1)
    d_in = dxz.flatten(0, 1).t() @ x.flatten(0, 1)
    return MixerGradients(dxz @ in_weight, d_in, dout.t() @ o, grads)
