"""The k-th operation of each clip, on all frames of all clips."""
import triton
import triton.language as tl

from ...runtime.triton_launcher import cached_launch
from ..draws import OPERATIONS
from ..plan import STEP_REAL, STEP_WHOLE
from .tables import blend, grey_of

_COLOR = tl.constexpr(OPERATIONS.index('Color'))
_SHARPNESS = tl.constexpr(OPERATIONS.index('Sharpness'))
_WHOLE = tl.constexpr(STEP_WHOLE)
_REAL = tl.constexpr(STEP_REAL)


@triton.jit
def _value(source_p, at, ok):
    return tl.load(source_p + at, mask=ok, other=0).to(tl.int32)


@triton.jit
def _color(source_p, pixel, channel, ok, share):
    """Blend with the pixel's own grey level."""
    red = _value(source_p, pixel * 3, ok)
    green = _value(source_p, pixel * 3 + 1, ok)
    blue = _value(source_p, pixel * 3 + 2, ok)
    own = tl.where(channel == 0, red, tl.where(channel == 1, green, blue))
    return blend(grey_of(red, green, blue), own, share)


@triton.jit
def _sharpness(source_p, x, y, channel, ok, height, width, share):
    """Blend with the smoothed frame, whose border is the frame's own."""
    at = (y * width + x) * 3 + channel
    own = _value(source_p, at, ok)
    inside = ok & (x > 0) & (y > 0) & (x < width - 1) & (y < height - 1)
    total = own * 4
    for i in tl.static_range(3):
        for j in tl.static_range(3):
            step = ((i - 1) * width + j - 1) * 3
            total += _value(source_p, at + step, inside)
    smooth = tl.where(inside, (2 * total + 13) // 26, own)
    return blend(smooth, own, share)


@triton.jit
def _cubic(a, b, c, d, t):
    """Interpolate between b and c by PIL's cubic, summed in PIL's order."""
    square = 2. * (a - b) + c - d
    return b + t * (c - a + t * (square + t * (b - a - c + d)))


@triton.jit
def _cubic_row(row_p, a, b, c, d, ok, t):
    """Interpolate a row between four neighbours, given by offsets."""
    return _cubic(
        _value(row_p, a, ok).to(tl.float32),
        _value(row_p, b, ok).to(tl.float32),
        _value(row_p, c, ok).to(tl.float32),
        _value(row_p, d, ok).to(tl.float32), t)


@triton.jit
def _affine(source_p, matrix_p, x, y, channel, ok, height, width, fill):
    """Fetch each pixel of the result from the affine source position.

    Positions are float64 as in PIL, so that the same positions count as
    outside.
    """
    px, py = x.to(tl.float64) + 0.5, y.to(tl.float64) + 0.5
    sx = (
        tl.load(matrix_p) * px + tl.load(matrix_p + 1) * py +
        tl.load(matrix_p + 2))
    sy = (
        tl.load(matrix_p + 3) * px + tl.load(matrix_p + 4) * py +
        tl.load(matrix_p + 5))
    ok = ok & (sx >= 0.) & (sy >= 0.) & (sx < width) & (sy < height)
    # Places far outside would not fit an integer.
    sx = tl.where(ok, sx, 0.5) - 0.5
    sy = tl.where(ok, sy, 0.5) - 0.5
    left, top = tl.floor(sx), tl.floor(sy)
    tx, ty = (sx - left).to(tl.float32), (sy - top).to(tl.float32)
    ix, iy, step = left.to(tl.int32), top.to(tl.int32), 3 * width
    # Neighbours beyond the frame repeat the frame's border.
    x0 = tl.maximum(ix - 1, 0) * 3 + channel
    x1 = tl.maximum(ix, 0) * 3 + channel
    x2 = tl.minimum(ix + 1, width - 1) * 3 + channel
    x3 = tl.minimum(ix + 2, width - 1) * 3 + channel
    row0_p = source_p + tl.maximum(iy - 1, 0) * step
    row1_p = source_p + tl.maximum(iy, 0) * step
    row2_p = source_p + tl.minimum(iy + 1, height - 1) * step
    row3_p = source_p + tl.minimum(iy + 2, height - 1) * step
    a = _cubic_row(row0_p, x0, x1, x2, x3, ok, tx)
    b = _cubic_row(row1_p, x0, x1, x2, x3, ok, tx)
    c = _cubic_row(row2_p, x0, x1, x2, x3, ok, tx)
    d = _cubic_row(row3_p, x0, x1, x2, x3, ok, tx)
    mixed = tl.minimum(tl.maximum(_cubic(a, b, c, d, ty), 0.), 255.)
    return tl.where(ok, mixed.to(tl.int32), fill)


@cached_launch
@triton.jit(do_not_specialize=('first', 'frames', 'tables'))
def apply_kernel(
        whole_p,  # (rows, _WHOLE), int64
        real_p,  # (rows, _REAL), float64
        tables_p,  # (tables, frames, 3, 256), uint8
        first,
        frames,
        tables,
        BLOCK: tl.constexpr):
    """Write BLOCK bytes of a frame after a clip's operation.

    Colours stand next to each other in a pixel; a thread writes a byte.
    """
    frame, clip = tl.program_id(1).to(tl.int64), tl.program_id(2)
    row_p = whole_p + (first + clip) * _WHOLE
    real_p += (first + clip) * _REAL
    height = tl.load(row_p + 2).to(tl.int32)
    width = tl.load(row_p + 3).to(tl.int32)
    code = tl.load(row_p + 4).to(tl.int32)
    share = tl.load(real_p).to(tl.float32)
    size = height * width * 3
    origin = frame * size.to(tl.int64)
    source_p = tl.load(row_p).to(tl.pointer_type(tl.uint8)) + origin
    target_p = tl.load(row_p + 1).to(tl.pointer_type(tl.uint8)) + origin
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    ok = at < size
    pixel, channel = at // 3, at % 3
    x, y = pixel % width, pixel // width
    if clip < tables:
        value = _value(source_p, at, ok)
        tables_p += (clip * frames + frame) * 768
        out = _value(tables_p, channel * 256 + value, ok)
    elif code == _COLOR:
        out = _color(source_p, pixel, channel, ok, share)
    elif code == _SHARPNESS:
        out = _sharpness(source_p, x, y, channel, ok, height, width, share)
    else:
        fill = tl.load(row_p + 5 + channel).to(tl.int32)
        out = _affine(source_p, real_p + 1, x, y, channel, ok, height, width,
                      fill)
    tl.store(target_p + at, out.to(tl.uint8), mask=ok)
