"""Pieces of the scan kernels: numbers in a warp's registers.

A warp holds a tile (BN, BD) of states and channels, 4 state lanes by 8
channel lanes. Channels are loaded PACK at a time as one integer, which leaves
the loads smaller than a warp, so that Triton keeps this layout for the whole
kernel.

The second half of this file serves scan_lanes_triton.py, where the lanes,
(4, 8), are axes; ``pick_row`` to ``store_own`` count on lane ``8 ln + lc``
holding what is at ``[ln, lc]``.
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
def _shuffle(x, LANE: tl.constexpr, MASK: tl.constexpr):
    """Return the 64-bit integer of the lane LANE + own number & MASK."""
    return tl.inline_asm_elementwise(
        '{ .reg .b32 a, b; mov.b64 {a, b}, $1; '
        f'shfl.sync.idx.b32 a, a, {LANE}, {31 + 256 * MASK}, -1; '
        f'shfl.sync.idx.b32 b, b, {LANE}, {31 + 256 * MASK}, -1; '
        'mov.b64 $0, {a, b}; }',
        '=l,l', [x],
        dtype=tl.int64,
        is_pure=True,
        pack=1)


@triton.jit
def pick_row(x, J: tl.constexpr, ASM: tl.constexpr):
    """Give row J of x (4, 8) to all rows: (4, 8), or (1, 8)."""
    if ASM:
        x = _shuffle(x, 8 * J, 7)
    else:
        here = tl.arange(0, 4)[:, None] == J
        x = tl.sum(tl.where(here, x, 0), axis=0, keep_dims=True)
    return x


@triton.jit
def pick_column(x, J: tl.constexpr, ASM: tl.constexpr):
    """Give column J of x (4, 8) to all columns: (4, 8), or (4, 1)."""
    if ASM:
        x = _shuffle(x, J, 24)
    else:
        here = tl.arange(0, 8)[None, :] == J
        x = tl.sum(tl.where(here, x, 0), axis=1, keep_dims=True)
    return x


@triton.jit
def row_channels(x, KIND: tl.constexpr):
    """Turn packed channels (r, 8) into float32 channels (1, r, 32)."""
    return quarters(x, KIND).reshape(1, x.shape[0], 32)


@triton.jit
def column_states(x, KIND: tl.constexpr, ASM: tl.constexpr):
    """Turn packed states, (4, 8) or (4, 1), into float32 (4, 4, 32 or 1)."""
    x = quarters(x, KIND).permute(2, 3, 0, 1).reshape(4, 4, x.shape[1])
    if ASM:
        x = tl.broadcast_to(x[:, :, :, None], [4, 4, 8, 4])
        x = x.reshape(4, 4, 32)
    return x


@triton.jit
def _swap(x, BIT: tl.constexpr, ASM: tl.constexpr):
    """Return what the lane holds whose number differs in the bit BIT.

    The last two axes of x are lanes, (4, 8).
    """
    if ASM:
        x = tl.inline_asm_elementwise(
            f'shfl.sync.bfly.b32 $0, $1, {BIT}, 31, -1;',
            '=f,f', [x],
            dtype=tl.float32,
            is_pure=True,
            pack=1)
    else:
        rest: tl.constexpr = x.numel // 2 // BIT
        x = tl.flip(x.reshape(rest, 2, BIT), 1).reshape(x.shape)
    return x


@triton.jit
def _scatter(low, high, BIT: tl.constexpr, ASM: tl.constexpr):
    """Add two values over two lanes; each keeps one of the sums."""
    lane = 8 * tl.arange(0, 4)[:, None] + tl.arange(0, 8)[None, :]
    upper = (lane & BIT) != 0
    other = _swap(tl.where(upper, low, high), BIT, ASM)
    return tl.where(upper, high, low) + other


@triton.jit
def sum_states(x, ASM: tl.constexpr):
    """Sum a tile (4, 4, 32) over states.

    Lane ``8 ln + lc`` keeps the sum of channel ``4 lc + ln``.
    """
    x = tl.sum(x, axis=0).reshape(4, 8, 2, 2)
    low, high = tl.split(x.permute(3, 0, 1, 2))
    x = _scatter(low, high, 16, ASM)
    low, high = tl.split(x.permute(1, 2, 0))
    return _scatter(low, high, 8, ASM)


@triton.jit
def sum_channels(x, y, ASM: tl.constexpr):
    """Sum two tiles (4, 4, 32) over channels.

    Lane ``8 ln + lc`` keeps a sum of x if lc < 4, else of y: that of state
    ``4 ln + lc % 4``.
    """
    x = tl.sum(x.reshape(4, 4, 8, 4), axis=3).reshape(2, 2, 4, 8)
    y = tl.sum(y.reshape(4, 4, 8, 4), axis=3).reshape(2, 2, 4, 8)
    z = _scatter(x, y, 4, ASM)
    low, high = tl.split(z.permute(1, 2, 3, 0))
    z = _scatter(low, high, 2, ASM)
    low, high = tl.split(z.permute(1, 2, 0))
    return _scatter(low, high, 1, ASM)


@triton.jit
def own(x, KIND: tl.constexpr):
    """Take each lane's channel, as ``sum_states`` keeps it, from packs."""
    x = (x >> (16 * tl.arange(0, 4)[:, None])).to(tl.int32)
    if KIND == 1:
        x = (x << 16).to(tl.float32, bitcast=True)
    else:
        x = x.to(tl.int16).to(tl.float16, bitcast=True).to(tl.float32)
    return x


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
def store_own(p, x, mask, KIND: tl.constexpr, ASM: tl.constexpr):
    """Store what each lane keeps, (4, 8)."""
    if ASM and KIND != 0:
        x = join_halves(x, x, KIND, ASM).to(tl.int16)
        x = x.to(p.dtype.element_ty, bitcast=True)
    else:
        x = x.to(p.dtype.element_ty)
    tl.store(p, x, mask=mask)
