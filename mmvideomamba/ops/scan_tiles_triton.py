"""Pieces of the scan kernels: one token's channels in a warp's registers.

A warp holds a tile (BN, BD) of states and channels, 4 state lanes by 8
channel lanes: lane ``8 ln + lc`` holds rows ``4 i + ln`` and the neighbouring
channels ``4 lc + j``. Channels are loaded PACK at a time as one integer,
which leaves the loads smaller than a warp, so that Triton keeps this layout
for the whole kernel.

With LANES (16 states, half precision) row ``4 i + ln`` is state ``4 ln + i``,
so that a lane's states lie side by side in B and C, and sums are scattered:
of the sums over states each lane keeps that of one channel, of the sums over
channels that of one state. The lanes are then axes, (4, 8), of what a kernel
computes with; a program in another layout would be slower, not wrong.
"""
import triton
import triton.language as tl

LOG2E = tl.constexpr(1.4426950408889634)
LN2 = tl.constexpr(0.6931471805599453)


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
def states(x, KIND: tl.constexpr, BN: tl.constexpr, LANES: tl.constexpr):
    """Turn what was loaded of B or C into float32 states (BN, 1)."""
    if LANES:
        x = quarters(x, KIND).permute(2, 3, 0, 1).reshape(BN, 1)
    return x


@triton.jit
def swap(x, BIT: tl.constexpr, ASM: tl.constexpr):
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
def scatter(low, high, BIT: tl.constexpr, ASM: tl.constexpr):
    """Add two values over two lanes; each keeps one of the sums."""
    lane = 8 * tl.arange(0, 4)[:, None] + tl.arange(0, 8)[None, :]
    upper = (lane & BIT) != 0
    other = swap(tl.where(upper, low, high), BIT, ASM)
    return tl.where(upper, high, low) + other


@triton.jit
def sum_states(x, LANES: tl.constexpr, ASM: tl.constexpr):
    """Sum a tile over states: (1, BD), or (4, 8) with LANES.

    Lane ``8 ln + lc`` then keeps the sum of channel ``4 lc + ln``.
    """
    if LANES:
        x = tl.sum(x.reshape(4, 4, 32), axis=0).reshape(4, 8, 2, 2)
        low, high = tl.split(x.permute(3, 0, 1, 2))
        x = scatter(low, high, 16, ASM)
        low, high = tl.split(x.permute(1, 2, 0))
        x = scatter(low, high, 8, ASM)
    else:
        x = tl.sum(x, axis=0, keep_dims=True)
    return x


@triton.jit
def sum_channels(x, y, LANES: tl.constexpr, ASM: tl.constexpr):
    """Sum two tiles over channels: (BN, 2), or (4, 8) with LANES.

    Lane ``8 ln + lc`` then keeps a sum of x if lc < 4, else of y: that of
    state ``4 ln + lc % 4``.
    """
    if LANES:
        x = tl.sum(x.reshape(16, 8, 4), axis=2).reshape(2, 2, 4, 8)
        y = tl.sum(y.reshape(16, 8, 4), axis=2).reshape(2, 2, 4, 8)
        z = scatter(x, y, 4, ASM)
        low, high = tl.split(z.permute(1, 2, 3, 0))
        z = scatter(low, high, 2, ASM)
        low, high = tl.split(z.permute(1, 2, 0))
        z = scatter(low, high, 1, ASM)
    else:
        x = tl.sum(x, axis=1, keep_dims=True)
        y = tl.sum(y, axis=1, keep_dims=True)
        z = tl.join(x, y).reshape(x.shape[0], 2)
    return z


@triton.jit
def own(x, KIND: tl.constexpr, BD: tl.constexpr, PACK: tl.constexpr,
        LANES: tl.constexpr):
    """Turn what was loaded into what ``sum_states`` is combined with."""
    if LANES:
        x = (x >> (16 * tl.arange(0, 4)[:, None])).to(tl.int32)
        if KIND == 1:
            x = (x << 16).to(tl.float32, bitcast=True)
        else:
            x = x.to(tl.int16).to(tl.float16, bitcast=True).to(tl.float32)
    else:
        x = channels(x, KIND, BD, PACK)
    return x


@triton.jit
def own_channels(block, BD: tl.constexpr, PACK: tl.constexpr,
                 LANES: tl.constexpr, ASM: tl.constexpr):
    """Return the places, of PACK channels each, of what a lane stores."""
    if LANES:
        place = 4 * tl.arange(0, 8)[None, :] + tl.arange(0, 4)[:, None]
        if ASM:
            # Places rise by one from one row to the next. Triton must not
            # know it, lest it moves all to other lanes before a store.
            place = tl.inline_asm_elementwise(
                'mov.b32 $0, $1;',
                '=r,r', [place],
                dtype=tl.int32,
                is_pure=True,
                pack=1)
        place = tl.max_contiguous(block * BD + place, [1, 8])
    else:
        place = block * (BD // PACK) + tl.arange(0, BD // PACK)[None, :]
    return place


@triton.jit
def store(p, x, mask, KIND: tl.constexpr, BD: tl.constexpr, PACK: tl.constexpr,
          LANES: tl.constexpr, ASM: tl.constexpr):
    """Store one token's channels, from what ``own`` and the like return."""
    if LANES:
        if ASM and KIND != 0:
            x = join_halves(x, x, KIND, ASM).to(tl.int16)
            x = x.to(p.dtype.element_ty, bitcast=True)
        else:
            x = x.to(p.dtype.element_ty)
    elif PACK == 4:
        even, odd = tl.split(x.reshape(1, BD // 4, 2, 2))
        low, high = tl.split(join_halves(even, odd, KIND, ASM))
        x = low.to(tl.int64) & 0xFFFFFFFF | (high.to(tl.int64) << 32)
    elif PACK == 2:
        even, odd = tl.split(x.reshape(1, BD // 2, 2))
        x = join_halves(even, odd, KIND, ASM)
    else:
        x = x.to(p.dtype.element_ty)
    tl.store(p, x, mask=mask)
