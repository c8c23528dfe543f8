"""Pieces of the backward scan for 16 states: slots.

A warp's tile (4, 4, 32) has the axes i, ln and channel: lane ``8 ln + lc``
holds the states ``4 ln + i`` and channels ``4 lc + j``, in an order of its
own, see ``turn``. Of what has a state, or a channel, but not both, the lane
holds that of slot 0: the state ``4 ln + lc % 4``, the channel ``4 lc + ln``.
"""
import triton
import triton.language as tl

from .scan_tiles_triton import swap


@triton.jit
def _slots(x, STEP: tl.constexpr, ASM: tl.constexpr):
    """Collect the numbers of four lanes: ``[p, q]`` of lane ^ (2 p + q).

    Lane numbers differ in the bits of STEP times 1 to 3.
    """
    a, b = swap(x, STEP, ASM), swap(x, 2 * STEP, ASM)
    c = swap(x, 3 * STEP, ASM)
    return tl.join(tl.join(x, b), tl.join(a, c))


@triton.jit
def _sum_slots(x, STEP: tl.constexpr, ASM: tl.constexpr):
    """Add up what ``_slots`` would collect, of x (4, 8, 2, 2): (4, 8)."""
    even, odd = tl.split(x)
    x, b = tl.split(even)
    a, c = tl.split(odd)
    x += swap(a, STEP, ASM)
    return x + (swap(b, 2 * STEP, ASM) + swap(c, 3 * STEP, ASM))


@triton.jit
def spread_channels(x, ASM: tl.constexpr):
    """Give each lane's channel, (4, 8), to a tile: (1, 4, 32)."""
    return _slots(x, 8, ASM).reshape(1, 4, 32)


@triton.jit
def spread_states(x, ASM: tl.constexpr):
    """Give each lane's state, (4, 8), to a tile: (4, 4, 32)."""
    x = _slots(x, 1, ASM).permute(2, 3, 0, 1).reshape(4, 4, 8)
    return tl.broadcast_to(x[:, :, :, None], [4, 4, 8, 4]).reshape(4, 4, 32)


@triton.jit
def sum_states(x, ASM: tl.constexpr):
    """Sum a tile over states; each lane keeps the sum of its channel."""
    return _sum_slots(tl.sum(x, axis=0).reshape(4, 8, 2, 2), 8, ASM)


@triton.jit
def sum_channels(x, y, ASM: tl.constexpr):
    """Sum two tiles over channels.

    Lane ``8 ln + lc`` keeps a sum of x if lc < 4, else of y: that of its
    state.
    """
    x = tl.sum(x.reshape(4, 4, 8, 4), axis=3).reshape(2, 2, 4, 8)
    y = tl.sum(y.reshape(4, 4, 8, 4), axis=3).reshape(2, 2, 4, 8)
    x = _sum_slots(x.permute(2, 3, 0, 1), 1, ASM)
    y = _sum_slots(y.permute(2, 3, 0, 1), 1, ASM)
    upper = tl.arange(0, 8)[None, :] >= 4
    other = swap(tl.where(upper, x, y), 4, ASM)
    return tl.where(upper, y, x) + other


@triton.jit
def _exchange(x, ok):
    """Exchange the two numbers along the last axis where ok."""
    low, high = tl.split(x)
    return tl.join(tl.where(ok, high, low), tl.where(ok, low, high))


@triton.jit
def turn(x):
    """Put a tile (4, 4, 32) in the order of its lanes, or back in its own.

    Its axes are states i and ln and channels ``4 lc + j``. In the order of
    lane ``8 ln + lc``, what stands at (i, j) is of the state
    ``i ^ (lc & 3)`` and the channel ``j ^ ln``: then slot 0 is the lane's own
    state and channel, and slot i is that of the lane ``lc ^ i``.
    """
    ln = tl.arange(0, 4)[None, None, :, None, None]
    lc = tl.arange(0, 8)[None, None, None, :, None]
    x = x.reshape(2, 2, 4, 8, 2, 2)  # i, i, ln, lc, j, j
    x = _exchange(x, (ln & 1) != 0).permute(0, 1, 2, 3, 5, 4)
    x = _exchange(x, (ln & 2) != 0).permute(4, 5, 2, 3, 0, 1)
    # Now j, j, ln, lc, i, i; the j in reverse.
    x = _exchange(x, (lc & 1) != 0).permute(0, 1, 2, 3, 5, 4)
    x = _exchange(x, (lc & 2) != 0).permute(5, 4, 2, 3, 1, 0)
    return x.reshape(4, 4, 32)


@triton.jit
def _in_memory():
    """Return where a lane's states of its first slot of channels lie.

    A stored state has axes q, j, lc, r, shape (4, 4, 8, 4): the state
    ``4 q + (r ^ lc & 3)`` of the channel ``4 lc + (j ^ q)``. So a lane finds
    its own in the order of its slots, four at a time, in whole cache lines.
    """
    ln = tl.arange(0, 4)[:, None, None]
    lc = tl.arange(0, 8)[None, :, None]
    at = 128 * ln + 4 * lc + tl.arange(0, 4)[None, None, :]
    # Four numbers a lane; 2 makes Triton spread lanes along the second axis.
    return tl.multiple_of(tl.max_contiguous(at, [1, 2, 4]), [1, 1, 4])


@triton.jit
def load_state(p):
    """Load a stored state in the order of ``turn``."""
    p += _in_memory()
    x = tl.join(tl.load(p), tl.load(p + 64))
    x = tl.join(x, tl.join(tl.load(p + 32), tl.load(p + 96)))
    return x.permute(2, 0, 1, 3, 4).reshape(4, 4, 32)


@triton.jit
def store_state(p, x):
    """Store a state that is in the order of ``turn``."""
    p += _in_memory()
    x = x.reshape(4, 4, 8, 2, 2).permute(1, 2, 0, 3, 4)
    even, odd = tl.split(x)
    v, w = tl.split(even)
    x, y = tl.split(odd)
    tl.store(p, v)
    tl.store(p + 32, x)
    tl.store(p + 64, w)
    tl.store(p + 96, y)
