"""Crop, resize, flip, noise and layout of all clips in a single kernel."""
import triton
import triton.language as tl

from ...runtime.triton_launcher import cached_launch
from ..draws import INTERPOLATIONS
from ..plan import CROP_REAL, CROP_WHOLE

_BICUBIC = tl.constexpr(INTERPOLATIONS.index('bicubic'))
_WHOLE = tl.constexpr(CROP_WHOLE)
_REAL = tl.constexpr(CROP_REAL)


@triton.jit
def _place(at, inside, outside):
    """Return the pixel left of a place in the box, and the rest."""
    scale = inside.to(tl.float64) / outside
    place = ((at.to(tl.float64) + 0.5) * scale - 0.5).to(tl.float32)
    left = tl.floor(place)
    return left.to(tl.int32), place - left


@triton.jit
def _line(at, first, size, step):
    """Return the offset of a row or column of the box, whose border goes on.
    """
    return (first + tl.minimum(tl.maximum(at, 0), size - 1)) * step


@triton.jit
def _weighted(row_p, a, b, c, d, t, ok):
    """Interpolate between b and c by OpenCV's cubic."""
    return (
        tl.load(row_p + a, mask=ok, other=0).to(tl.float32) * _far(1. + t) +
        tl.load(row_p + b, mask=ok, other=0).to(tl.float32) * _near(t) +
        tl.load(row_p + c, mask=ok, other=0).to(tl.float32) * _near(1. - t) +
        tl.load(row_p + d, mask=ok, other=0).to(tl.float32) * _far(2. - t))


@triton.jit
def _near(d):
    """Weigh a pixel at distance 0 to 1 by OpenCV's cubic, a = -0.75."""
    return (1.25 * d - 2.25) * d * d + 1.


@triton.jit
def _far(d):
    """Weigh a pixel at distance 1 to 2."""
    return ((-0.75 * d + 3.75) * d - 6.) * d + 3.


@triton.jit
def _mean(row_p, a, b, t, ok):
    one = tl.load(row_p + a, mask=ok, other=0).to(tl.float32)
    return one + t * (tl.load(row_p + b, mask=ok, other=0) - one)


@triton.jit
def _whole_mean(row_p, a, b, share, ok):
    """Weigh with whole 2048ths, and drop four bits as OpenCV does."""
    one = tl.load(row_p + a, mask=ok, other=0).to(tl.int32)
    other = tl.load(row_p + b, mask=ok, other=0).to(tl.int32)
    return (one * 2048 + share * (other - one)) >> 4


@triton.jit
def _whole_bilinear(above, below, share):
    """Interpolate with OpenCV's cut-off bits of uint8 images.

    Without the cuts a value of eight would be a grey level higher.
    """
    total = (((2048 - share) * above) >> 16) + ((share * below) >> 16)
    return ((total + 2) >> 2).to(tl.float32)


@triton.jit
def _share(t):
    return tl.floor(t * 2048. + 0.5).to(tl.int32)


@cached_launch
@triton.jit(do_not_specialize=('frames', 'out_height', 'out_width'))
def crop_kernel(
        whole_p,  # (clips, _WHOLE), int64
        real_p,  # (clips, _REAL), float64
        out_p,  # (clips, 3, frames, out_height, out_width), float32
        frames,
        out_height,
        out_width,
        BLOCK: tl.constexpr):
    """Write BLOCK pixels of a frame, in all three colours."""
    frame, clip = tl.program_id(1), tl.program_id(2).to(tl.int64)
    row_p = whole_p + clip * _WHOLE
    real_p += clip * _REAL
    height = tl.load(row_p + 1).to(tl.int32)
    width = tl.load(row_p + 2).to(tl.int32)
    left = tl.load(row_p + 3).to(tl.int32)
    top = tl.load(row_p + 4).to(tl.int32)
    box_width = tl.load(row_p + 5).to(tl.int32)
    box_height = tl.load(row_p + 6).to(tl.int32)
    flip = tl.load(row_p + 7)
    rounded = tl.load(row_p + 8)
    interpolation = tl.load(row_p + 9)
    seed = tl.load(row_p + 10)
    erase_top = tl.load(row_p + 11).to(tl.int32)
    erase_left = tl.load(row_p + 12).to(tl.int32)
    erase_height = tl.load(row_p + 13).to(tl.int32)
    erase_width = tl.load(row_p + 14).to(tl.int32)
    area = out_height * out_width
    at = tl.program_id(0) * BLOCK + tl.arange(0, BLOCK)
    ok = at < area
    x, y = at % out_width, at // out_width
    erased = ((x >= erase_left) & (x < erase_left + erase_width)
              & (y >= erase_top) & (y < erase_top + erase_height) & ok)
    any_erased = tl.max(erased.to(tl.int32), axis=0)
    source_p = tl.load(row_p).to(tl.pointer_type(tl.uint8))
    source_p += frame.to(tl.int64) * (height * width * 3)
    ix, tx = _place(
        tl.where(flip != 0, out_width - 1 - x, x), box_width, out_width)
    iy, ty = _place(y, box_height, out_height)
    left1 = _line(ix, left, box_width, 3)
    left2 = _line(ix + 1, left, box_width, 3)
    row1 = _line(iy, top, box_height, 3 * width)
    row2 = _line(iy + 1, top, box_height, 3 * width)
    for channel in range(3):
        plane_p = source_p + channel
        if interpolation == _BICUBIC:
            left0 = _line(ix - 1, left, box_width, 3)
            left3 = _line(ix + 2, left, box_width, 3)
            row0 = _line(iy - 1, top, box_height, 3 * width)
            row3 = _line(iy + 2, top, box_height, 3 * width)
            value = _far(1. + ty) * _weighted(plane_p + row0, left0, left1,
                                              left2, left3, tx, ok)
            value += _near(ty) * _weighted(plane_p + row1, left0, left1, left2,
                                           left3, tx, ok)
            value += _near(1. - ty) * _weighted(plane_p + row2, left0, left1,
                                                left2, left3, tx, ok)
            value += _far(2. - ty) * _weighted(plane_p + row3, left0, left1,
                                               left2, left3, tx, ok)
        elif rounded != 0:
            share = _share(tx)
            value = _whole_bilinear(
                _whole_mean(plane_p + row1, left1, left2, share, ok),
                _whole_mean(plane_p + row2, left1, left2, share, ok),
                _share(ty))
        else:
            value = _mean(plane_p + row1, left1, left2, tx, ok)
            below = _mean(plane_p + row2, left1, left2, tx, ok)
            value += ty * (below - value)
        whole = tl.minimum(tl.maximum(tl.floor(value + 0.5), 0.), 255.)
        value = tl.where(rounded != 0, whole, value)
        plane = channel * frames + frame
        if any_erased != 0:
            mean = tl.load(real_p + channel).to(tl.float32)
            std = tl.load(real_p + 3 + channel).to(tl.float32)
            # A place in the clip: the same noise wherever the clip stands.
            noise = tl.randn(seed, plane * area + at)
            value = tl.where(erased, noise * std + mean, value)
        tl.store(
            out_p + (clip * 3 * frames + plane) * area + at, value, mask=ok)
