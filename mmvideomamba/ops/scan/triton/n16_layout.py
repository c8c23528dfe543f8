"""Layout of the kernels for 16 states in half precision.

A program is a warp with a tile of 16 states and 32 channels. The tile has
axes (i, ln, channel), shape (4, 4, 32): lane ``8 ln + lc`` holds the states
``4 ln + i`` of the channels ``4 lc + j``, i and j from 0 to 3. In every other
tensor the lanes are axes, (4, 8), with lane ``8 ln + lc`` at ``[ln, lc]``.
After a sum over states, lane ``8 ln + lc`` keeps channel ``4 lc + ln``.
"""
import triton
import triton.language as tl

from ...runtime.triton_pack import BFLOAT16, FLOAT16, pack_pair
from ...runtime.triton_warp import along_rows

STATES = tl.constexpr(16)
# Channels of a program.
CHANNELS = tl.constexpr(32)
# Numbers of a state tile, STATES * CHANNELS.
TILE = tl.constexpr(512)
# B and C of a token, next to each other: 2 * STATES.
BC_ROW = tl.constexpr(32)
# Channels or states loaded as a 64-bit integer by the forward kernels.
PACK = tl.constexpr(4)


@triton.jit
def tile_offsets(c, d):
    """Return the offsets of a tile (4, 4, 32) of channels c in (16, d)."""
    n = tl.arange(0, 4)[:, None, None] + 4 * tl.arange(0, 4)[None, :, None]
    # The hint spreads lanes along the last two axes, checked by a compile
    # test. d is a multiple of 4, so that a lane has four neighbours.
    return tl.multiple_of(tl.max_contiguous(n * d + c, [1, 4, 32]), [1, 1, 4])


@triton.jit
def program_channels(block, d, FULL_BLOCKS: tl.constexpr,
                     USE_PTX: tl.constexpr):
    """Return a program's channels, and the channel kept by each lane.

    Shapes (1, 1, 32) and (4, 8), each followed by the mask of channels
    below d.
    """
    c = block * CHANNELS + tl.arange(0, CHANNELS)[None, None, :]
    kept = 4 * tl.arange(0, 8)[None, :] + tl.arange(0, 4)[:, None]
    kept = along_rows(block * CHANNELS + kept, USE_PTX)
    return c, (c < d) | FULL_BLOCKS, kept, (kept < d) | FULL_BLOCKS


@triton.jit
def store_lane_channels(p, x, mask, USE_PTX: tl.constexpr):
    """Store the value of each lane's channel, (4, 8)."""
    DTYPE: tl.constexpr = (
        BFLOAT16 if p.dtype.element_ty == tl.bfloat16 else FLOAT16)
    if USE_PTX and p.dtype.element_ty != tl.float32:
        x = pack_pair(x, x, DTYPE, USE_PTX).to(tl.int16)
        x = x.to(p.dtype.element_ty, bitcast=True)
    else:
        x = x.to(p.dtype.element_ty)
    tl.store(p, x, mask=mask)
