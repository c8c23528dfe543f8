"""Backward scan for 16 states in half precision, in Triton.

The kernel computes what that of scan_kernels_triton.py does, with a warp's
registers laid out by hand, see scan_slots_triton.py. A shuffle to all lanes
at once hands out a number of every lane, and sums over lanes come back the
same way, with nothing to select or unpack; loads take one number a lane.
"""
import triton
import triton.language as tl

from .launch_triton import launched
from .scan_kernels_triton import VARYING, span
from .scan_slots_triton import (load_state, spread_channels, spread_states,
                                sum_channels, sum_states, turn)
from .scan_tiles_triton import (LOG2E, along_rows, fetch_ahead,
                                input_gradients, lane_places, store_own,
                                tile_places)


@triton.jit
def _states(ASM: tl.constexpr):
    """Return the lanes' states (4, 8)."""
    lc = tl.arange(0, 8)[None, :]
    return along_rows(4 * tl.arange(0, 4)[:, None] + lc % 4, ASM)


@triton.jit
def _advance(h, u, s, B, A, ASM: tl.constexpr):
    """Return the state after a token."""
    s = s.to(tl.float32)
    x = spread_channels(s * u.to(tl.float32), ASM)
    a = tl.exp2(spread_channels(s, ASM) * A)
    return a * h + x * spread_states(B.to(tl.float32), ASM)


@triton.jit
def _load_input(u_p, s_p, b_p, c, n, t, row, narrow, mask):
    """Load input, step size and B of a token, each lane its own.

    Offsets are 32 bits wide and have the lanes' part, so that each takes one
    vector instruction and not two uniform ones and copies.
    """
    at = c + t * row
    return (tl.load(u_p + at, mask=mask,
                    other=0.), tl.load(s_p + at, mask=mask, other=0.),
            tl.load(b_p + (n + t * narrow)))


@triton.jit
def _load_output(dy_p, c_p, c, n, t, row, narrow, mask):
    """Load C and the output's gradient of a token, each lane its own."""
    return (tl.load(c_p + (n + t * narrow)),
            tl.load(dy_p + (c + t * row), mask=mask, other=0.))


@triton.jit
def _differentiate_token(g, dA, before, after, token, output, A, skip,
                         SOFTPLUS: tl.constexpr, ASM: tl.constexpr):
    """Pull the gradient of a token's output through its state.

    Returns the gradient of the state before it, the sum for A, and the
    gradients of B and C, of u, of delta, and of the skip weight.
    """
    u, s, B = token
    C, dy = output
    u, s, dy = u.to(tl.float32), s.to(tl.float32), dy.to(tl.float32)
    each_s, each_dy = spread_channels(s, ASM), spread_channels(dy, ASM)
    g += each_dy * spread_states(C.to(tl.float32), ASM)
    dbc = sum_channels(spread_channels(s * u, ASM) * g, each_dy * after, ASM)
    through_b = sum_states(g * spread_states(B.to(tl.float32), ASM), ASM)
    g *= tl.exp2(each_s * A)
    q = g * before
    through_a = sum_states(q * A, ASM)
    dA += q * each_s
    du, ddelta = input_gradients(u, s, dy, skip, through_b, through_a,
                                 SOFTPLUS)
    return g, dA, dbc, du, ddelta, dy * u


