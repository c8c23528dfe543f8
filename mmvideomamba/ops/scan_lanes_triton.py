"""Selective-scan kernels for 16 states in half precision, in Triton.

They compute what those of scan_kernels_triton.py do, with a warp's registers
laid out by hand. The lanes are axes, (4, 8). Lane ``8 ln + lc`` loads, and
stores, one channel, ``4 lc + ln``, and one state, ``4 ln + lc % 4``, of every
token; it computes with 4 x 4 numbers of a tile (4, 4, 32) of the states
``4 ln + i`` and the channels ``4 lc + j``.

- The 4 x 4 stand in an order of the lane's own (``turn``), in which the
  number in slot i comes from the lane whose number differs in the bits i. So
  a shuffle to all lanes at once hands out a token, and the sums over lanes
  come back the same way, with nothing to select.
- A token is loaded two ahead of its turn, between the stores of those before:
  no load may pass a store, so ptxas cannot move it next to its use, where it
  would be waited for.
"""
import triton
import triton.language as tl

from .scan_kernels_triton import VARYING
from .scan_tiles_triton import (LN2, LOG2E, above, along_rows, fetch_ahead,
                                own_channels, softplus_slope, spread_channels,
                                spread_states, store_own, sum_channels,
                                sum_states, turn)

# Tokens between stored states.
EVERY = tl.constexpr(4)


@triton.jit
def _places(block, d, WHOLE: tl.constexpr, ASM: tl.constexpr):
    """Return a program's channels, and those of the lanes.

    Shapes (1, 1, 32) and (4, 8); each with the mask of those that exist.
    """
    c = block * 32 + tl.arange(0, 32)[None, None, :]
    mine = own_channels(block, ASM)
    return c, (c < d) | WHOLE, mine, (mine < d) | WHOLE


@triton.jit
def _states(ASM: tl.constexpr):
    """Return the lanes' states (4, 8)."""
    lc = tl.arange(0, 8)[None, :]
    return along_rows(4 * tl.arange(0, 4)[:, None] + lc % 4, ASM)


@triton.jit
def _tile(c, d):
    """Return the places of a tile (4, 4, 32) in memory, (16, d)."""
    n = tl.arange(0, 4)[:, None, None] + 4 * tl.arange(0, 4)[None, :, None]
    # As in along_rows: the lanes are the last two axes. And d is a multiple
    # of 4, so that a lane has four neighbouring channels.
    return tl.multiple_of(tl.max_contiguous(n * d + c, [1, 4, 32]), [1, 1, 4])


@triton.jit
def _pieces(block, d):
    """Return the places (4, 4, 8) of every fourth number of a tile."""
    n = tl.arange(0, 4)[:, None, None] + 4 * tl.arange(0, 4)[None, :, None]
    c = block * 32 + 4 * tl.arange(0, 8)[None, None, :]
    return tl.max_contiguous(n * d + c, [1, 4, 8])


@triton.jit
def _load_rates(A_p, k, d, tile, inside):
    """Load A in the lanes' order; exp2 takes the place of exp."""
    return turn(tl.load(A_p + k * 16 * d + tile, mask=inside,
                        other=0.)) * LOG2E


@triton.jit
def _load_token(u_p, s_p, bc_p, c, n, t, row, narrow, mask):
    """Load x, step size, B and C of a token, each lane its own.

    And return where the channels are. The sum has the lanes' part, so that it
    takes one vector instruction and not two uniform ones and copies.
    """
    at = c + t * row
    bc_p += n + t * narrow
    return (tl.load(u_p + at, mask=mask,
                    other=0.), tl.load(s_p + at, mask=mask, other=0.),
            tl.load(bc_p), tl.load(bc_p + 16), at)


@triton.jit
def _advance(h, u, s, B, A, ASM: tl.constexpr):
    """Return the state after a token, and its decay."""
    s = s.to(tl.float32)
    x = spread_channels(s * u.to(tl.float32), ASM)
    a = tl.exp2(spread_channels(s, ASM) * A)
    return a * h + x * spread_states(B.to(tl.float32), ASM)


@triton.jit
def _scan_token(h, token, A, skip, y_p, mask, HAS_Y: tl.constexpr,
                ASM: tl.constexpr):
    """Scan a token; store its output; return the state after it."""
    u, s, B, C, at = token
    h = _advance(h, u, s, B, A, ASM)
    if HAS_Y:
        y = sum_states(h * spread_states(C.to(tl.float32), ASM), ASM)
        store_own(y_p + at, y + skip * u.to(tl.float32), mask, ASM)
    return h


