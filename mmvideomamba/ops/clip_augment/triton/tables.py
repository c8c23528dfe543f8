"""Operations on single values: statistics of frames, and lookup tables."""
import triton
import triton.language as tl

from ...runtime.triton_launcher import cached_launch
from ..draws import OPERATIONS
from ..plan import STEP_REAL, STEP_WHOLE

_AUTO_CONTRAST = tl.constexpr(OPERATIONS.index('AutoContrast'))
_EQUALIZE = tl.constexpr(OPERATIONS.index('Equalize'))
_INVERT = tl.constexpr(OPERATIONS.index('Invert'))
_POSTERIZE = tl.constexpr(OPERATIONS.index('Posterize'))
_SOLARIZE = tl.constexpr(OPERATIONS.index('Solarize'))
_SOLARIZE_ADD = tl.constexpr(OPERATIONS.index('SolarizeAdd'))
_CONTRAST = tl.constexpr(OPERATIONS.index('Contrast'))
_WHOLE = tl.constexpr(STEP_WHOLE)
_REAL = tl.constexpr(STEP_REAL)
# Parts of a frame; a program counts the pixels of a part.
PARTS = 8


@triton.jit
def grey_of(red, green, blue):
    """Return PIL's grey level of a colour, int32."""
    return (red * 19595 + green * 38470 + blue * 7471 + 32768) >> 16


@triton.jit
def blend(one, other, share):
    """Return PIL's blend of two int32 values, cut off as PIL does."""
    mixed = one.to(tl.float32) + share * (other - one).to(tl.float32)
    return tl.minimum(tl.maximum(mixed, 0.), 255.).to(tl.int32)


@triton.jit
def _count(values, outside, BINS: tl.constexpr):
    """Count int32 values, without ``outside`` zeros from masked loads."""
    bins = tl.arange(0, BINS)
    return tl.histogram(values, BINS) - tl.where(bins == 0, outside, 0)


@cached_launch
@triton.jit(do_not_specialize=('first', 'frames'))
def statistics_kernel(
        whole_p,  # (rows, _WHOLE), int64
        counts_p,  # (clips, frames, 3, PARTS, 256), int32
        first,
        frames,
        PARTS: tl.constexpr,
        BLOCK: tl.constexpr):
    """Count the values of each channel in a part of a frame.

    For Contrast, the first channel's place holds the counts of grey levels.
    """
    part, frame = tl.program_id(0), tl.program_id(1).to(tl.int64)
    clip = tl.program_id(2).to(tl.int64)
    row_p = whole_p + (first + clip) * _WHOLE
    height = tl.load(row_p + 2).to(tl.int32)
    width = tl.load(row_p + 3).to(tl.int32)
    code = tl.load(row_p + 4).to(tl.int32)
    pixels = height * width
    source_p = tl.load(row_p).to(tl.pointer_type(tl.uint8))
    source_p += frame * (pixels.to(tl.int64) * 3)
    each = (pixels + PARTS - 1) // PARTS
    begin = part * each
    end = tl.minimum(begin + each, pixels)
    bins = tl.arange(0, 256)
    red_counts = tl.zeros([256], tl.int32)
    green_counts = tl.zeros([256], tl.int32)
    blue_counts = tl.zeros([256], tl.int32)
    for start in range(begin, end, BLOCK):
        pixel = start + tl.arange(0, BLOCK)
        ok = pixel < end
        at = source_p + pixel * 3
        red = tl.load(at, mask=ok, other=0).to(tl.int32)
        green = tl.load(at + 1, mask=ok, other=0).to(tl.int32)
        blue = tl.load(at + 2, mask=ok, other=0).to(tl.int32)
        red = tl.where(code == _CONTRAST, grey_of(red, green, blue), red)
        outside = tl.maximum(start + BLOCK - end, 0)
        red_counts += _count(red, outside, 256)
        green_counts += _count(green, outside, 256)
        blue_counts += _count(blue, outside, 256)
    out_p = counts_p + (clip * frames + frame) * (3 * PARTS * 256)
    out_p += part * 256 + bins
    tl.store(out_p, red_counts)
    tl.store(out_p + PARTS * 256, green_counts)
    tl.store(out_p + 2 * PARTS * 256, blue_counts)


