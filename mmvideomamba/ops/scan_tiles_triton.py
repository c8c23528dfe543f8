"""Pieces of the scan kernels: numbers in a warp's registers.

A warp holds a tile (BN, BD) of states and channels, 4 state lanes by 8
channel lanes. Channels are loaded PACK at a time as one integer, which leaves
the loads smaller than a warp, so that Triton keeps this layout for the whole
kernel.

The second half of this file serves scan_lanes_triton.py, where the lanes,
(4, 8), are axes; it counts on lane ``8 ln + lc`` holding what is at
``[ln, lc]``.
"""
import triton
import triton.language as tl

LOG2E = tl.constexpr(1.4426950408889634)
LN2 = tl.constexpr(0.6931471805599453)


@triton.jit
def softplus_slope(s):
    """Return the slope of softplus where its value is s.

    The sigmoid of the argument, ``1 - exp(-s)``, by its series where the
    difference would cancel.
    """
    small = s * (1. - s * (0.5 - s * (1. / 6. - s / 24.)))
    return tl.where(s < 0.06, small, 1. - tl.exp2(-s * LOG2E))


@triton.jit
def halves(x, KIND: tl.constexpr):
    """Split an integer into its two numbers, as float32."""
    if KIND == 0:
        low = x.to(tl.int32).to(tl.float32, bitcast=True)
        high = (x >> 32).to(tl.int32).to(tl.float32, bitcast=True)
    elif KIND == 1:
        low = (x << 16).to(tl.float32, bitcast=True)
        high = (x & -65536).to(tl.float32, bitcast=True)
    else:
        low = x.to(tl.int16).to(tl.float16, bitcast=True).to(tl.float32)
        high = (x >> 16).to(tl.int16).to(tl.float16, bitcast=True)
        high = high.to(tl.float32)
    return low, high


@triton.jit
def quarters(x, KIND: tl.constexpr):
    """Split a 64-bit integer into four numbers: ``[p, q]`` is 2 p + q."""
    a, b = halves(x.to(tl.int32), KIND)
    c, d = halves((x >> 32).to(tl.int32), KIND)
    return tl.join(tl.join(a, c), tl.join(b, d))


@triton.jit
def join_halves(low, high, KIND: tl.constexpr, ASM: tl.constexpr):
    """Round two float32 numbers and put them in one integer."""
    if KIND == 0:
        low = low.to(tl.int32, bitcast=True).to(tl.int64) & 0xFFFFFFFF
        pair = low | (high.to(tl.int32, bitcast=True).to(tl.int64) << 32)
    elif ASM:
        # One instruction; one number at a time, a slow unit converts.
        if KIND == 1:
            pair = tl.inline_asm_elementwise(
                'cvt.rn.bf16x2.f32 $0, $2, $1;',
                '=r,f,f', [low, high],
                dtype=tl.int32,
                is_pure=True,
                pack=1)
        else:
            pair = tl.inline_asm_elementwise(
                'cvt.rn.f16x2.f32 $0, $2, $1;',
                '=r,f,f', [low, high],
                dtype=tl.int32,
                is_pure=True,
                pack=1)
    else:
        if KIND == 1:
            low, high = low.to(tl.bfloat16), high.to(tl.bfloat16)
        else:
            low, high = low.to(tl.float16), high.to(tl.float16)
        low = low.to(tl.int16, bitcast=True).to(tl.int32) & 0xFFFF
        pair = low | (high.to(tl.int16, bitcast=True).to(tl.int32) << 16)
    return pair


@triton.jit
def channels(x, KIND: tl.constexpr, BD: tl.constexpr, PACK: tl.constexpr):
    """Turn what was loaded, PACK in one, into float32 channels (1, BD)."""
    if PACK == 4:
        x = quarters(x, KIND).reshape(1, BD)
    elif PACK == 2:
        a, b = halves(x, KIND)
        x = tl.join(a, b).reshape(1, BD)
    else:
        x = x.to(tl.float32)
    return x