@triton.jit(do_not_specialize=VARYING)
def lanes_fwd_kernel(
        u_p,  # (k, b, l, d)
        delta_p,  # (k, b, l, d), after softplus
        A_p,  # (k, 16, d)
        bc_p,  # (k, b, l, 2, 16)
        D_p,  # (k, d)
        start_p,  # (kb, chunks, 16, d), state before each chunk
        y_p,  # (k, b, l, d)
        states_p,  # (k, b, steps, 16, d), before every 4 tokens; see turn
        last_p,  # (k, b, 16, d)
        kb0,
        b,
        l,
        d,
        chunk,
        reversed_,
        WHOLE: tl.constexpr,
        HAS_START: tl.constexpr,
        HAS_STATES: tl.constexpr,
        HAS_Y: tl.constexpr,
        ASM: tl.constexpr):
    """Scan a chunk."""
    block = tl.program_id(0)
    first = tl.program_id(1) * chunk
    end = tl.minimum(first + chunk, l)
    sequence = tl.program_id(2).to(tl.int64)
    kb = kb0 + sequence
    k = kb // b
    backward = (reversed_ >> k.to(tl.int32)) & 1
    c, inside, mine, in_y = _places(block, d, WHOLE, ASM)
    tile = _tile(c, d)
    A = _load_rates(A_p, k, d, tile, inside)
    skip = tl.load(D_p + k * d + mine, mask=in_y, other=0.)
    # Scan position i is token i, or l - 1 - i in the other direction.
    step = 1 - 2 * backward
    place = kb * l + tl.where(backward == 1, l - 1 - first, first)
    u_p += place * d
    delta_p += place * d
    bc_p += place * 32
    y_p += place * d
    n = _states(ASM)
    h = tl.zeros([4, 4, 32], tl.float32)
    if HAS_START:
        at = sequence * tl.num_programs(1) + tl.program_id(1)
        h += turn(tl.load(start_p + at * 16 * d + tile, mask=inside, other=0.))
    states_p += kb * tl.cdiv(l, EVERY) * 16 * d + tile
    states_p += (first // EVERY).to(tl.int64) * 16 * d
    count = end - first
    whole = count // EVERY * EVERY
    stop = count - 1
    row, narrow = step * d, step * 32
    token0 = _load_token(u_p, delta_p, bc_p, mine, n, 0, row, narrow, in_y)
    token1 = _load_token(u_p, delta_p, bc_p, mine, n, tl.minimum(1, stop), row,
                         narrow, in_y)
    for i in range(0, whole, EVERY):
        if HAS_STATES:
            tl.store(states_p, h, mask=inside)
            states_p += 16 * d
        for j in tl.static_range(EVERY):
            t = i + j + 2 if j < 2 else tl.minimum(i + j + 2, stop)
            token2 = _load_token(u_p, delta_p, bc_p, mine, n, t, row, narrow,
                                 in_y)
            h = _scan_token(h, token0, A, skip, y_p, in_y, HAS_Y, ASM)
            token0 = token1
            token1 = token2
    if whole < count:
        if HAS_STATES:
            tl.store(states_p, h, mask=inside)
        for i in range(whole, count):
            token0 = _load_token(u_p, delta_p, bc_p, mine, n, i, row, narrow,
                                 in_y)
            h = _scan_token(h, token0, A, skip, y_p, in_y, HAS_Y, ASM)
    if end == l:
        tl.store(last_p + kb * 16 * d + tile, turn(h), mask=inside)


@triton.jit
def _load_carried(x_p, s_p, w_p, c, n, t, row, narrow, mask):
    """Load of a token what a chunk hands on: x, step size, and B or C."""
    at = c + t * row
    return (tl.load(x_p + at, mask=mask,
                    other=0.), tl.load(s_p + at, mask=mask, other=0.),
            tl.load(w_p + (n + t * narrow)))


@triton.jit
def _carry_token(h, total, token, A, GRAD: tl.constexpr, ASM: tl.constexpr):
    """Add a token to what a chunk hands on, from the receiver backward."""
    x, s, w = token
    x, s = x.to(tl.float32), s.to(tl.float32)
    w = spread_states(w.to(tl.float32), ASM)
    if GRAD:
        total += s
    else:
        x *= s
    a = tl.exp2(spread_channels(total, ASM) * A)
    h += a * (spread_channels(x, ASM) * w)
    return h, total if GRAD else total + s


@triton.jit(do_not_specialize=VARYING)
def lanes_carry_kernel(
        x_p,  # u (k, b, l, d); with GRAD dy, (b, l, d) if SHARED_X
        delta_p,  # (k, b, l, d)
        A_p,  # (k, 16, d)
        bc_p,  # (k, b, l, 2, 16)
        ends_p,  # (kb, chunks, 16, d)
        sums_p,  # (kb, chunks, d), step sizes summed over the chunk
        kb0,
        b,
        l,
        d,
        chunk,
        chunks,
        reversed_,
        WHOLE: tl.constexpr,
        GRAD: tl.constexpr,
        SHARED_X: tl.constexpr,
        ASM: tl.constexpr):
    """Find what a chunk hands on if it is handed zero; see carry_kernel.

    From the token next to the receiving chunk backward: the sum of what each
    token adds, times its decay on the way, ``exp(A sum s)``. All decays below
    2**-40 leave nothing of what lies further back, in float32, so the walk
    ends there. The sum of steps so far then stands for that of the chunk.
    """
    block = tl.program_id(0)
    index = tl.program_id(1) + (1 if GRAD else 0)
    first = index * chunk
    end = tl.minimum(first + chunk, l)
    kb = kb0 + tl.program_id(2).to(tl.int64)
    k = kb // b
    backward = (reversed_ >> k.to(tl.int32)) & 1
    c, inside, mine, in_y = _places(block, d, WHOLE, ASM)
    tile = _tile(c, d)
    A = _load_rates(A_p, k, d, tile, inside)
    position = first if GRAD else end - 1
    step = 1 - 2 * backward
    token = kb * l + tl.where(backward == 1, l - 1 - position, position)
    step = step if GRAD else -step
    x_p += (token - k * b * l if SHARED_X else token) * d
    delta_p += token * d
    bc_p += token * 32 + (16 if GRAD else 0)
    n = _states(ASM)
    h = tl.zeros([4, 4, 32], tl.float32)
    total = tl.zeros([4, 8], tl.float32)
    # Of a channel's states, the rate of the one that decays slowest.
    slow = tl.max(A, axis=0, keep_dims=True)
    count = end - first
    whole = count // 4 * 4
    stop = count - 1
    row, narrow = step * d, step * 32
    i = 0
    t0 = _load_carried(x_p, delta_p, bc_p, mine, n, 0, row, narrow, in_y)
    t1 = _load_carried(x_p, delta_p, bc_p, mine, n, tl.minimum(1, stop), row,
                       narrow, in_y)
    t2 = _load_carried(x_p, delta_p, bc_p, mine, n, tl.minimum(2, stop), row,
                       narrow, in_y)
    t3 = _load_carried(x_p, delta_p, bc_p, mine, n, tl.minimum(3, stop), row,
                       narrow, in_y)
    while i < whole:
        for j in tl.static_range(4):
            t4 = _load_carried(x_p, delta_p, bc_p, mine, n,
                               tl.minimum(i + j + 4, stop), row, narrow, in_y)
            h, total = _carry_token(h, total, t0, A, GRAD, ASM)
            t0 = t1
            t1 = t2
            t2 = t3
            t3 = t4
        i += 4
        if i % 16 == 0:
            left = tl.where(inside,
                            spread_channels(total, ASM) * slow, -float('inf'))
            # Beyond the tokens, and what follows the loop.
            i = tl.where(above(tl.max(left), -40., ASM), i, count + 4)
    if i == whole:
        for i in range(whole, count):
            t0 = _load_carried(x_p, delta_p, bc_p, mine, n, i, row, narrow,
                               in_y)
            h, total = _carry_token(h, total, t0, A, GRAD, ASM)
    at = tl.program_id(2).to(tl.int64) * chunks + index
    tl.store(ends_p + at * 16 * d + tile, turn(h), mask=inside)
    tl.store(sums_p + at * d + mine, total, mask=in_y)


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
    du = s * through_b + dy * skip
    # The rates carry log2(e); take it out again.
    ddelta = u * through_b + through_a * LN2
    if SOFTPLUS:
        ddelta *= softplus_slope(s)
    return g, dA, dbc, du, ddelta, dy * u


@triton.jit(do_not_specialize=VARYING)
def lanes_bwd_kernel(
        u_p,  # (k, b, l, d)
        delta_p,  # (k, b, l, d), after softplus
        A_p,  # (k, 16, d)
        bc_p,  # (k, b, l, 2, 16)
        D_p,  # (k, d)
        dy_p,  # (b, l, d) if SHARED_DY else (k, b, l, d)
        states_p,  # (k, b, steps, 16, d), from lanes_fwd_kernel
        start_p,  # (kb, chunks, 16, d), gradient each chunk receives
        du_p,  # (k, b, l, d)
        ddelta_p,  # (k, b, l, d)
        dbc_p,  # (blocks, k, b, l, 32), see sum_channels
        sums_p,  # (k, b, parts, 18, d): for A, D and the step bias
        kb0,
        parts,
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
    first = tl.program_id(1) * chunk
    end = tl.minimum(first + chunk, l)
    sequence = tl.program_id(2).to(tl.int64)
    kb = kb0 + sequence
    k = kb // b
    backward = (reversed_ >> k.to(tl.int32)) & 1
    c, inside, mine, in_y = _places(block, d, WHOLE, ASM)
    tile = _tile(c, d)
    A = _load_rates(A_p, k, d, tile, inside)
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
    every = 16 * d
    row, narrow = step * d, step * 32
    states_p += kb * tl.cdiv(l, EVERY) * every
    states_p += (first // EVERY).to(tl.int64) * every
    pieces_p = states_p + _pieces(block, d)
    states_p += tile
    g = tl.zeros([4, 4, 32], tl.float32)
    if HAS_START:
        at = sequence * tl.num_programs(1) + tl.program_id(1)
        g += turn(tl.load(start_p + at * 16 * d + tile, mask=inside, other=0.))
    dA = tl.zeros([4, 4, 32], tl.float32)
    dD = 0. * skip
    dbias = dD
    count = end - first
    i0 = count // EVERY * EVERY
    if i0 < count:
        h = tl.load(
            states_p + (i0 // EVERY).to(tl.int64) * every,
            mask=inside,
            other=0.)
        hs = (h, )
        tokens = ()
        for j in tl.static_range(EVERY - 1):
            t = tl.minimum(i0 + j, count - 1)
            u, s, B = _load_carried(u_p, delta_p, bc_p, mine, n, t, row,
                                    narrow, in_y)
            # Without a step and a gradient of its own a token changes nothing.
            s = tl.where(i0 + j < count, s, 0.)
            h = _advance(h, u, s, B, A, ASM)
            hs = hs + (h, )
            tokens = tokens + ((u, s, B), )
        for back in tl.static_range(EVERY - 1):
            t = i0 + 2 - back
            ok = i0 + 2 - back < count
            C, dy = _load_output(dy_p, c_p, mine, n,
                                 tl.minimum(i0 + 2 - back, count - 1), row,
                                 narrow, in_y)
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
        i0 -= EVERY
        h0 = tl.load(
            states_p + (i0 // EVERY).to(tl.int64) * every,
            mask=inside,
            other=0.)
        tokens = ()
        for j in tl.static_range(EVERY):
            tokens = tokens + (_load_carried(u_p, delta_p, bc_p, mine, n,
                                             i0 + j, row, narrow, in_y), )
        output0 = _load_output(dy_p, c_p, mine, n, i0 + 3, row, narrow, in_y)
        output1 = _load_output(dy_p, c_p, mine, n, i0 + 2, row, narrow, in_y)
        for turns in range(count // EVERY):
            i6 = tl.maximum(i0 - 2 * EVERY, 0)
            t6 = i6 + ln
            fetch_ahead(pieces_p + (i6 // EVERY).to(tl.int64) * every, ASM)
            # Four tokens, 8 bytes a lane.
            ahead = block * 32 + 4 * lc + t6 * row
            fetch_ahead(u_p + ahead, ASM)
            fetch_ahead(delta_p + ahead, ASM)
            fetch_ahead(dy_p + ahead, ASM)
            fetch_ahead(bc_p + 4 * lc + t6 * narrow, ASM)
            h = h0
            hs = (h, )
            for j in tl.static_range(EVERY):
                u, s, B = tokens[j]
                h = _advance(h, u, s, B, A, ASM)
                hs = hs + (h, )
            more = ()
            i5 = tl.maximum(i0 - EVERY, 0)
            for back in tl.static_range(EVERY):
                g, dA, dbc, du, ddelta, share = _differentiate_token(
                    g, dA, hs[3 - back], hs[4 - back], tokens[3 - back],
                    output0, A, skip, SOFTPLUS, ASM)
                # Ahead of the stores, which no load may pass.
                more = (_load_carried(u_p, delta_p, bc_p, mine, n, i5 + 3 -
                                      back, row, narrow, in_y), ) + more
                output0 = output1
                output1 = _load_output(dy_p, c_p, mine, n,
                                       tl.maximum(i0 + 1 - back, 0), row,
                                       narrow, in_y)
                if back == 0:
                    h0 = tl.load(
                        states_p + (i5 // EVERY).to(tl.int64) * every,
                        mask=inside,
                        other=0.)
                t = i0 + 3 - back
                store_own(du_p + (mine + t * row), du, in_y, ASM)
                store_own(ddelta_p + (mine + t * row), ddelta, in_y, ASM)
                tl.store(dbc_p + (lane + t * narrow), dbc)
                dD += share
                dbias += ddelta
            tokens = more
            i0 = i5
    at = (kb * parts + tl.program_id(1)) * 18
    tl.store(sums_p + at * d + tile, turn(dA), mask=inside)
    tl.store(sums_p + (at + 16) * d + mine, dD, mask=in_y)
    tl.store(sums_p + (at + 17) * d + mine, dbias, mask=in_y)