@triton.jit
def _auto_contrast(counts, value):
    """Stretch the range from the lowest to the highest value to 0..255."""
    low = tl.min(tl.where(counts > 0, value, 255), axis=0)
    high = tl.max(tl.where(counts > 0, value, 0), axis=0)
    scale = 255. / tl.maximum(high - low, 1).to(tl.float64)
    offset = -low.to(tl.float64) * scale
    table = (value.to(tl.float64) * scale + offset).to(tl.int32)
    table = tl.minimum(tl.maximum(table, 0), 255)
    return tl.where(high > low, table, value)


@triton.jit
def _equalize(counts, value):
    """Spread the values to an even histogram."""
    last = tl.max(tl.where(counts > 0, value, 0), axis=0)
    total = tl.sum(counts, axis=0)
    step = (total - tl.sum(tl.where(value == last, counts, 0), axis=0)) // 255
    below = tl.cumsum(counts, axis=0) - counts
    table = (step // 2 + below) // tl.maximum(step, 1)
    return tl.where(step > 0, tl.minimum(table, 255), value)


@triton.jit
def _contrast(counts, value, share):
    """Blend with the mean grey level, rounded half up."""
    total = tl.sum(counts.to(tl.int64), axis=0)
    weighted = tl.sum(counts.to(tl.int64) * value, axis=0)
    mean = (2 * weighted + total) // tl.maximum(2 * total, 1)
    return blend(mean.to(tl.int32), value, share)


@triton.jit
def _fixed(code, strength, value):
    """Map values without a look at the frame."""
    number = strength.to(tl.int32)
    # Posterize keeps so many bits, Brightness blends with black.
    step = 1 << (8 - tl.minimum(tl.maximum(number, 0), 8))
    added = tl.minimum(value + number, 255)
    table = blend(value * 0, value, strength.to(tl.float32))
    table = tl.where(code == _INVERT, 255 - value, table)
    table = tl.where(code == _POSTERIZE, value // step * step, table)
    table = tl.where(code == _SOLARIZE,
                     tl.where(value < number, value, 255 - value), table)
    return tl.where(code == _SOLARIZE_ADD, tl.where(value < 128, added, value),
                    table)


@cached_launch
@triton.jit(do_not_specialize=('first', 'frames', 'statistics'))
def table_kernel(
        whole_p,  # (rows, _WHOLE), int64
        real_p,  # (rows, _REAL), float64
        counts_p,  # (statistics, frames, 3, PARTS, 256), int32
        tables_p,  # (clips, frames, 3, 256), uint8
        first,
        frames,
        statistics,
        PARTS: tl.constexpr):
    """Write the new value of each value of a frame's channel."""
    channel, frame = tl.program_id(0), tl.program_id(1)
    clip = tl.program_id(2).to(tl.int64)
    code = tl.load(whole_p + (first + clip) * _WHOLE + 4).to(tl.int32)
    strength = tl.load(real_p + (first + clip) * _REAL)
    value = tl.arange(0, 256)
    place = (clip * frames + frame) * 3
    source = tl.where(code == _CONTRAST, 0, channel)
    parts = tl.arange(0, PARTS)[:, None] * 256 + value[None, :]
    counts = tl.load(
        counts_p + (place + source) * (PARTS * 256) + parts,
        mask=(clip < statistics) & (parts >= 0),
        other=0)
    counts = tl.sum(counts, axis=0)
    if code == _AUTO_CONTRAST:
        table = _auto_contrast(counts, value)
    elif code == _EQUALIZE:
        table = _equalize(counts, value)
    elif code == _CONTRAST:
        table = _contrast(counts, value, strength.to(tl.float32))
    else:
        table = _fixed(code, strength, value)
    tl.store(tables_p + (place + channel) * 256 + value, table.to(tl.uint8))