@launched
@triton.jit(do_not_specialize=VARYING)
def lanes_bwd_kernel(
        u_p,  # (k, b, l, d)
        delta_p,  # (k, b, l, d), after softplus
        A_p,  # (k, 16, d)
        bc_p,  # (k, b, l, 2, 16)
        D_p,  # (k, d)
        dy_p,  # (b, l, d) if SHARED_DY else (k, b, l, d)
        states_p,  # (k, b, steps, blocks, 512), see load_state
        start_p,  # (kb, chunks, 16, d), gradient each chunk receives
        du_p,  # (k, b, l, d)
        ddelta_p,  # (k, b, l, d)
        dbc_p,  # (blocks, k, b, l, 32), see sum_channels
        sums_p,  # (kb, chunks, 18, d): for A, D and the step bias
        kb0,
        partial,
        b,
        l,
        d,
        chunk,
        reversed_,
        WHOLE: tl.constexpr,
        HAS_START: tl.constexpr,
        SHARED_DY: tl.constexpr,
        SOFTPLUS: tl.constexpr,
        ASM: tl.constexpr):
    """Differentiate a chunk, a turn of 4 tokens at a time from its end.

    Its states are computed once more from the stored one before it. What the
    next turn needs is loaded into the registers that this one has done with.
    """
    block = tl.program_id(0)
    first, end, sequence, kb, k, backward = span(
        tl.program_id(1), kb0, b, l, chunk, reversed_)
    c, inside, mine, in_y = lane_places(block, d, WHOLE, ASM)
    tile = tile_places(c, d)
    A = tl.load(A_p + k * 16 * d + tile, mask=inside, other=0.)
    A = turn(A) * LOG2E
    skip = tl.load(D_p + k * d + mine, mask=in_y, other=0.)
    step = 1 - 2 * backward
    place = kb * l + tl.where(backward == 1, l - 1 - first, first)
    u_p += place * d
    delta_p += place * d
    dy_p += (place - k * b * l if SHARED_DY else place) * d
    bc_p += place * 32
    c_p = bc_p + 16
    du_p += place * d
    ddelta_p += place * d
    n = _states(ASM)
    ln = tl.arange(0, 4)[:, None]
    lc = tl.arange(0, 8)[None, :]
    lane = along_rows(8 * ln + lc, ASM)
    dbc_p += block.to(tl.int64) * partial + place * 32
    row, narrow = step * d, step * 32
    every = tl.num_programs(0).to(tl.int64) * 512
    states_p += (kb * tl.cdiv(l, 4) + first // 4) * every
    states_p += block * 512
    sectors = 8 * tl.arange(0, 64)
    # Four channels a lane; the last ones again in place of those beyond.
    near = block * 32 + 4 * lc
    if not WHOLE:
        near = tl.minimum(near, d - 4)
    g = tl.zeros([4, 4, 32], tl.float32)
    if HAS_START:
        at = sequence * tl.num_programs(1) + tl.program_id(1)
        g += turn(tl.load(start_p + at * 16 * d + tile, mask=inside, other=0.))
    dA = tl.zeros([4, 4, 32], tl.float32)
    dD = 0. * skip
    dbias = dD
    count = end - first
    i0 = count // 4 * 4
    if i0 < count:
        h = load_state(states_p + i0 // 4 * every)
        hs = (h, )
        tokens = ()
        for j in tl.static_range(3):
            t = tl.minimum(i0 + j, count - 1)
            u, s, B = _load_input(u_p, delta_p, bc_p, mine, n, t, row, narrow,
                                  in_y)
            # Without a step and a gradient of its own a token changes nothing.
            s = tl.where(i0 + j < count, s, 0.)
            h = _advance(h, u, s, B, A, ASM)
            hs = hs + (h, )
            tokens = tokens + ((u, s, B), )
        for back in tl.static_range(3):
            t = i0 + 2 - back
            ok = t < count
            C, dy = _load_output(dy_p, c_p, mine, n, tl.minimum(t, count - 1),
                                 row, narrow, in_y)
            dy = tl.where(ok, dy, 0.)
            g, dA, dbc, du, ddelta, share = _differentiate_token(
                g, dA, hs[2 - back], hs[3 - back], tokens[2 - back], (C, dy),
                A, skip, SOFTPLUS, ASM)
            store_own(du_p + (mine + t * row), du, in_y & ok, ASM)
            store_own(ddelta_p + (mine + t * row), ddelta, in_y & ok, ASM)
            tl.store(dbc_p + (lane + t * narrow), dbc, mask=(lane >= 0) & ok)
            dD += share
            dbias += ddelta
    if i0 > 0:
        i0 -= 4
        h0 = load_state(states_p + i0 // 4 * every)
        tokens = ()
        for j in tl.static_range(4):
            tokens = tokens + (_load_input(u_p, delta_p, bc_p, mine, n, i0 + j,
                                           row, narrow, in_y), )
        output0 = _load_output(dy_p, c_p, mine, n, i0 + 3, row, narrow, in_y)
        output1 = _load_output(dy_p, c_p, mine, n, i0 + 2, row, narrow, in_y)
        for turns in range(count // 4):
            i6 = tl.maximum(i0 - 8, 0)
            t6 = i6 + ln
            fetch_ahead(states_p + i6 // 4 * every + sectors, ASM)
            # Four tokens, 8 bytes a lane.
            ahead = near + t6 * row
            fetch_ahead(u_p + ahead, ASM)
            fetch_ahead(delta_p + ahead, ASM)
            fetch_ahead(dy_p + ahead, ASM)
            fetch_ahead(bc_p + 4 * lc + t6 * narrow, ASM)
            h = h0
            hs = (h, )
            for j in tl.static_range(4):
                u, s, B = tokens[j]
                h = _advance(h, u, s, B, A, ASM)
                hs = hs + (h, )
            more = ()
            i5 = tl.maximum(i0 - 4, 0)
            for back in tl.static_range(4):
                g, dA, dbc, du, ddelta, share = _differentiate_token(
                    g, dA, hs[3 - back], hs[4 - back], tokens[3 - back],
                    output0, A, skip, SOFTPLUS, ASM)
                # Ahead of the stores, which no load may pass.
                more = (_load_input(u_p, delta_p, bc_p, mine, n, i5 + 3 - back,
                                    row, narrow, in_y), ) + more
                output0 = output1
                output1 = _load_output(dy_p, c_p, mine, n,
                                       tl.maximum(i0 + 1 - back, 0), row,
                                       narrow, in_y)
                if back == 0:
                    h0 = load_state(states_p + i5 // 4 * every)
                t = i0 + 3 - back
                store_own(du_p + (mine + t * row), du, in_y, ASM)
                store_own(ddelta_p + (mine + t * row), ddelta, in_y, ASM)
                tl.store(dbc_p + (lane + t * narrow), dbc)
                dD += share
                dbias += ddelta
            tokens = more
            i0 = i5
    at = (sequence * tl.num_programs(1) + tl.program_id(1)) * 18
    tl.store(sums_p + at * d + tile, turn(dA), mask=inside)
    tl.store(sums_p + (at + 16) * d + mine, dD, mask=in_y)
    tl.store(sums_p + (at + 17) * d + mine, dbias, mask=in_y)
