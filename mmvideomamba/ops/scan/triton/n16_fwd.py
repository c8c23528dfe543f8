"""Forward scan for 16 states in half precision.

The kernel computes the same as general_fwd.py, with the registers of a warp
laid out by hand, see n16_layout.py and n16_fwd_layout.py.

- A group is four tokens. A single load fetches the group's part of a tensor:
  the lanes of row ln hold the channels of token ln, and of B and C the lanes
  of column lc hold the states of token ``lc % 4``. A shuffle gives each
  token's numbers to the lanes in need of them. A group in flight therefore
  takes few registers, and is loaded while the group before is computed.
- Sums over lanes are scattered: two values over two lanes become a single
  value a lane.
"""
import triton
import triton.language as tl

from ...runtime.triton_launcher import cached_launch
from ...runtime.triton_warp import LOG2E
from .n16_bwd_layout import store_state, swap_lane_order
from .n16_fwd_layout import (column_states, lane_channel, load_group,
                             pick_column, pick_row, program_packs,
                             row_channels, scatter_states)
from .n16_layout import (BC_ROW, CHANNELS, PACK, STATES, TILE,
                         program_channels, store_lane_channels, tile_offsets)
from .program import GROUP, VARYING, scan_range


@triton.jit
def _scan_token(h, u4, s4, bc4, A, skip, y_p, row, mask, J: tl.constexpr,
                HAS_Y: tl.constexpr, DTYPE: tl.constexpr,
                USE_PTX: tl.constexpr):
    """Scan token J of a group, store the output, return the state after."""
    u0 = pick_row(u4, J, USE_PTX)
    s = row_channels(pick_row(s4, J, USE_PTX), DTYPE)
    u = row_channels(u0, DTYPE)
    B = column_states(pick_column(bc4, J, USE_PTX), DTYPE, USE_PTX)
    h = tl.exp2(s * A) * h + (s * u) * B
    if HAS_Y:
        C = column_states(pick_column(bc4, GROUP + J, USE_PTX), DTYPE, USE_PTX)
        y = scatter_states(h * C, USE_PTX) + skip * lane_channel(u0, DTYPE)
        store_lane_channels(y_p + J * row, y, mask, USE_PTX)
    return h


@cached_launch
@triton.jit(do_not_specialize=VARYING)
def n16_fwd_kernel(
        u_p,  # (k, b, l, d / 4), four channels in an integer
        delta_p,  # (k, b, l, d / 4), after softplus
        A_p,  # (k, 16, d)
        bc_p,  # (k, b, l, 2, 4), four states in an integer
        D_p,  # (k, d)
        start_p,  # (sequences, chunks, 16, d), state before each chunk
        y_p,  # (k, b, l, d)
        states_p,  # (k, b, groups, blocks, TILE), state before each group
        last_p,  # (k, b, 16, d)
        first_sequence,
        b,
        l,
        d,
        chunk,
        reverse_bits,
        FULL_BLOCKS: tl.constexpr,
        HAS_START: tl.constexpr,
        HAS_STATES: tl.constexpr,
        HAS_Y: tl.constexpr,
        DTYPE: tl.constexpr,
        USE_PTX: tl.constexpr):
    """Scan a chunk; every group is loaded a group ahead."""
    tl.static_assert(GROUP == 4, 'a group fills the four rows of lanes')
    block = tl.program_id(0)
    first, end, local_sequence, sequence, k, backward = scan_range(
        tl.program_id(1), first_sequence, b, l, chunk, reverse_bits)
    packs, in_p = program_packs(block, d, FULL_BLOCKS)
    c, inside, kept, in_y = program_channels(block, d, FULL_BLOCKS, USE_PTX)
    tile = tile_offsets(c, d)
    A = tl.load(A_p + k * STATES * d + tile, mask=inside, other=0.) * LOG2E
    skip = tl.load(D_p + k * d + kept, mask=in_y, other=0.)
    dp = d // PACK
    step = 1 - 2 * backward
    origin = sequence * l + tl.where(backward == 1, l - 1 - first, first)
    u_p += origin * dp + packs
    delta_p += origin * dp + packs
    bc_p += origin * (BC_ROW // PACK)
    y_p += origin * d + kept
    h = tl.zeros([4, 4, CHANNELS], tl.float32)
    if HAS_START:
        at = local_sequence * tl.num_programs(1) + tl.program_id(1)
        h += tl.load(start_p + at * STATES * d + tile, mask=inside, other=0.)
    state_row = tl.num_programs(0).to(tl.int64) * TILE
    group = sequence * tl.cdiv(l, GROUP) + first // GROUP
    states_p += group * state_row + block * TILE
    row = step * d
    count = end - first
    whole = count // GROUP * GROUP
    u4, s4, bc4 = load_group(u_p, delta_p, bc_p, 0, count - 1, step, dp, in_p,
                             USE_PTX)
    for i in range(0, whole, GROUP):
        if HAS_STATES:
            store_state(states_p, swap_lane_order(h))
            states_p += state_row
        u5, s5, bc5 = load_group(u_p, delta_p, bc_p, i + GROUP, count - 1,
                                 step, dp, in_p, USE_PTX)
        for j in tl.static_range(GROUP):
            h = _scan_token(h, u4, s4, bc4, A, skip, y_p, row, in_y, j, HAS_Y,
                            DTYPE, USE_PTX)
        u4, s4, bc4 = u5, s5, bc5
        y_p += GROUP * row
    if whole < count:
        if HAS_STATES:
            store_state(states_p, swap_lane_order(h))
        # With a step of size zero a token changes nothing.
        s4 = tl.where(whole + tl.arange(0, 4)[:, None] < count, s4, 0)
        for j in tl.static_range(GROUP - 1):
            h = _scan_token(h, u4, s4, bc4, A, skip, y_p, row,
                            in_y & (whole + j < count), j, HAS_Y, DTYPE,
                            USE_PTX)
    if end == l:
        tl.store(last_p + sequence * STATES * d + tile, h, mask=inside)
