"""Backward scan for 16 states in half precision.

The kernel computes the same as general_bwd.py, with the registers of a warp
laid out by hand, see n16_layout.py and n16_bwd_layout.py. A butterfly shuffle
of all lanes at once spreads a number per lane over the tile, and sums over
lanes return by the same shuffles, with nothing to select or unpack. Loads take
a single number per lane.
"""
import triton
import triton.language as tl

from ...runtime.triton_launcher import cached_launch
from ...runtime.triton_warp import LOG2E, along_rows, fetch_ahead
from .input_gradients import input_gradients
from .n16_bwd_layout import (load_state, spread_channels, spread_states,
                             sum_channels, sum_states, swap_lane_order)
from .n16_layout import (BC_ROW, CHANNELS, STATES, TILE, program_channels,
                         store_lane_channels, tile_offsets)
from .program import GROUP, VARYING, scan_range

# Rows of partial sums of a chunk: rates per state, skip weight, step bias.
SUM_ROWS = tl.constexpr(18)


@triton.jit
def _lane_states(USE_PTX: tl.constexpr):
    """Return the state of each lane (4, 8)."""
    lc = tl.arange(0, 8)[None, :]
    return along_rows(4 * tl.arange(0, 4)[:, None] + lc % 4, USE_PTX)


@triton.jit
def _next_state(h, u, s, B, A, USE_PTX: tl.constexpr):
    """Return the state after a token."""
    s = s.to(tl.float32)
    x = spread_channels(s * u.to(tl.float32), USE_PTX)
    a = tl.exp2(spread_channels(s, USE_PTX) * A)
    return a * h + x * spread_states(B.to(tl.float32), USE_PTX)


@triton.jit
def _load_input(u_p, s_p, b_p, c, n, t, row, bc_row, mask):
    """Load a token's input, step size and B, a number per lane each.

    Offsets are 32 bits wide and include the lane's part: a single vector
    instruction computes each, instead of two uniform instructions and copies.
    """
    at = c + t * row
    return (tl.load(u_p + at, mask=mask,
                    other=0.), tl.load(s_p + at, mask=mask, other=0.),
            tl.load(b_p + (n + t * bc_row)))


@triton.jit
def _load_output(dy_p, c_p, c, n, t, row, bc_row, mask):
    """Load a token's C and output gradient, a number per lane each."""
    return (tl.load(c_p + (n + t * bc_row)),
            tl.load(dy_p + (c + t * row), mask=mask, other=0.))


@triton.jit
def _differentiate_token(g, dA, before, after, token, output, A, skip,
                         SOFTPLUS: tl.constexpr, USE_PTX: tl.constexpr):
    """Pull the gradient of a token's output back through the state.

    Returns the gradient of the state before the token, the sum for A, and the
    gradients of B and C, of u, of delta, and of the skip weight.
    """
    u, s, B = token
    C, dy = output
    u, s, dy = u.to(tl.float32), s.to(tl.float32), dy.to(tl.float32)
    tile_s, tile_dy = spread_channels(s, USE_PTX), spread_channels(dy, USE_PTX)
    g += tile_dy * spread_states(C.to(tl.float32), USE_PTX)
    dbc = sum_channels(
        spread_channels(s * u, USE_PTX) * g, tile_dy * after, USE_PTX)
    through_b = sum_states(g * spread_states(B.to(tl.float32), USE_PTX),
                           USE_PTX)
    g *= tl.exp2(tile_s * A)
    q = g * before
    through_a = sum_states(q * A, USE_PTX)
    dA += q * tile_s
    du, ddelta = input_gradients(u, s, dy, skip, through_b, through_a,
                                 SOFTPLUS)
    return g, dA, dbc, du, ddelta, dy * u


