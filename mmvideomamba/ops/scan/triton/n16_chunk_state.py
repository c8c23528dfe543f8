"""Chunk states for 16 states in half precision; see chunk_state.py."""
import triton
import triton.language as tl

from ...runtime.triton_launcher import cached_launch
from ...runtime.triton_warp import LOG2E, any_lane_above
from .n16_fwd_layout import (column_states, load_group, pick_column, pick_row,
                             program_packs, row_channels)
from .n16_layout import (BC_ROW, CHANNELS, PACK, STATES, program_channels,
                         tile_offsets)
from .program import GROUP, VARYING, scan_range

# Tokens between two tests for an early end, a multiple of GROUP.
TEST_EVERY = tl.constexpr(16)
# Exponent of 2 below which a decay leaves nothing in float32.
NEGLIGIBLE = tl.constexpr(-40.)


@triton.jit
def _add_group(h, total, x4, s4, bc4, A, GRAD: tl.constexpr,
               DTYPE: tl.constexpr, USE_PTX: tl.constexpr):
    """Add a group to the chunk state, from the chunk's end to its start."""
    for j in tl.static_range(GROUP):
        x = row_channels(pick_row(x4, j, USE_PTX), DTYPE)
        s = row_channels(pick_row(s4, j, USE_PTX), DTYPE)
        w = column_states(
            pick_column(bc4, GROUP * GRAD + j, USE_PTX), DTYPE, USE_PTX)
        if GRAD:
            total += s
            h += tl.exp2(total * A) * (x * w)
        else:
            h += tl.exp2(total * A) * ((s * x) * w)
            total += s
    return h, total


@cached_launch
@triton.jit(do_not_specialize=VARYING)
def n16_chunk_state_kernel(
        x_p,  # u (k, b, l, d / 4); with GRAD dy, (b, l, d / 4) if SHARED_X
        delta_p,  # (k, b, l, d / 4)
        A_p,  # (k, 16, d)
        bc_p,  # (k, b, l, 2, 4)
        chunk_states_p,  # (sequences, chunks, 16, d)
        step_sums_p,  # (sequences, chunks, d), step sizes summed over a chunk
        first_sequence,
        b,
        l,
        d,
        chunk,
        chunks,
        reverse_bits,
        FULL_BLOCKS: tl.constexpr,
        GRAD: tl.constexpr,
        SHARED_X: tl.constexpr,
        DTYPE: tl.constexpr,
        USE_PTX: tl.constexpr):
    """Compute each chunk's final state from a zero initial state.

    The walk runs from the chunk's last token to the first (from the first to
    the last with GRAD) and sums each token's contribution times the decay up
    to the chunk's end, ``exp(A sum s)``. Decays below 2**-40 leave nothing in
    float32, so the walk ends once all decays are smaller; the sum of step
    sizes so far then stands for the chunk's sum.
    """
    tl.static_assert(TEST_EVERY % GROUP == 0, 'tests come between groups')
    block = tl.program_id(0)
    index = tl.program_id(1) + (1 if GRAD else 0)
    first, end, local_sequence, sequence, k, backward = scan_range(
        index, first_sequence, b, l, chunk, reverse_bits)
    packs, in_p = program_packs(block, d, FULL_BLOCKS)
    c, inside, _, _ = program_channels(block, d, FULL_BLOCKS, USE_PTX)
    tile = tile_offsets(c, d)
    A = tl.load(A_p + k * STATES * d + tile, mask=inside, other=0.) * LOG2E
    dp = d // PACK
    position = first if GRAD else end - 1
    step = 1 - 2 * backward
    origin = sequence * l + tl.where(backward == 1, l - 1 - position, position)
    step = step if GRAD else -step
    x_p += (origin - k * b * l if SHARED_X else origin) * dp + packs
    delta_p += origin * dp + packs
    bc_p += origin * (BC_ROW // PACK)
    h = tl.zeros([4, 4, CHANNELS], tl.float32)
    total = tl.sum(h, axis=0, keep_dims=True)
    # Per channel, the rate of the state with the slowest decay.
    slow = tl.max(A, axis=0, keep_dims=True)
    count = end - first
    whole = count // GROUP * GROUP
    x4, s4, bc4 = load_group(x_p, delta_p, bc_p, 0, count - 1, step, dp, in_p,
                             USE_PTX)
    i = 0
    while i < whole:
        x5, s5, bc5 = load_group(x_p, delta_p, bc_p, i + GROUP, count - 1,
                                 step, dp, in_p, USE_PTX)
        h, total = _add_group(h, total, x4, s4, bc4, A, GRAD, DTYPE, USE_PTX)
        x4, s4, bc4 = x5, s5, bc5
        i += GROUP
        if i % TEST_EVERY == 0:
            left = tl.max(tl.where(inside, total * slow, -float('inf')))
            # The early end skips the remaining tokens and the tail below.
            more = any_lane_above(left, NEGLIGIBLE, USE_PTX)
            i = tl.where(more, i, count + GROUP)
    if (i == whole) & (whole < count):
        ok = whole + tl.arange(0, 4)[:, None] < count
        x4, s4 = tl.where(ok, x4, 0), tl.where(ok, s4, 0)
        h, total = _add_group(h, total, x4, s4, bc4, A, GRAD, DTYPE, USE_PTX)
    at = local_sequence * chunks + index
    tl.store(chunk_states_p + at * STATES * d + tile, h, mask=inside)
    tl.store(
        step_sums_p + at * d + c,
        tl.max(total, axis=1, keep_dims=True),
        mask=inside)
