"""Both directions of a mixer on the CPU, as one op.

Kernels compiled by numba convolve, scan and gate; torch multiplies matrices.
All is computed in float32. The second direction adds to the output of the
first, and both read the content inside of ``xz``: nothing is copied.
"""
import functools
from typing import Any, List, Optional, Tuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

from ..conv.numba_kernels import convolve, convolve_backward
from ..runtime.first_order import first_order
from ..runtime.host import ceil_div, compute_dtype
from ..runtime.numba_cache import compiled
from ..runtime.numba_math import KERNEL, sigmoid
from ..runtime.numba_threads import run, to_numpy
from ..runtime.numba_vectors import WIDTH, fma, load, splat, store
from ..scan.numba_kernels import ScanArrays, rates_of, scan, scan_backward
from .api import ScanParams

# Tokens of a work item of the gate.
TOKENS = 64

_f4 = np.float32


@compiled(**KERNEL)
def _gate(y, xz, out, first, end):
    """Gate the items [first, end), each 64 tokens of all samples."""
    rows, d = y.shape
    for i in range(first * TOKENS, min(end * TOKENS, rows)):
        for c in range(0, d, WIDTH):
            z = load(xz, (i, d + c))
            store(out, (i, c), load(y, (i, c)) * z * sigmoid(z))


@compiled(**KERNEL)
def _gate_backward(y, xz, dout, dy, dxz, first, end):
    """Write the gradients of y and of the gate's half of xz."""
    rows, d = y.shape
    for i in range(first * TOKENS, min(end * TOKENS, rows)):
        for c in range(0, d, WIDTH):
            z, g = load(xz, (i, d + c)), load(dout, (i, c))
            open_ = sigmoid(z)
            store(dy, (i, c), g * z * open_)
            one = splat(_f4(1))
            slope = open_ * fma(z, one - open_, one)
            store(dxz, (i, d + c), g * load(y, (i, c)) * slope)


def _run_gate(kernel: Any, *arrays: np.ndarray) -> None:
    """Run a kernel of the gate on arrays (b, l, ...)."""
    flat = [a.reshape(-1, a.shape[2]) for a in arrays]
    run(kernel, ceil_div(len(flat[0]), TOKENS), *flat)


def _direction(xz: np.ndarray, weights: ScanParams, reverse: bool,
               y: np.ndarray, add: bool, keep: bool) -> List[Tensor]:
    """Compute a direction into y; return what backward needs."""
    taps = to_numpy(weights.conv_weight.flatten(1).t())
    assert weights.conv_bias is not None
    conv_bias = to_numpy(weights.conv_bias)
    s = convolve(xz, taps, conv_bias, True, reverse)
    b, l, d = s.shape
    r = weights.dt_proj_weight.shape[1]
    mixed = torch.from_numpy(s).view(b * l, d) @ weights.x_proj_weight.t()
    delta = mixed[:, :r] @ weights.dt_proj_weight.t()
    arrays = _scan_arrays(s, delta, rates_of(weights.A), mixed,
                          to_numpy(weights.D), to_numpy(weights.dt_proj_bias),
                          r)
    _, states = scan(arrays, y, True, reverse, add, keep)
    if not keep:
        return []
    numbers = (taps, conv_bias, s, arrays.rates, arrays.D, arrays.bias, states)
    return [
        weights.x_proj_weight, weights.dt_proj_weight, mixed, delta,
        *(torch.from_numpy(a) for a in numbers)
    ]


def _scan_arrays(s: np.ndarray, delta: Tensor, rates: np.ndarray,
                 mixed: Tensor, D: np.ndarray, bias: np.ndarray,
                 r: int) -> ScanArrays:
    """Collect the scan's inputs; mixed holds rank, B and C of every token."""
    b, l, d = s.shape
    rows = mixed.numpy().reshape(b, l, mixed.shape[1])
    return ScanArrays(s,
                      delta.numpy().reshape(b, l, d), rates, rows, rows, r,
                      r + rates.shape[0], D, bias)


def _direction_backward(xz: np.ndarray, kept: List[Tensor], reverse: bool,
                        dy: np.ndarray, dxz: np.ndarray,
                        add: bool) -> Tuple[Tensor, ...]:
    """Write or add to dxz; return the gradients of a direction's weights."""
    x_proj, dt_proj, mixed, delta, *others = kept
    taps, conv_bias, s, rates, D, bias, states = (t.numpy() for t in others)
    b, l, d = s.shape
    r, n = dt_proj.shape[1], rates.shape[0]
    arrays = _scan_arrays(s, delta, rates, mixed, D, bias, r)
    du, ddelta, dA, dB, dC, dD, dbias = scan_backward(arrays, states, dy, True,
                                                      reverse)
    du, ddelta = du.view(b * l, d), ddelta.view(b * l, d)
    dmixed = torch.empty_like(mixed)
    dmixed[:, :r] = ddelta @ dt_proj
    rows = dmixed.view(b, l, mixed.shape[1])
    torch.sum(dB, 0, out=rows[..., r:r + n])
    torch.sum(dC, 0, out=rows[..., r + n:r + 2 * n])
    rows[..., r + 2 * n:] = 0
    dx_proj = dmixed.t() @ torch.from_numpy(s).view(b * l, d)
    # In this order more than twice as fast.
    ddt_proj = (mixed[:, :r].t() @ ddelta).t().contiguous()
    ds = du.addmm_(dmixed, x_proj).view(b, l, d)
    dweight, dconv_bias = convolve_backward(xz, taps, conv_bias, ds.numpy(),
                                            dxz, True, reverse, add)
    return (dweight.unsqueeze(1), dconv_bias, dx_proj, ddt_proj, dbias, dA, dD)


