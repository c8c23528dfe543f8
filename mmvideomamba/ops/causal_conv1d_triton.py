"""Depthwise causal convolution and SiLU in Triton, several directions."""
from typing import List, Optional, Tuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from .backends import GRID_LIMIT, ceil_div, on_nvidia
from .launch_triton import launched
from .scan_tiles_triton import sigmoid

# Channels of a program, a single warp; tokens it handles in straight code.
TILE_D = 64
RUN = 8
# In the backward pass, whose neighbours cost more; and how many runs a program
# has, which sums their weight gradients.
BACKWARD_TILE_D = 32
BACKWARD_RUN = 12
RUNS = 6
# Numbers of a sequence from which on places in it take 64 bits.
FAR = 2**31


@triton.jit
def _rows(x_p, t0, l, stride, in_d, COUNT: tl.constexpr):
    """Load consecutive tokens, zeros outside the sequence."""
    # A block, because the interpreter mistypes `block & scalar`.
    t = tl.zeros([1], tl.int32) + t0
    rows = ()
    for i in tl.static_range(COUNT):
        ok = in_d & (t + i >= 0) & (t + i < l)
        rows = rows + (tl.load(x_p + (t + i) * stride, mask=ok, other=0.), )
    return rows


@triton.jit
def _taps(w_p, bias_p, at, d, in_d, TAPS: tl.constexpr):
    """Load a direction's weights and bias, float32 each."""
    taps = ()
    for j in tl.static_range(TAPS):
        w = tl.load(w_p + at * TAPS + j, mask=in_d, other=0.)
        taps = taps + (w.to(tl.float32), )
    return taps, tl.load(bias_p + at, mask=in_d, other=0.)


@triton.jit
def _convolve(rows, taps, acc, FIRST: tl.constexpr, BACK: tl.constexpr,
              TAPS: tl.constexpr):
    """Add the products of the taps and of TAPS rows from FIRST on."""
    for j in tl.static_range(TAPS):
        x = rows[FIRST + (TAPS - 1 - j if BACK else j)]
        acc += taps[j] * x.to(tl.float32)
    return acc


@triton.jit
def _convolve_run(rows, taps, bias, y_p, t0, l, d, in_d, BACK: tl.constexpr,
                  TAPS: tl.constexpr, SILU: tl.constexpr, RUN: tl.constexpr,
                  ASM: tl.constexpr):
    """Convolve RUN tokens in one direction and store them."""
    t = tl.zeros([1], tl.int32) + t0
    for i in tl.static_range(RUN):
        # The other direction's window begins at the token itself.
        y = _convolve(rows, taps, bias, BACK * (TAPS - 1) + i, BACK, TAPS)
        if SILU:
            y *= sigmoid(y, ASM)
        tl.store(
            y_p + (t + i) * d,
            y.to(y_p.dtype.element_ty),
            mask=in_d & (t + i < l))


@launched
@triton.jit(do_not_specialize=('b0', 'b', 'l'))
def _conv_fwd_kernel(
        x_p,  # (b, l, >= d), token stride given
        w_p,  # (k, d, taps)
        bias_p,  # (k, d)
        y_p,  # (k, b, l, d)
        b0,
        b,
        l,
        d,
        stride,
        REVERSED: tl.constexpr,
        K: tl.constexpr,
        TAPS: tl.constexpr,
        SILU: tl.constexpr,
        RUN: tl.constexpr,
        TD: tl.constexpr,
        WIDE: tl.constexpr,
        ASM: tl.constexpr):
    """Convolve RUN tokens in every direction."""
    bi = b0 + tl.program_id(2).to(tl.int64)
    t0 = tl.program_id(1) * RUN
    if WIDE:
        t0 = t0.to(tl.int64)
    c = tl.program_id(0) * TD + tl.arange(0, TD)
    in_d = c < d
    rows = _rows(x_p + bi * l * stride + c, t0 - (TAPS - 1), l, stride, in_d,
                 RUN + 2 * (TAPS - 1))
    for k in tl.static_range(K):
        taps, bias = _taps(w_p, bias_p, k * d + c, d, in_d, TAPS)
        _convolve_run(rows, taps, bias, y_p + (k * b + bi) * l * d + c, t0, l,
                      d, in_d, (REVERSED >> k) & 1, TAPS, SILU, RUN, ASM)


@triton.jit
def _own_rows(rows, dpre, taps, dxs, sums, k: tl.constexpr, BACK: tl.constexpr,
              TAPS: tl.constexpr, RUN: tl.constexpr):
    """Add a direction's share of the input and weight gradients."""
    H: tl.constexpr = TAPS - 1
    more, new = (), ()
    for i in tl.static_range(RUN):
        dx = dxs[i]
        for j in tl.static_range(TAPS):
            dx += taps[j] * dpre[i + (j if BACK else H - j)]
        more = more + (dx, )
    for j in tl.static_range(TAPS):
        acc = sums[k * (TAPS + 1) + j]
        for i in tl.static_range(RUN):
            x = rows[i + BACK * H + (H - j if BACK else j)].to(tl.float32)
            acc += dpre[i + BACK * H] * x
        new = new + (acc, )
    acc = sums[k * (TAPS + 1) + TAPS]
    for i in tl.static_range(RUN):
        acc += dpre[i + BACK * H]
    return more, new + (acc, )