@cached_launch
@triton.jit(do_not_specialize=VARYING)
def n16_bwd_kernel(
        u_p,  # (k, b, l, d)
        delta_p,  # (k, b, l, d), after softplus
        A_p,  # (k, 16, d)
        bc_p,  # (k, b, l, 2, 16)
        D_p,  # (k, d)
        dy_p,  # (b, l, d) if SHARED_DY else (k, b, l, d)
        states_p,  # (k, b, groups, blocks, TILE), see load_state
        start_p,  # (sequences, chunks, 16, d), gradient each chunk receives
        du_p,  # (k, b, l, d)
        ddelta_p,  # (k, b, l, d)
        dbc_p,  # (blocks, k, b, l, 32), partial sums, see sum_channels
        sums_p,  # (sequences, chunks, 18, d): for A, D and the step bias
        first_sequence,
        block_stride,
        b,
        l,
        d,
        chunk,
        reverse_bits,
        FULL_BLOCKS: tl.constexpr,
        HAS_START: tl.constexpr,
        SHARED_DY: tl.constexpr,
        SOFTPLUS: tl.constexpr,
        USE_PTX: tl.constexpr):
    """Differentiate a chunk, a group of 4 tokens at a time, from the end.

    The states of a group are recomputed from the stored state before the
    group. The inputs of the next group are loaded into registers as this
    group releases them.
    """
    tl.static_assert(GROUP == 4, 'loads are timed for groups of 4')
    block = tl.program_id(0)
    first, end, local_sequence, sequence, k, backward = scan_range(
        tl.program_id(1), first_sequence, b, l, chunk, reverse_bits)
    c, inside, kept, in_y = program_channels(block, d, FULL_BLOCKS, USE_PTX)
    tile = tile_offsets(c, d)
    A = tl.load(A_p + k * STATES * d + tile, mask=inside, other=0.)
    A = swap_lane_order(A) * LOG2E
    skip = tl.load(D_p + k * d + kept, mask=in_y, other=0.)
    step = 1 - 2 * backward
    origin = sequence * l + tl.where(backward == 1, l - 1 - first, first)
    u_p += origin * d
    delta_p += origin * d
    dy_p += (origin - k * b * l if SHARED_DY else origin) * d
    bc_p += origin * BC_ROW
    c_p = bc_p + STATES
    du_p += origin * d
    ddelta_p += origin * d
    n = _lane_states(USE_PTX)
    ln = tl.arange(0, 4)[:, None]
    lc = tl.arange(0, 8)[None, :]
    lane = along_rows(8 * ln + lc, USE_PTX)
    dbc_p += block.to(tl.int64) * block_stride + origin * BC_ROW
    row, bc_row = step * d, step * BC_ROW
    state_row = tl.num_programs(0).to(tl.int64) * TILE
    states_p += (sequence * tl.cdiv(l, GROUP) + first // GROUP) * state_row
    states_p += block * TILE
    # Offsets within a stored state, 8 numbers (32 bytes, a sector) apart.
    sectors = 8 * tl.arange(0, TILE // 8)
    # Four channels a lane for prefetches, clamped to the last channels.
    fetched = block * CHANNELS + 4 * lc
    if not FULL_BLOCKS:
        fetched = tl.minimum(fetched, d - 4)
    g = tl.zeros([4, 4, CHANNELS], tl.float32)
    if HAS_START:
        at = local_sequence * tl.num_programs(1) + tl.program_id(1)
        start = tl.load(
            start_p + at * STATES * d + tile, mask=inside, other=0.)
        g += swap_lane_order(start)
    dA = tl.zeros([4, 4, CHANNELS], tl.float32)
    dD = 0. * skip
    dbias = dD
    count = end - first
    i0 = count // GROUP * GROUP
    if i0 < count:
        h = load_state(states_p + i0 // GROUP * state_row)
        hs = (h, )  # type: tuple
        tokens = ()  # type: tuple
        for j in tl.static_range(GROUP - 1):
            t = tl.minimum(i0 + j, count - 1)
            u, s, B = _load_input(u_p, delta_p, bc_p, kept, n, t, row, bc_row,
                                  in_y)
            # A token without a step and a gradient changes nothing.
            s = tl.where(i0 + j < count, s, 0.)
            h = _next_state(h, u, s, B, A, USE_PTX)
            hs = hs + (h, )
            tokens = tokens + ((u, s, B), )
        for back in tl.static_range(GROUP - 1):
            t = i0 + GROUP - 2 - back
            ok = t < count
            C, dy = _load_output(dy_p, c_p, kept, n, tl.minimum(t, count - 1),
                                 row, bc_row, in_y)
            dy = tl.where(ok, dy, 0.)
            g, dA, dbc, du, ddelta, share = _differentiate_token(
                g, dA, hs[GROUP - 2 - back], hs[GROUP - 1 - back],
                tokens[GROUP - 2 - back], (C, dy), A, skip, SOFTPLUS, USE_PTX)
            store_lane_channels(du_p + (kept + t * row), du, in_y & ok,
                                USE_PTX)
            store_lane_channels(ddelta_p + (kept + t * row), ddelta, in_y & ok,
                                USE_PTX)
            tl.store(dbc_p + (lane + t * bc_row), dbc, mask=(lane >= 0) & ok)
            dD += share
            dbias += ddelta
    if i0 > 0:
        i0 -= GROUP
        h0 = load_state(states_p + i0 // GROUP * state_row)
        tokens = ()
        for j in tl.static_range(GROUP):
            tokens = tokens + (_load_input(u_p, delta_p, bc_p, kept, n, i0 + j,
                                           row, bc_row, in_y), )
        output0 = _load_output(dy_p, c_p, kept, n, i0 + GROUP - 1, row, bc_row,
                               in_y)
        output1 = _load_output(dy_p, c_p, kept, n, i0 + GROUP - 2, row, bc_row,
                               in_y)
        for _ in range(count // GROUP):
            # Prefetch the group after the next to L2, 8 bytes a lane.
            i2 = tl.maximum(i0 - 2 * GROUP, 0)
            t2 = i2 + ln
            fetch_ahead(states_p + i2 // GROUP * state_row + sectors, USE_PTX)
            at2 = fetched + t2 * row
            fetch_ahead(u_p + at2, USE_PTX)
            fetch_ahead(delta_p + at2, USE_PTX)
            fetch_ahead(dy_p + at2, USE_PTX)
            fetch_ahead(bc_p + 4 * lc + t2 * bc_row, USE_PTX)
            h = h0
            hs = (h, )
            for j in tl.static_range(GROUP):
                u, s, B = tokens[j]
                h = _next_state(h, u, s, B, A, USE_PTX)
                hs = hs + (h, )
            next_tokens = ()  # type: tuple
            i1 = tl.maximum(i0 - GROUP, 0)
            for back in tl.static_range(GROUP):
                g, dA, dbc, du, ddelta, share = _differentiate_token(
                    g, dA, hs[GROUP - 1 - back], hs[GROUP - back],
                    tokens[GROUP - 1 - back], output0, A, skip, SOFTPLUS,
                    USE_PTX)
                # Loads stand before the stores, since no load may pass one.
                next_tokens = (_load_input(u_p, delta_p, bc_p, kept, n,
                                           i1 + GROUP - 1 - back, row, bc_row,
                                           in_y), ) + next_tokens
                output0 = output1
                output1 = _load_output(dy_p, c_p, kept, n,
                                       tl.maximum(i0 + GROUP - 3 - back, 0),
                                       row, bc_row, in_y)
                if back == 0:
                    h0 = load_state(states_p + i1 // GROUP * state_row)
                t = i0 + GROUP - 1 - back
                store_lane_channels(du_p + (kept + t * row), du, in_y, USE_PTX)
                store_lane_channels(ddelta_p + (kept + t * row), ddelta, in_y,
                                    USE_PTX)
                tl.store(dbc_p + (lane + t * bc_row), dbc)
                dD += share
                dbias += ddelta
            tokens = next_tokens
            i0 = i1
    at = local_sequence * tl.num_programs(1) + tl.program_id(1)
    at *= SUM_ROWS
    tl.store(sums_p + at * d + tile, swap_lane_order(dA), mask=inside)
    tl.store(sums_p + (at + STATES) * d + kept, dD, mask=in_y)
    tl.store(sums_p + (at + STATES + 1) * d + kept, dbias, mask=in_y)