def _mix(reverses: Tuple[bool, ...], xz: Tensor, weights: Tuple[Tensor, ...],
         keep: bool) -> Tuple[Tensor, List[Tensor]]:
    """Compute the op; return the output and what backward needs."""
    array = to_numpy(xz)
    b, l, d = array.shape
    y = np.empty((b, l, d // 2), _f4)
    kept: List[Tensor] = []
    # The matrices are float32, also inside of an autocast region.
    with torch.autocast('cpu', enabled=False):
        for i, reverse in enumerate(reverses):
            kept += _direction(array, ScanParams(*weights[7 * i:7 * i + 7]),
                               reverse, y, i > 0, keep)
    out = np.empty_like(y) if keep else y
    _run_gate(_gate, y, array, out)
    kept = [torch.from_numpy(array), torch.from_numpy(y), *kept]
    return torch.from_numpy(out), kept


class _Mix(torch.autograd.Function):
    """Both directions and the gate, float32 in and out."""

    @staticmethod
    def forward(ctx: Any, reverses: Tuple[bool, ...], xz: Tensor, *weights:
                Tensor) -> Tensor:
        out, kept = _mix(reverses, xz, weights, keep=True)
        ctx.save_for_backward(*kept)
        ctx.reverses = reverses
        return out

    @staticmethod
    @first_order
    def backward(ctx: Any, dout: Tensor) -> Tuple[Optional[Tensor], ...]:
        xz, y, *kept = ctx.saved_tensors
        dxz, dy = np.empty(xz.shape, _f4), np.empty(y.shape, _f4)
        _run_gate(_gate_backward, y.numpy(), xz.numpy(), to_numpy(dout), dy,
                  dxz)
        grads: List[Tensor] = []
        size = len(kept) // len(ctx.reverses)
        with torch.autocast('cpu', enabled=False):
            for i, reverse in enumerate(ctx.reverses):
                grads += _direction_backward(xz.numpy(),
                                             kept[size * i:size * (i + 1)],
                                             reverse, dy, dxz, i > 0)
        return (None, torch.from_numpy(dxz), *grads)


def _float32_weights(p: ScanParams, missing: int) -> List[Tensor]:
    """Return the weights in float32, with channels added to a multiple."""
    d = p.conv_weight.shape[0]
    bias = p.conv_weight.new_zeros(d) if p.conv_bias is None else p.conv_bias
    weights = [p.conv_weight.float(), bias.float()]
    weights += [t.float() for t in p[2:] if t is not None]
    # Rows of x_proj in multiples of 16: the product takes 3/4 of the time.
    rows = -weights[2].shape[0] % WIDTH
    if missing:
        # Behind the channels: the first axis, or the last of x_proj.
        weights = [
            F.pad(t, (*[0, 0] * (t.dim() - 1), 0, missing)) if i != 2 else t
            for i, t in enumerate(weights)
        ]
    if missing or rows:
        weights[2] = F.pad(weights[2], (0, missing, 0, rows))
    return weights


def bidirectional_selective_scan(xz: Tensor, forward: Optional[ScanParams],
                                 backward: Optional[ScanParams],
                                 backend: str) -> Tensor:
    """Compute ``ops.bidirectional_selective_scan``, float32 inside."""
    d = xz.shape[2] // 2
    missing = -d % WIDTH
    given = [(p, reverse)
             for p, reverse in ((forward, False), (backward, True))
             if p is not None]
    weights = [t for p, _ in given for t in _float32_weights(p, missing)]
    x = xz.float()
    if missing:
        x = F.pad(x.unflatten(2, (2, d)), (0, missing)).flatten(2)
    reverses = tuple(reverse for _, reverse in given)
    if torch.is_grad_enabled() and any(t.requires_grad for t in (x, *weights)):
        y = _Mix.apply(reverses, x, *weights)
    else:
        y = _mix(reverses, x, tuple(weights), keep=False)[0]
    return y[..., :d].to(xz.dtype)


@functools.lru_cache(maxsize=None)
def _is_fast(dtype: torch.dtype) -> bool:
    """Tell whether torch's matrix products of a dtype are made for the CPU."""
    kind = {torch.bfloat16: 'bf16', torch.float16: 'fp16'}.get(dtype)
    if kind is None or not torch.backends.mkldnn.is_available():
        return True
    known = getattr(torch.ops.mkldnn, f'_is_mkldnn_{kind}_supported', None)
    return known is None or known()


def bidirectional_mixer(x: Tensor, in_weight: Tensor, out_weight: Tensor,
                        forward: Optional[ScanParams],
                        backward: Optional[ScanParams],
                        in_bias: Optional[Tensor], out_bias: Optional[Tensor],
                        backend: str) -> Tensor:
    """Compute ``ops.bidirectional_mixer``, with products by torch.

    A processor without a unit for half precision multiplies float32 instead:
    torch's products of bfloat16 take ten times as long there.
    """
    dtype = compute_dtype(x)
    if _is_fast(dtype):
        xz = F.linear(x, in_weight, in_bias)
        y = bidirectional_selective_scan(xz, forward, backward, backend)
        return F.linear(y, out_weight, out_bias)
    b, e = (None if t is None else t.float() for t in (in_bias, out_bias))
    with torch.autocast('cpu', enabled=False):
        xz = F.linear(x.float(), in_weight.float(), b)
        y = bidirectional_selective_scan(xz, forward, backward, backend)
        return F.linear(y, out_weight.float(), e).to(dtype)