@triton.jit
def _before_activation(rows, gs, taps, bias, BACK: tl.constexpr,
                       TAPS: tl.constexpr, SILU: tl.constexpr,
                       COUNT: tl.constexpr, ASM: tl.constexpr):
    """Turn gradients of outputs into those before the activation."""
    dpre = ()
    for m in tl.static_range(COUNT):
        g = gs[m].to(tl.float32)
        if SILU:
            y = _convolve(rows, taps, bias, m, BACK, TAPS)
            gate = sigmoid(y, ASM)
            g *= gate * (1. + y * (1. - gate))
        dpre = dpre + (g, )
    return dpre


@launched
@triton.jit(do_not_specialize=('b0', 'b', 'l'))
def _conv_bwd_kernel(
        x_p,  # (b, l, >= d), token stride given
        w_p,  # (k, d, taps)
        bias_p,  # (k, d)
        dy_p,  # (k, b, l, d)
        dx_p,  # (b, l, >= d), token stride given
        dw_p,  # (programs, k, taps + 1, d), the bias last
        b0,
        b,
        l,
        d,
        stride,
        dx_stride,
        REVERSED: tl.constexpr,
        K: tl.constexpr,
        TAPS: tl.constexpr,
        SILU: tl.constexpr,
        RUN: tl.constexpr,
        RUNS: tl.constexpr,
        TD: tl.constexpr,
        WIDE: tl.constexpr,
        ASM: tl.constexpr):
    """Differentiate RUNS times RUN tokens, all directions in one pass.

    What lies before the activation is computed again, also for the TAPS - 1
    tokens next to a run which its input reached.
    """
    H: tl.constexpr = TAPS - 1
    bi = b0 + tl.program_id(2).to(tl.int64)
    c = tl.program_id(0) * TD + tl.arange(0, TD)
    in_d = c < d
    x_p += bi * l * stride + c
    dx_p += bi * l * dx_stride + c
    none = tl.zeros([TD], tl.float32)
    sums = ()
    for i in tl.static_range(K * (TAPS + 1)):
        sums = sums + (none, )
    for run in range(RUNS):
        t0 = (tl.program_id(1) * RUNS + run) * RUN
        if WIDE:
            t0 = t0.to(tl.int64)
        t = tl.zeros([1], tl.int32) + t0
        rows = _rows(x_p, t0 - H, l, stride, in_d, RUN + 2 * H)
        dxs = ()
        for i in tl.static_range(RUN):
            dxs = dxs + (none, )
        new = ()
        for k in tl.static_range(K):
            taps, bias = _taps(w_p, bias_p, k * d + c, d, in_d, TAPS)
            # Outputs that these inputs reach: H more tokens at one end.
            gs = _rows(dy_p + (k * b + bi) * l * d + c,
                       t0 - ((REVERSED >> k) & 1) * H, l, d, in_d, RUN + H)
            dpre = _before_activation(rows, gs, taps, bias,
                                      (REVERSED >> k) & 1, TAPS, SILU, RUN + H,
                                      ASM)
            dxs, own = _own_rows(rows, dpre, taps, dxs, sums, k,
                                 (REVERSED >> k) & 1, TAPS, RUN)
            new = new + own
        sums = new
        for i in tl.static_range(RUN):
            tl.store(
                dx_p + (t + i) * dx_stride,
                dxs[i].to(dx_p.dtype.element_ty),
                mask=in_d & (t + i < l))
    part = bi * tl.num_programs(1) + tl.program_id(1)
    for i in tl.static_range(K * (TAPS + 1)):
        at = (part * K * (TAPS + 1) + i) * d + c
        tl.store(dw_p + at, sums[i], mask=in_d)


def _token_stride(x: Tensor) -> int:
    """Return how far apart the tokens of all samples (b, l, d) are."""
    # The stride of an axis of length one means nothing.
    return x.stride(1) if x.shape[1] > 1 else x.stride(0)


def _run(l: int, run: int) -> int:
    """Lengthen runs until a grid holds all of a sequence."""
    while ceil_div(l, run) > GRID_LIMIT:
        run *= 2
    return run


def conv_forward(x: Tensor, weight: Tensor, bias: Tensor, reversed_: int,
                 silu: bool) -> Tensor:
    """Convolve in k directions in one launch.

    Args:
        x (Tensor): Shape (b, l, d); tokens may be strided, channels not.
        weight (Tensor): Shape (k, d, taps), contiguous.
        bias (Tensor): Shape (k, d), contiguous.
        reversed_ (int): Bit i is set if direction i looks at later tokens.
        silu (bool): Apply SiLU.

    Returns:
        Tensor: Shape (k, b, l, d), dtype of ``x``.
    """
    b, l, d = x.shape
    k, _, taps = weight.shape
    y = x.new_empty(k, b, l, d)
    if y.numel():
        stride, run = _token_stride(x), _run(l, RUN)
        for b0 in range(0, b, GRID_LIMIT):
            count = min(GRID_LIMIT, b - b0)
            grid = ceil_div(d, TILE_D), ceil_div(l, run), count
            _conv_fwd_kernel[grid](
                x,
                weight,
                bias,
                y,
                b0,
                b,
                l,
                d,
                stride,
                REVERSED=reversed_,
                K=k,
                TAPS=taps,
                SILU=silu,
                RUN=run,
                TD=TILE_D,
                WIDE=l * max(stride, d) > FAR,
                ASM=on_nvidia(),
                num_warps=1)
    return y


