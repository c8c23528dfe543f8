"""Pieces of the scan kernels: numbers in a warp's registers.

A warp holds a tile (BN, BD) of states and channels, 4 state lanes by 8
channel lanes. Channels are loaded PACK at a time as one integer, which leaves
the loads smaller than a warp, so that Triton keeps this layout for the whole
kernel.

Where lanes are axes, (4, 8), lane ``8 ln + lc`` holds what is at
``[ln, lc]``; see scan_turns_triton.py and scan_slots_triton.py.
"""
import triton
import triton.language as tl

LOG2E = tl.constexpr(1.4426950408889634)
LN2 = tl.constexpr(0.6931471805599453)


@triton.jit
def _softplus_slope(s):
    """Return the slope of softplus where its value is s.

    The sigmoid of the argument, ``1 - exp(-s)``, by its series where the
    difference would cancel.
    """
    small = s * (1. - s * (0.5 - s * (1. / 6. - s / 24.)))
    return tl.where(s < 0.06, small, 1. - tl.exp2(-s * LOG2E))


@triton.jit
def input_gradients(u, s, dy, skip, through_b, through_a,
                    SOFTPLUS: tl.constexpr):
    """Return a token's gradients of u and delta, from the sums over states.

    Those are of ``g B`` and of ``g a h A``, with rates for ``exp2``.
    """
    du = s * through_b + dy * skip
    # The rates carry log2(e); take it out again.
    ddelta = u * through_b + through_a * LN2
    if SOFTPLUS:
        ddelta *= _softplus_slope(s)
    return du, ddelta


@triton.jit
def sigmoid(x, ASM: tl.constexpr):
    """Return 1 / (1 + exp(-x)), without the care that a division takes."""
    x = 1. + tl.exp2(-x * LOG2E)
    if ASM:
        x = tl.inline_asm_elementwise(
            'rcp.approx.ftz.f32 $0, $1;',
            '=f,f', [x],
            dtype=tl.float32,
            is_pure=True,
            pack=1)
    else:
        x = 1. / x
    return x


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
def _shuffle(x, BITS: tl.constexpr):
    return tl.inline_asm_elementwise(
        f'shfl.sync.bfly.b32 $0, $1, {BITS}, 31, -1;',
        '=f,f', [x],
        dtype=tl.float32,
        is_pure=True,
        pack=1)


@triton.jit
def _flip(x, BIT: tl.constexpr):
    rest: tl.constexpr = x.numel // 2 // BIT
    return tl.flip(x.reshape(rest, 2, BIT), 1).reshape(x.shape)


@triton.jit
def swap(x, BITS: tl.constexpr, ASM: tl.constexpr):
    """Return what the lane holds whose number differs in these bits.

    The last two axes of x are lanes, (4, 8); BITS is 4, or 1 to 3 times 1
    or 8.
    """
    if ASM:
        x = _shuffle(x, BITS)
    elif BITS == 3 or BITS == 24:
        x = _flip(_flip(x, BITS // 3), BITS // 3 * 2)
    else:
        x = _flip(x, BITS)
    return x


@triton.jit
def along_rows(place, ASM: tl.constexpr):
    """Keep the lanes of a load or store at places (r, c) as they are.

    Triton orders lanes along the axis on which places are contiguous. That
    must be taken for the second one. How places are aligned is hidden, so
    that a lane never takes more than one of them at once.
    """
    if ASM:
        place = tl.inline_asm_elementwise(
            'mov.b32 $0, $1;',
            '=r,r', [place],
            dtype=tl.int32,
            is_pure=True,
            pack=1)
    return tl.max_contiguous(place, [1, place.shape[1]])


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
def tile_places(c, d):
    """Return where a tile (4, 4, 32) of channels c lies in (16, d)."""
    n = tl.arange(0, 4)[:, None, None] + 4 * tl.arange(0, 4)[None, :, None]
    # As in along_rows: the lanes are the last two axes. And d is a multiple
    # of 4, so that a lane has four neighbouring channels.
    return tl.multiple_of(tl.max_contiguous(n * d + c, [1, 4, 32]), [1, 1, 4])


@triton.jit
def lane_places(block, d, WHOLE: tl.constexpr, ASM: tl.constexpr):
    """Return a program's channels, and which of them each lane keeps.

    Shapes (1, 1, 32) and (4, 8); each with the mask of those that exist.
    """
    c = block * 32 + tl.arange(0, 32)[None, None, :]
    mine = 4 * tl.arange(0, 8)[None, :] + tl.arange(0, 4)[:, None]
    mine = along_rows(block * 32 + mine, ASM)
    return c, (c < d) | WHOLE, mine, (mine < d) | WHOLE


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
