"""Kernels of the causal convolution and SiLU, several directions at once.

Shapes in the kernels: k directions, b samples, l tokens, d channels. A program
owns TD channels and, in straight code, BLOCK_L tokens of a sample, with the
neighbours within reach of the taps.
"""
import triton
import triton.language as tl

from ...runtime.triton_launcher import cached_launch
from ...runtime.triton_warp import sigmoid


@triton.jit
def _rows(x_p, t0, l, stride, in_d, COUNT: tl.constexpr):
    """Load COUNT consecutive tokens from t0 on, zeros outside."""
    # A block, because the interpreter mistypes `block & scalar`.
    t = tl.zeros([1], tl.int32) + t0
    rows = ()  # type: tuple
    for i in tl.static_range(COUNT):
        ok = in_d & (t + i >= 0) & (t + i < l)
        rows = rows + (tl.load(x_p + (t + i) * stride, mask=ok, other=0.), )
    return rows


@triton.jit
def _taps(w_p, bias_p, at, d, in_d, TAPS: tl.constexpr):
    """Load a direction's weights and bias, float32 each."""
    taps = ()  # type: tuple
    for j in tl.static_range(TAPS):
        w = tl.load(w_p + at * TAPS + j, mask=in_d, other=0.)
        taps = taps + (w.to(tl.float32), )
    return taps, tl.load(bias_p + at, mask=in_d, other=0.)


@triton.jit
def _convolve(rows, taps, acc, FIRST: tl.constexpr, REVERSE: tl.constexpr,
              TAPS: tl.constexpr):
    """Add the products of the taps and the rows from FIRST on to acc."""
    for j in tl.static_range(TAPS):
        x = rows[FIRST + (TAPS - 1 - j if REVERSE else j)]
        acc += taps[j] * x.to(tl.float32)
    return acc


@triton.jit
def _convolve_block(rows, taps, bias, y_p, t0, l, d, in_d,
                    REVERSE: tl.constexpr, TAPS: tl.constexpr,
                    SILU: tl.constexpr, BLOCK_L: tl.constexpr,
                    USE_PTX: tl.constexpr):
    """Convolve BLOCK_L tokens in a direction and store the results."""
    t = tl.zeros([1], tl.int32) + t0
    for i in tl.static_range(BLOCK_L):
        # A reverse direction's window begins at the token itself.
        y = _convolve(rows, taps, bias,
                      REVERSE * (TAPS - 1) + i, REVERSE, TAPS)
        if SILU:
            y *= sigmoid(y, USE_PTX)
        tl.store(
            y_p + (t + i) * d,
            y.to(y_p.dtype.element_ty),
            mask=in_d & (t + i < l))


@cached_launch
@triton.jit(do_not_specialize=('first_sample', 'b', 'l'))
def conv_fwd_kernel(
        x_p,  # (b, l, >= d), token stride given
        w_p,  # (k, d, taps)
        bias_p,  # (k, d)
        y_p,  # (k, b, l, d)
        first_sample,
        b,
        l,
        d,
        stride,
        REVERSE_BITS: tl.constexpr,
        K: tl.constexpr,
        TAPS: tl.constexpr,
        SILU: tl.constexpr,
        BLOCK_L: tl.constexpr,
        TD: tl.constexpr,
        WIDE: tl.constexpr,
        USE_PTX: tl.constexpr):
    """Convolve BLOCK_L tokens in every direction."""
    sample = first_sample + tl.program_id(2).to(tl.int64)
    t0 = tl.program_id(1) * BLOCK_L
    if WIDE:
        t0 = t0.to(tl.int64)
    c = tl.program_id(0) * TD + tl.arange(0, TD)
    in_d = c < d
    rows = _rows(x_p + sample * l * stride + c, t0 - (TAPS - 1), l, stride,
                 in_d, BLOCK_L + 2 * (TAPS - 1))
    for k in tl.static_range(K):
        taps, bias = _taps(w_p, bias_p, k * d + c, d, in_d, TAPS)
        _convolve_block(rows, taps, bias, y_p + (k * b + sample) * l * d + c,
                        t0, l, d, in_d, (REVERSE_BITS >> k) & 1, TAPS, SILU,
                        BLOCK_L, USE_PTX)