def conv_backward(x: Tensor, weight: Tensor, bias: Tensor, dy: Tensor,
                  dx: Tensor, reversed_: int,
                  silu: bool) -> Tuple[Tensor, Tensor]:
    """Differentiate ``conv_forward``.

    Args:
        x, weight, bias, reversed_, silu: As given to ``conv_forward``.
        dy (Tensor): Output gradient, shape (k, b, l, d), contiguous.
        dx (Tensor): Takes the input gradient, shape (b, l, d); tokens may be
            strided, channels not.

    Returns:
        tuple: Gradients of the weight (k, d, taps) and bias (k, d), float32.
    """
    b, l, d = x.shape
    k, _, taps = weight.shape
    runs = _run(l, BACKWARD_RUN * RUNS) // BACKWARD_RUN
    each = ceil_div(l, BACKWARD_RUN * runs)
    stride, dx_stride = _token_stride(x), _token_stride(dx)
    dw = weight.new_empty(b * each, k, taps + 1, d, dtype=torch.float32)
    for b0 in range(0, b if dy.numel() else 0, GRID_LIMIT):
        count = min(GRID_LIMIT, b - b0)
        _conv_bwd_kernel[ceil_div(d, BACKWARD_TILE_D), each, count](
            x,
            weight,
            bias,
            dy,
            dx,
            dw,
            b0,
            b,
            l,
            d,
            stride,
            dx_stride,
            REVERSED=reversed_,
            K=k,
            TAPS=taps,
            SILU=silu,
            RUN=BACKWARD_RUN,
            RUNS=runs,
            TD=BACKWARD_TILE_D,
            WIDE=l * max(stride, dx_stride, d) > FAR,
            ASM=on_nvidia(),
            num_warps=1)
    dw = dw.sum(0)
    return dw[:, :taps].transpose(1, 2), dw[:, taps]


@torch.library.custom_op('mmvideomamba::causal_conv1d', mutates_args=())
def _conv(x: Tensor, weight: Tensor, bias: Tensor, reversed_: int,
          silu: bool) -> Tensor:
    return conv_forward(x, weight, bias, reversed_, silu)[0]


@_conv.register_fake
def _(x: Tensor, weight: Tensor, bias: Tensor, reversed_: int,
      silu: bool) -> Tensor:
    return x.new_empty(x.shape)


@torch.library.custom_op(
    'mmvideomamba::causal_conv1d_backward', mutates_args=())
def _conv_backward(x: Tensor, weight: Tensor, bias: Tensor, dy: Tensor,
                   reversed_: int, silu: bool) -> List[Tensor]:
    dx = x.new_empty(x.shape)
    grads = conv_backward(x, weight, bias,
                          dy.contiguous().unsqueeze(0), dx, reversed_, silu)
    # Copies, since they share memory, which an op's outputs must not.
    whole = torch.contiguous_format
    return [
        dx,
        *(g.to(weight.dtype, copy=True, memory_format=whole) for g in grads)
    ]


@_conv_backward.register_fake
def _(x: Tensor, weight: Tensor, bias: Tensor, dy: Tensor, reversed_: int,
      silu: bool) -> List[Tensor]:
    return [
        x.new_empty(x.shape),
        weight.new_empty(weight.shape),
        bias.new_empty(bias.shape)
    ]


def _setup(ctx, inputs: tuple, output: Tensor) -> None:
    *tensors, ctx.reversed_, ctx.silu = inputs
    ctx.save_for_backward(*tensors)


def _backward(ctx, dy: Tensor) -> Tuple[Optional[Tensor], ...]:
    grads = _conv_backward(*ctx.saved_tensors, dy, ctx.reversed_, ctx.silu)
    return (*grads, None, None)


_conv.register_autograd(_backward, setup_context=_setup)


def causal_conv1d(x: Tensor, weight: Tensor, bias: Optional[Tensor],
                  activation: Optional[str], reverse: bool) -> Tensor:
    """Compute the op on a GPU; see ``ops.causal_conv1d`` for the shapes."""
    weight = weight.float().contiguous().unsqueeze(0)
    if bias is None:
        bias = weight.new_zeros(weight.shape[1])
    if x.stride(2) != 1 or x.stride(0) != x.shape[1] * _token_stride(x):
        x = x.contiguous()
    return _conv(x, weight,
                 bias.float().contiguous().unsqueeze(0), int(reverse),
                 activation == 'silu')
