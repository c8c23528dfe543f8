"""Layout of the forward kernels for 16 states: groups of four tokens.

See n16_layout.py for the lanes of a tile. Four numbers are loaded as a 64-bit
integer, called a pack. A group's u and delta have shape (4, 8): row r holds
the packs of channels of token r. A group's B and C have shape (4, 8): column
j holds the packs of states of B of token j, column 4 + j of C.
"""
import triton
import triton.language as tl

from ...runtime.triton_pack import BFLOAT16, unpack_four
from ...runtime.triton_warp import along_rows, swap
from .n16_layout import BC_ROW, CHANNELS, PACK
from .program import GROUP


@triton.jit
def program_packs(block, d, FULL_BLOCKS: tl.constexpr):
    """Return a program's packs of channels (1, 8), and their mask."""
    packs = block * (CHANNELS // PACK) + tl.arange(0, 8)[None, :]
    return packs, (packs < d // PACK) | FULL_BLOCKS


@triton.jit
def load_group(x_p, s_p, bc_p, i, stop, step, dp, in_p, USE_PTX: tl.constexpr):
    """Load x, step sizes, B and C of a group that begins with token i.

    Tokens beyond ``stop`` are replaced by token ``stop``.
    """
    ln = tl.arange(0, 4)[:, None]
    lc = tl.arange(0, 8)[None, :]
    t = step * tl.minimum(ln + i, stop)
    x = tl.load(x_p + t * dp, mask=in_p & (ln >= 0), other=0)
    s = tl.load(s_p + t * dp, mask=in_p & (ln >= 0), other=0)
    t = step * tl.minimum(lc % GROUP + i, stop)
    bc = t * (BC_ROW // PACK) + lc // GROUP * 4 + ln
    return x, s, tl.load(bc_p + along_rows(bc, USE_PTX))


@triton.jit
def _shuffle_indexed(x, LANE: tl.constexpr, MASK: tl.constexpr):
    """Return the 64-bit integer of lane LANE + (own lane & MASK)."""
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
def pick_row(x, J: tl.constexpr, USE_PTX: tl.constexpr):
    """Broadcast row J of x (4, 8) to all rows: (4, 8), or (1, 8)."""
    if USE_PTX:
        x = _shuffle_indexed(x, 8 * J, 7)
    else:
        here = tl.arange(0, 4)[:, None] == J
        x = tl.sum(tl.where(here, x, 0), axis=0, keep_dims=True)
    return x


@triton.jit
def pick_column(x, J: tl.constexpr, USE_PTX: tl.constexpr):
    """Broadcast column J of x (4, 8) to all columns: (4, 8), or (4, 1)."""
    if USE_PTX:
        x = _shuffle_indexed(x, J, 24)
    else:
        here = tl.arange(0, 8)[None, :] == J
        x = tl.sum(tl.where(here, x, 0), axis=1, keep_dims=True)
    return x


@triton.jit
def row_channels(x, DTYPE: tl.constexpr):
    """Turn packs of channels (r, 8) into float32 channels (1, r, 32)."""
    return unpack_four(x, DTYPE).reshape(1, x.shape[0], CHANNELS)


@triton.jit
def column_states(x, DTYPE: tl.constexpr, USE_PTX: tl.constexpr):
    """Turn packs of states, (4, 8) or (4, 1), to float32 (4, 4, 32 or 1)."""
    x = unpack_four(x, DTYPE).permute(2, 3, 0, 1).reshape(4, 4, x.shape[1])
    if USE_PTX:
        x = tl.broadcast_to(x[:, :, :, None], [4, 4, 8, 4])
        x = x.reshape(4, 4, CHANNELS)
    return x


@triton.jit
def lane_channel(x, DTYPE: tl.constexpr):
    """Unpack the channel of each lane, as ``scatter_states`` keeps them."""
    x = (x >> (16 * tl.arange(0, 4)[:, None])).to(tl.int32)
    if DTYPE == BFLOAT16:
        x = (x << 16).to(tl.float32, bitcast=True)
    else:
        x = x.to(tl.int16).to(tl.float16, bitcast=True).to(tl.float32)
    return x


@triton.jit
def _scatter(low, high, BIT: tl.constexpr, USE_PTX: tl.constexpr):
    """Add two values over two lanes; each lane keeps one sum."""
    lane = 8 * tl.arange(0, 4)[:, None] + tl.arange(0, 8)[None, :]
    upper = (lane & BIT) != 0
    other = swap(tl.where(upper, low, high), BIT, USE_PTX)
    return tl.where(upper, high, low) + other


@triton.jit
def scatter_states(x, USE_PTX: tl.constexpr):
    """Sum a tile (4, 4, 32) over states.

    Lane ``8 ln + lc`` keeps the sum of channel ``4 lc + ln``.
    """
    x = tl.sum(x, axis=0).reshape(4, 8, 2, 2)
    low, high = tl.split(x.permute(3, 0, 1, 2))
    x = _scatter(low, high, 16, USE_PTX)
    low, high = tl.split(x.permute(1, 2, 0))
    return _scatter(low, high, 8, USE_PTX)
