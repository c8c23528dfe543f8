"""Pieces of the forward scan for 16 states: turns of four tokens.

A warp's tile (4, 4, 32) has the axes i, ln and channel: lane ``8 ln + lc``
holds the states ``4 ln + i`` of the channels ``4 lc + j``. Four numbers are
loaded as one 64-bit integer.
"""
import triton
import triton.language as tl

from .scan_tiles_triton import along_rows, quarters, swap


@triton.jit
def load_turn(x_p, s_p, bc_p, i, stop, step, dp, in_p, ASM: tl.constexpr):
    """Load x, step sizes, B and C of the tokens i to i + 3, or of stop."""
    ln = tl.arange(0, 4)[:, None]
    lc = tl.arange(0, 8)[None, :]
    t = step * tl.minimum(i + ln, stop)
    x = tl.load(x_p + t * dp, mask=in_p & (ln >= 0), other=0)
    s = tl.load(s_p + t * dp, mask=in_p & (ln >= 0), other=0)
    t = step * tl.minimum(i + lc % 4, stop)
    return x, s, tl.load(bc_p + along_rows(t * 8 + lc // 4 * 4 + ln, ASM))


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
def own(x, KIND: tl.constexpr):
    """Take each lane's channel, as ``scatter_states`` keeps it, from packs."""
    x = (x >> (16 * tl.arange(0, 4)[:, None])).to(tl.int32)
    if KIND == 1:
        x = (x << 16).to(tl.float32, bitcast=True)
    else:
        x = x.to(tl.int16).to(tl.float16, bitcast=True).to(tl.float32)
    return x


@triton.jit
def _scatter(low, high, BIT: tl.constexpr, ASM: tl.constexpr):
    """Add two values over two lanes; each keeps one of the sums."""
    lane = 8 * tl.arange(0, 4)[:, None] + tl.arange(0, 8)[None, :]
    upper = (lane & BIT) != 0
    other = swap(tl.where(upper, low, high), BIT, ASM)
    return tl.where(upper, high, low) + other


@triton.jit
def scatter_states(x, ASM: tl.constexpr):
    """Sum a tile (4, 4, 32) over states.

    Lane ``8 ln + lc`` keeps the sum of channel ``4 lc + ln``.
    """
    x = tl.sum(x, axis=0).reshape(4, 8, 2, 2)
    low, high = tl.split(x.permute(3, 0, 1, 2))
    x = _scatter(low, high, 16, ASM)
    low, high = tl.split(x.permute(1, 2, 0))
    return _scatter(low, high, 8, ASM)
