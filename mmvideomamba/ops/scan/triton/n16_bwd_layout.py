"""Layout of the backward kernel for 16 states: lane order and butterflies.

See n16_layout.py for the lanes of a tile. The backward kernel keeps a tile in
lane order (``swap_lane_order``): every lane ``8 ln + lc`` permutes its 4 x 4
numbers, so that entry 0 is the lane's own state ``4 ln + lc % 4`` or channel
``4 lc + ln``, and entry i belongs to the lane at a butterfly distance i. A
tensor with states only, or channels only, holds a single number per lane, and
butterfly shuffles of all lanes at once spread and sum those numbers.
"""
import triton
import triton.language as tl

from ...runtime.triton_warp import swap
from .n16_layout import CHANNELS

# Distance in memory between the channel entries j of a stored state: 8 x 4
# numbers of lanes lc and entries r.
ENTRY = tl.constexpr(32)


@triton.jit
def _gather_butterfly(x, STRIDE: tl.constexpr, USE_PTX: tl.constexpr):
    """Collect the numbers of four lanes at multiples of STRIDE.

    Entry ``[p, q]`` comes from lane ``lane_id ^ ((2 p + q) * STRIDE)``.
    """
    a, b = swap(x, STRIDE, USE_PTX), swap(x, 2 * STRIDE, USE_PTX)
    c = swap(x, 3 * STRIDE, USE_PTX)
    return tl.join(tl.join(x, b), tl.join(a, c))


@triton.jit
def _reduce_butterfly(x, STRIDE: tl.constexpr, USE_PTX: tl.constexpr):
    """Transpose of ``_gather_butterfly``: sum x (4, 8, 2, 2) to (4, 8)."""
    even, odd = tl.split(x)
    x, b = tl.split(even)
    a, c = tl.split(odd)
    x += swap(a, STRIDE, USE_PTX)
    return x + (swap(b, 2 * STRIDE, USE_PTX) + swap(c, 3 * STRIDE, USE_PTX))


@triton.jit
def spread_channels(x, USE_PTX: tl.constexpr):
    """Spread each lane's channel, (4, 8), over a tile: (1, 4, 32)."""
    return _gather_butterfly(x, 8, USE_PTX).reshape(1, 4, CHANNELS)


@triton.jit
def spread_states(x, USE_PTX: tl.constexpr):
    """Spread each lane's state, (4, 8), over a tile: (4, 4, 32)."""
    x = _gather_butterfly(x, 1, USE_PTX).permute(2, 3, 0, 1).reshape(4, 4, 8)
    x = tl.broadcast_to(x[:, :, :, None], [4, 4, 8, 4])
    return x.reshape(4, 4, CHANNELS)


@triton.jit
def sum_states(x, USE_PTX: tl.constexpr):
    """Sum a tile over states; each lane keeps the sum of its channel."""
    return _reduce_butterfly(tl.sum(x, axis=0).reshape(4, 8, 2, 2), 8, USE_PTX)


@triton.jit
def sum_channels(x, y, USE_PTX: tl.constexpr):
    """Sum two tiles over channels.

    Lane ``8 ln + lc`` keeps the sum of its state: of x if lc < 4, else of y.
    """
    x = tl.sum(x.reshape(4, 4, 8, 4), axis=3).reshape(2, 2, 4, 8)
    y = tl.sum(y.reshape(4, 4, 8, 4), axis=3).reshape(2, 2, 4, 8)
    x = _reduce_butterfly(x.permute(2, 3, 0, 1), 1, USE_PTX)
    y = _reduce_butterfly(y.permute(2, 3, 0, 1), 1, USE_PTX)
    upper = tl.arange(0, 8)[None, :] >= 4
    other = swap(tl.where(upper, x, y), 4, USE_PTX)
    return tl.where(upper, y, x) + other


@triton.jit
def _exchange(x, ok):
    """Exchange the two numbers along the last axis where ok."""
    low, high = tl.split(x)
    return tl.join(tl.where(ok, high, low), tl.where(ok, low, high))


@triton.jit
def swap_lane_order(x):
    """Permute a tile (4, 4, 32) to lane order, or back.

    The axes of the tile are states i and ln, and channels ``4 lc + j``. In
    lane order, entry (i, j) of lane ``8 ln + lc`` holds the state
    ``i ^ (lc & 3)`` and the channel ``j ^ ln``: entry 0 is the lane's own
    state and channel, entry i the state of lane ``lc ^ i``. The permutation
    is its own inverse.
    """
    ln = tl.arange(0, 4)[None, None, :, None, None]
    lc = tl.arange(0, 8)[None, None, None, :, None]
    x = x.reshape(2, 2, 4, 8, 2, 2)  # i, i, ln, lc, j, j
    x = _exchange(x, (ln & 1) != 0).permute(0, 1, 2, 3, 5, 4)
    x = _exchange(x, (ln & 2) != 0).permute(4, 5, 2, 3, 0, 1)
    # Now j, j, ln, lc, i, i, with the axes of j in reverse.
    x = _exchange(x, (lc & 1) != 0).permute(0, 1, 2, 3, 5, 4)
    x = _exchange(x, (lc & 2) != 0).permute(5, 4, 2, 3, 1, 0)
    return x.reshape(4, 4, CHANNELS)


@triton.jit
def _stored_offsets():
    """Return the offsets of each lane's states for channel entry 0.

    A stored state has axes q, j, lc, r, shape (4, 4, 8, 4), and holds the
    state ``4 q + (r ^ lc & 3)`` of the channel ``4 lc + (j ^ q)``. Each lane
    then finds its numbers in lane order, four next to each other, and a warp
    reads whole cache lines.
    """
    ln = tl.arange(0, 4)[:, None, None]
    lc = tl.arange(0, 8)[None, :, None]
    at = 4 * ENTRY * ln + 4 * lc + tl.arange(0, 4)[None, None, :]
    # Four numbers a lane; 2 makes Triton spread lanes along the second axis.
    return tl.multiple_of(tl.max_contiguous(at, [1, 2, 4]), [1, 1, 4])


@triton.jit
def load_state(p):
    """Load a stored state, in lane order."""
    p += _stored_offsets()
    x = tl.join(tl.load(p), tl.load(p + 2 * ENTRY))
    x = tl.join(x, tl.join(tl.load(p + ENTRY), tl.load(p + 3 * ENTRY)))
    return x.permute(2, 0, 1, 3, 4).reshape(4, 4, CHANNELS)


@triton.jit
def store_state(p, x):
    """Store a state given in lane order."""
    p += _stored_offsets()
    x = x.reshape(4, 4, 8, 2, 2).permute(1, 2, 0, 3, 4)
    even, odd = tl.split(x)
    v, w = tl.split(even)
    x, y = tl.split(odd)
    tl.store(p, v)
    tl.store(p + ENTRY, x)
    tl.store(p + 2 * ENTRY, w)
    tl.store(p + 3 * ENTRY, y)