@triton.jit
def _accumulate_gradients(rows, dpre, taps, dxs, sums, k: tl.constexpr,
                          REVERSE: tl.constexpr, TAPS: tl.constexpr,
                          BLOCK_L: tl.constexpr):
    """Add a direction's share of the input and weight gradients."""
    H: tl.constexpr = TAPS - 1
    more, new = (), ()  # type: tuple, tuple
    for i in tl.static_range(BLOCK_L):
        dx = dxs[i]
        for j in tl.static_range(TAPS):
            dx += taps[j] * dpre[i + (j if REVERSE else H - j)]
        more = more + (dx, )
    for j in tl.static_range(TAPS):
        acc = sums[k * (TAPS + 1) + j]
        for i in tl.static_range(BLOCK_L):
            x = rows[i + REVERSE * H + (H - j if REVERSE else j)].to(
                tl.float32)
            acc += dpre[i + REVERSE * H] * x
        new = new + (acc, )
    acc = sums[k * (TAPS + 1) + TAPS]
    for i in tl.static_range(BLOCK_L):
        acc += dpre[i + REVERSE * H]
    return more, new + (acc, )


@triton.jit
def _before_activation(rows, gs, taps, bias, REVERSE: tl.constexpr,
                       TAPS: tl.constexpr, SILU: tl.constexpr,
                       COUNT: tl.constexpr, USE_PTX: tl.constexpr):
    """Turn gradients of outputs into gradients before the activation."""
    dpre = ()  # type: tuple
    for m in tl.static_range(COUNT):
        g = gs[m].to(tl.float32)
        if SILU:
            y = _convolve(rows, taps, bias, m, REVERSE, TAPS)
            gate = sigmoid(y, USE_PTX)
            g *= gate * (1. + y * (1. - gate))
        dpre = dpre + (g, )
    return dpre


@cached_launch
@triton.jit(do_not_specialize=('first_sample', 'b', 'l'))
def conv_bwd_kernel(
        x_p,  # (b, l, >= d), token stride given
        w_p,  # (k, d, taps)
        bias_p,  # (k, d)
        dy_p,  # (k, b, l, d)
        dx_p,  # (b, l, >= d), token stride given
        dw_p,  # (programs, k, taps + 1, d), the bias last
        first_sample,
        b,
        l,
        d,
        stride,
        dx_stride,
        REVERSE_BITS: tl.constexpr,
        K: tl.constexpr,
        TAPS: tl.constexpr,
        SILU: tl.constexpr,
        BLOCK_L: tl.constexpr,
        BLOCKS_L: tl.constexpr,
        TD: tl.constexpr,
        WIDE: tl.constexpr,
        USE_PTX: tl.constexpr):
    """Differentiate BLOCKS_L times BLOCK_L tokens, all directions at once.

    The values before the activation are recomputed, also for the TAPS - 1
    neighbouring tokens within reach of the block's inputs.
    """
    H: tl.constexpr = TAPS - 1
    sample = first_sample + tl.program_id(2).to(tl.int64)
    c = tl.program_id(0) * TD + tl.arange(0, TD)
    in_d = c < d
    x_p += sample * l * stride + c
    dx_p += sample * l * dx_stride + c
    none = tl.zeros([TD], tl.float32)
    sums = ()  # type: tuple
    for i in tl.static_range(K * (TAPS + 1)):
        sums = sums + (none, )
    for i_block in range(BLOCKS_L):
        t0 = (tl.program_id(1) * BLOCKS_L + i_block) * BLOCK_L
        if WIDE:
            t0 = t0.to(tl.int64)
        t = tl.zeros([1], tl.int32) + t0
        rows = _rows(x_p, t0 - H, l, stride, in_d, BLOCK_L + 2 * H)
        dxs = ()  # type: tuple
        for i in tl.static_range(BLOCK_L):
            dxs = dxs + (none, )
        new = ()  # type: tuple
        for k in tl.static_range(K):
            taps, bias = _taps(w_p, bias_p, k * d + c, d, in_d, TAPS)
            # The outputs within reach of the inputs: H more tokens.
            gs = _rows(dy_p + (k * b + sample) * l * d + c,
                       t0 - ((REVERSE_BITS >> k) & 1) * H, l, d, in_d,
                       BLOCK_L + H)
            dpre = _before_activation(rows, gs, taps, bias,
                                      (REVERSE_BITS >> k) & 1, TAPS, SILU,
                                      BLOCK_L + H, USE_PTX)
            dxs, new_sums = _accumulate_gradients(rows, dpre, taps, dxs, sums,
                                                  k, (REVERSE_BITS >> k) & 1,
                                                  TAPS, BLOCK_L)
            new = new + new_sums
        sums = new
        for i in tl.static_range(BLOCK_L):
            tl.store(
                dx_p + (t + i) * dx_stride,
                dxs[i].to(dx_p.dtype.element_ty),
                mask=in_d & (t + i < l))
    program = sample * tl.num_programs(1) + tl.program_id(1)
    for i in tl.static_range(K * (TAPS + 1)):
        at = (program * K * (TAPS + 1) + i) * d + c
        tl.store(dw_p + at, sums[i], mask=in_d)
