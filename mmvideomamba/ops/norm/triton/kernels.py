"""Kernels of the residual addition and RMSNorm, a single pass over memory."""
import triton
import triton.language as tl

from ...runtime.triton_launcher import cached_launch


@triton.jit
def _scale(
        draw_p,  # (samples, ), float32
        row,
        length,
        keep):
    """Return 1 / keep for a kept sample, else 0."""
    draw = tl.load(draw_p + row // length)
    return tl.where(draw + keep >= 1., 1. / keep, 0.)


@cached_launch
@triton.jit
def norm_fwd_kernel(
        x_p,  # (rows, c)
        residual_p,  # (rows, c)
        weight_p,  # (c, )
        y_p,  # (rows, c)
        stream_p,  # (rows, c), float32
        rstd_p,  # (rows, ), float32
        draw_p,  # (samples, ), float32, if HAS_DRAW
        c,
        length,
        eps,
        keep,
        BC: tl.constexpr,
        HAS_RESIDUAL: tl.constexpr,
        HAS_DRAW: tl.constexpr):
    """Add and normalise a row of c channels."""
    row = tl.program_id(0).to(tl.int64)
    col = tl.arange(0, BC)
    ok = col < c
    at = row * c + col
    x = tl.load(x_p + at, mask=ok, other=0.).to(tl.float32)
    if HAS_DRAW:
        x *= _scale(draw_p, row, length, keep)
    if HAS_RESIDUAL:
        x += tl.load(residual_p + at, mask=ok, other=0.).to(tl.float32)
    rstd = 1. / tl.sqrt(tl.sum(x * x, axis=0) / c + eps)
    weight = tl.load(weight_p + col, mask=ok, other=0.).to(tl.float32)
    tl.store(stream_p + at, x, mask=ok)
    tl.store(y_p + at, (x * rstd * weight).to(y_p.dtype.element_ty), mask=ok)
    tl.store(rstd_p + row, rstd)


@cached_launch
@triton.jit
def norm_bwd_kernel(
        dy_p,  # (rows, c)
        dstream_p,  # (rows, c), float32, if HAS_DSTREAM
        stream_p,  # (rows, c), float32
        rstd_p,  # (rows, ), float32
        weight_p,  # (c, )
        draw_p,  # (samples, ), float32, if HAS_DRAW
        dx_p,  # (rows, c), float32, gradient of the stream
        low_p,  # (rows, c), gradient of the branch if HAS_LOW
        dweight_p,  # (programs, c), float32
        rows,
        c,
        length,
        keep,
        BC: tl.constexpr,
        ROWS: tl.constexpr,
        HAS_LOW: tl.constexpr,
        HAS_DSTREAM: tl.constexpr,
        HAS_DRAW: tl.constexpr):
    """Differentiate ROWS rows; sum the weight gradient over the rows."""
    col = tl.arange(0, BC)
    ok = col < c
    weight = tl.load(weight_p + col, mask=ok, other=0.).to(tl.float32)
    dweight = tl.zeros([BC], tl.float32)
    first = tl.program_id(0).to(tl.int64) * ROWS
    for row in range(first, tl.minimum(first + ROWS, rows)):
        at = row * c + col
        dy = tl.load(dy_p + at, mask=ok, other=0.).to(tl.float32)
        x = tl.load(stream_p + at, mask=ok, other=0.)
        rstd = tl.load(rstd_p + row)
        x *= rstd
        dweight += dy * x
        dy *= weight
        dx = (dy - x * (tl.sum(dy * x, axis=0) / c)) * rstd
        if HAS_DSTREAM:
            dx += tl.load(dstream_p + at, mask=ok, other=0.)
        tl.store(dx_p + at, dx, mask=ok)
        if HAS_DRAW:
            dx *= _scale(draw_p, row, length, keep)
        if HAS_LOW:
            tl.store(low_p + at, dx.to(low_p.dtype.element_ty), mask=ok)
    tl.store(dweight_p + tl.program_id(0) * c + col, dweight, mask=ok)