@triton.jit
def store(p, x, mask, KIND: tl.constexpr, BD: tl.constexpr, PACK: tl.constexpr,
          ASM: tl.constexpr):
    """Store one token's channels (1, BD), PACK in one."""
    if PACK == 4:
        even, odd = tl.split(x.reshape(1, BD // 4, 2, 2))
        low, high = tl.split(join_halves(even, odd, KIND, ASM))
        x = low.to(tl.int64) & 0xFFFFFFFF | (high.to(tl.int64) << 32)
    elif PACK == 2:
        even, odd = tl.split(x.reshape(1, BD // 2, 2))
        x = join_halves(even, odd, KIND, ASM)
    else:
        x = x.to(p.dtype.element_ty)
    tl.store(p, x, mask=mask)


@triton.jit
def _swap(x, BITS: tl.constexpr, ASM: tl.constexpr):
    """Return what the lane holds whose number differs in these bits.

    x (4, 8) has a number a lane; BITS is 4, or 1 to 3 times 1 or 8.
    """
    if BITS == 3 or BITS == 24:
        if ASM:
            x = _shuffle(x, BITS)
        else:
            x = _flip(_flip(x, BITS // 3), BITS // 3 * 2)
    elif BITS > 0:
        x = _shuffle(x, BITS) if ASM else _flip(x, BITS)
    return x


@triton.jit
def _shuffle(x, BITS: tl.constexpr):
    return tl.inline_asm_elementwise(
        f'shfl.sync.bfly.b32 $0, $1, {BITS}, 31, -1;',
        '=f,f', [x],
        dtype=tl.float32,
        is_pure=True,
        pack=1)


@triton.jit
def _flip(x, BIT: tl.constexpr):
    return tl.flip(x.reshape(16 // BIT, 2, BIT), 1).reshape(4, 8)


@triton.jit
def _slots(x, STEP: tl.constexpr, ASM: tl.constexpr):
    """Collect the numbers of four lanes: ``[p, q]`` of lane ^ (2 p + q).

    Lane numbers differ in the bits of STEP times 1 to 3.
    """
    a, b = _swap(x, STEP, ASM), _swap(x, 2 * STEP, ASM)
    c = _swap(x, 3 * STEP, ASM)
    return tl.join(tl.join(x, b), tl.join(a, c))


@triton.jit
def _sum_slots(x, STEP: tl.constexpr, ASM: tl.constexpr):
    """Add up what ``_slots`` would collect, of x (4, 8, 2, 2): (4, 8)."""
    even, odd = tl.split(x)
    x, b = tl.split(even)
    a, c = tl.split(odd)
    x += _swap(a, STEP, ASM)
    return x + (_swap(b, 2 * STEP, ASM) + _swap(c, 3 * STEP, ASM))


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
    upper = tl.arange(0, 4)[:, None] * 0 + tl.arange(0, 8)[None, :] >= 4
    other = _swap(tl.where(upper, x, y), 4, ASM)
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
def along_rows(place, ASM: tl.constexpr):
    """Keep the lanes of a load or store at these places (4, 8) as they are.

    Triton orders lanes along the axis on which places are contiguous. That
    must be taken for the second one; a lane has one place, so that nothing
    else follows from it.
    """
    if ASM:
        place = tl.inline_asm_elementwise(
            'mov.b32 $0, $1;',
            '=r,r', [place],
            dtype=tl.int32,
            is_pure=True,
            pack=1)
    return tl.max_contiguous(place, [1, 8])


@triton.jit
def fetch_ahead(p, ASM: tl.constexpr):
    """Bring what lies at these addresses from memory to the L2 cache."""
    if ASM:
        tl.inline_asm_elementwise(
            'prefetch.global.L2 [$1]; mov.b32 $0, 0;',
            '=r,l', [p.to(tl.int64)],
            dtype=tl.int32,
            is_pure=False,
            pack=1)


@triton.jit
def above(x, least: tl.constexpr, ASM: tl.constexpr):
    """Tell whether a number that all lanes hold is above another one.

    A vote of the lanes, by which the compiler knows that they agree: it makes
    a loop much slower that lanes may leave one by one.
    """
    if ASM:
        x = tl.inline_asm_elementwise(
            '{ .reg .pred p, q; setp.gt.f32 p, $1, $2; '
            'vote.sync.any.pred q, p, -1; selp.b32 $0, 1, 0, q; }',
            '=r,f,f', [x, least],
            dtype=tl.int32,
            is_pure=False,
            pack=1) != 0
    else:
        x = x > least
    return x


@triton.jit
def own_channels(block, ASM: tl.constexpr):
    """Return the channel, (4, 8), that each lane keeps the sums of."""
    place = 4 * tl.arange(0, 8)[None, :] + tl.arange(0, 4)[:, None]
    return along_rows(block * 32 + place, ASM)


@triton.jit
def store_own(p, x, mask, ASM: tl.constexpr):
    """Store what each lane keeps, (4, 8)."""
    KIND: tl.constexpr = 1 if p.dtype.element_ty == tl.bfloat16 else 2
    if ASM and p.dtype.element_ty != tl.float32:
        x = join_halves(x, x, KIND, ASM).to(tl.int16)
        x = x.to(p.dtype.element_ty, bitcast=True)
    else:
        x = x.to(p.dtype.element_ty)
    tl.store(p, x, mask=mask)
