"""Kernels of the residual addition and RMSNorm, a single pass over memory."""
import triton
import triton.language as tl

from ...runtime.triton_launcher import cached_launch


@cached_launch
@triton.jit
def norm_fwd_kernel(
        x_p,  # (rows, c)
        residual_p,  # (rows, c)
        weight_p,  # (c, )
        y_p,  # (rows, c)
        stream_p,  # (rows, c), float32
        rstd_p,  # (rows, ), float32
        c,
        eps,
        BC: tl.constexpr,
        HAS_RESIDUAL: tl.constexpr):
    """Add and normalise a row of c channels."""
    row = tl.program_id(0).to(tl.int64)
    col = tl.arange(0, BC)
    ok = col < c
    at = row * c + col
    x = tl.load(x_p + at, mask=ok, other=0.).to(tl.float32)
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
        dstream_p,  # (rows, c), float32
        stream_p,  # (rows, c), float32
        rstd_p,  # (rows, ), float32
        weight_p,  # (c, )
        dx_p,  # (rows, c), float32
        low_p,  # (rows, c), dx in another dtype if HAS_LOW
        dweight_p,  # (programs, c), float32
        rows,
        c,
        BC: tl.constexpr,
        ROWS: tl.constexpr,
        HAS_LOW: tl.constexpr):
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
        dx += tl.load(dstream_p + at, mask=ok, other=0.)
        tl.store(dx_p + at, dx, mask=ok)
        if HAS_LOW:
            tl.store(low_p + at, dx.to(low_p.dtype.element_ty), mask=ok)
    tl.store(dweight_p + tl.program_id(0) * c + col, dweight, mask=ok)
