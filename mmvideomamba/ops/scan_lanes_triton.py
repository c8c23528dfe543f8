"""Selective-scan kernels for 16 states in half precision, in Triton.

They compute what those of scan_kernels_triton.py do, with a warp's registers
laid out by hand: lane ``8 ln + lc`` holds the states ``4 ln + i`` of the
channels ``4 lc + j``, a tile (4, 4, 32) over (i, ln, channel). The lanes are
axes, (4, 8), of everything else.

- A turn is four tokens. One load fetches all of a tensor: the lanes of row ln
  the channels of token ln; of B and C, those of column lc the states of token
  ``lc % 4``. A shuffle gives each token's numbers to the lanes that need them.
  So a turn is in flight in a few registers while the one before is computed.
- Sums over lanes are scattered: two values over two lanes become one a lane.
"""
import triton
import triton.language as tl

from .launch_triton import launched
from .scan_kernels_triton import VARYING
from .scan_tiles_triton import (LN2, LOG2E, above, along_rows, column_states,
                                fetch_ahead, own, own_channels, pick_column,
                                pick_row, row_channels, softplus_slope,
                                store_own, sum_channels, sum_states)


@triton.jit
def _places(block, d, WHOLE: tl.constexpr, ASM: tl.constexpr):
    """Return a program's packs of channels, channels, and lanes' channels.

    Shapes (1, 8), (1, 1, 32) and (4, 8); each with the mask of those that
    exist.
    """
    packs = block * 8 + tl.arange(0, 8)[None, :]
    c = block * 32 + tl.arange(0, 32)[None, None, :]
    mine = own_channels(block, ASM)
    return (packs, (packs < d // 4) | WHOLE, c, (c < d) | WHOLE, mine,
            (mine < d) | WHOLE)


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
def _load_turn(x_p, s_p, bc_p, i, stop, step, dp, in_p, ASM: tl.constexpr):
    """Load x, step sizes, B and C of the tokens i to i + 3, or of stop."""
    ln = tl.arange(0, 4)[:, None]
    lc = tl.arange(0, 8)[None, :]
    t = step * tl.minimum(i + ln, stop)
    x = tl.load(x_p + t * dp, mask=in_p & (ln >= 0), other=0)
    s = tl.load(s_p + t * dp, mask=in_p & (ln >= 0), other=0)
    t = step * tl.minimum(i + lc % 4, stop)
    return x, s, tl.load(bc_p + along_rows(t * 8 + lc // 4 * 4 + ln, ASM))


@triton.jit
def _advance(h, u0, s, bc4, A, J: tl.constexpr, KIND: tl.constexpr,
             ASM: tl.constexpr):
    """Return the state after token J of a turn."""
    u = row_channels(u0, KIND)
    B = column_states(pick_column(bc4, J, ASM), KIND, ASM)
    return tl.exp2(s * A) * h + (s * u) * B


@triton.jit
def _scan_token(h, u4, s4, bc4, A, skip, y_p, row, mask, J: tl.constexpr,
                HAS_Y: tl.constexpr, KIND: tl.constexpr, Y_KIND: tl.constexpr,
                ASM: tl.constexpr):
    """Scan token J of a turn; store its output; return the state after it."""
    u0 = pick_row(u4, J, ASM)
    s = row_channels(pick_row(s4, J, ASM), KIND)
    h = _advance(h, u0, s, bc4, A, J, KIND, ASM)
    if HAS_Y:
        C = column_states(pick_column(bc4, 4 + J, ASM), KIND, ASM)
        y = sum_states(h * C, ASM) + skip * own(u0, KIND)
        store_own(y_p + J * row, y, mask, Y_KIND, ASM)
    return h


@launched
@triton.jit(do_not_specialize=VARYING)
def lanes_fwd_kernel(
        u_p,  # (k, b, l, d / 4), four channels in one integer
        delta_p,  # (k, b, l, d / 4), after softplus
        A_p,  # (k, 16, d)
        bc_p,  # (k, b, l, 2, 4), four states in one integer
        D_p,  # (k, d)
        start_p,  # (kb, chunks, 16, d), state before each chunk
        y_p,  # (k, b, l, d)
        states_p,  # (k, b, steps, 16, d), state before every 4 tokens
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
        KIND: tl.constexpr,
        Y_KIND: tl.constexpr,
        ASM: tl.constexpr):
    """Scan a chunk; every turn is loaded one turn ahead."""
    block = tl.program_id(0)
    first = tl.program_id(1) * chunk
    end = tl.minimum(first + chunk, l)
    sequence = tl.program_id(2).to(tl.int64)
    kb = kb0 + sequence
    k = kb // b
    backward = (reversed_ >> k.to(tl.int32)) & 1
    packs, in_p, c, inside, mine, in_y = _places(block, d, WHOLE, ASM)
    tile = _tile(c, d)
    A = tl.load(A_p + k * 16 * d + tile, mask=inside, other=0.) * LOG2E
    skip = tl.load(D_p + k * d + mine, mask=in_y, other=0.)
    dp = d // 4
    # Scan position i is token i, or l - 1 - i in the other direction.
    step = 1 - 2 * backward
    place = kb * l + tl.where(backward == 1, l - 1 - first, first)
    u_p += place * dp + packs
    delta_p += place * dp + packs
    bc_p += place * 8
    y_p += place * d + mine
    h = tl.zeros([4, 4, 32], tl.float32)
    if HAS_START:
        at = sequence * tl.num_programs(1) + tl.program_id(1)
        h += tl.load(start_p + at * 16 * d + tile, mask=inside, other=0.)
    states_p += kb * tl.cdiv(l, 4) * 16 * d + tile
    states_p += (first // 4).to(tl.int64) * 16 * d
    row = step * d
    count = end - first
    whole = count // 4 * 4
    u4, s4, bc4 = _load_turn(u_p, delta_p, bc_p, 0, count - 1, step, dp, in_p,
                             ASM)
    for i in range(0, whole, 4):
        if HAS_STATES:
            tl.store(states_p, h, mask=inside)
            states_p += 16 * d
        u5, s5, bc5 = _load_turn(u_p, delta_p, bc_p, i + 4, count - 1, step,
                                 dp, in_p, ASM)
        for j in tl.static_range(4):
            h = _scan_token(h, u4, s4, bc4, A, skip, y_p, row, in_y, j, HAS_Y,
                            KIND, Y_KIND, ASM)
        u4, s4, bc4 = u5, s5, bc5
        y_p += 4 * row
    if whole < count:
        if HAS_STATES:
            tl.store(states_p, h, mask=inside)
        # With a step of size zero a token changes nothing.
        s4 = tl.where(whole + tl.arange(0, 4)[:, None] < count, s4, 0)
        for j in tl.static_range(3):
            h = _scan_token(h, u4, s4, bc4, A, skip, y_p, row,
                            in_y & (whole + j < count), j, HAS_Y, KIND, Y_KIND,
                            ASM)
    if end == l:
        tl.store(last_p + kb * 16 * d + tile, h, mask=inside)


@triton.jit
def _carry_turn(h, total, x4, s4, bc4, A, GRAD: tl.constexpr,
                KIND: tl.constexpr, ASM: tl.constexpr):
    """Add a turn to what a chunk hands on, from the receiver backward."""
    for j in tl.static_range(4):
        x = row_channels(pick_row(x4, j, ASM), KIND)
        s = row_channels(pick_row(s4, j, ASM), KIND)
        w = column_states(pick_column(bc4, 4 * GRAD + j, ASM), KIND, ASM)
        if GRAD:
            total += s
            h += tl.exp2(total * A) * (x * w)
        else:
            h += tl.exp2(total * A) * ((s * x) * w)
            total += s
    return h, total


@launched
@triton.jit(do_not_specialize=VARYING)
def lanes_carry_kernel(
        x_p,  # u (k, b, l, d / 4); with GRAD dy, (b, l, d / 4) if SHARED_X
        delta_p,  # (k, b, l, d / 4)
        A_p,  # (k, 16, d)
        bc_p,  # (k, b, l, 2, 4)
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
        KIND: tl.constexpr,
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
    packs, in_p, c, inside, _, _ = _places(block, d, WHOLE, ASM)
    tile = _tile(c, d)
    A = tl.load(A_p + k * 16 * d + tile, mask=inside, other=0.) * LOG2E
    dp = d // 4
    position = first if GRAD else end - 1
    step = 1 - 2 * backward
    token = kb * l + tl.where(backward == 1, l - 1 - position, position)
    step = step if GRAD else -step
    x_p += (token - k * b * l if SHARED_X else token) * dp + packs
    delta_p += token * dp + packs
    bc_p += token * 8
    h = tl.zeros([4, 4, 32], tl.float32)
    total = tl.sum(h, axis=0, keep_dims=True)
    # Of a channel's states, the rate of the one that decays slowest.
    slow = tl.max(A, axis=0, keep_dims=True)
    count = end - first
    whole = count // 4 * 4
    x4, s4, bc4 = _load_turn(x_p, delta_p, bc_p, 0, count - 1, step, dp, in_p,
                             ASM)
    i = 0
    while i < whole:
        x5, s5, bc5 = _load_turn(x_p, delta_p, bc_p, i + 4, count - 1, step,
                                 dp, in_p, ASM)
        h, total = _carry_turn(h, total, x4, s4, bc4, A, GRAD, KIND, ASM)
        x4, s4, bc4 = x5, s5, bc5
        i += 4
        if i % 16 == 0:
            left = tl.max(tl.where(inside, total * slow, -float('inf')))
            # Beyond the tokens, and what follows the loop.
            i = tl.where(above(left, -40., ASM), i, count + 4)
    if (i == whole) & (whole < count):
        ok = whole + tl.arange(0, 4)[:, None] < count
        x4, s4 = tl.where(ok, x4, 0), tl.where(ok, s4, 0)
        h, total = _carry_turn(h, total, x4, s4, bc4, A, GRAD, KIND, ASM)
    at = tl.program_id(2).to(tl.int64) * chunks + index
    tl.store(ends_p + at * 16 * d + tile, h, mask=inside)
    tl.store(
        sums_p + at * d + c,
        tl.max(total, axis=1, keep_dims=True),
        mask=inside)


@triton.jit
def _recompute(h, u4, s4, bc4, A, J: tl.constexpr, KIND: tl.constexpr,
               ASM: tl.constexpr):
    """Return the state after token J of a turn."""
    s = row_channels(pick_row(s4, J, ASM), KIND)
    return _advance(h, pick_row(u4, J, ASM), s, bc4, A, J, KIND, ASM)


@triton.jit
def _differentiate_token(g, dA, before, after, u4, s4, dy4, bc4, A, skip,
                         J: tl.constexpr, SOFTPLUS: tl.constexpr,
                         KIND: tl.constexpr, ASM: tl.constexpr):
    """Pull the gradient of a token's output through its state.

    Returns the gradient of the state before it, the sum for A, and the
    gradients of B and C, of u, of delta, and of the skip weight.
    """
    u0, s0 = pick_row(u4, J, ASM), pick_row(s4, J, ASM)
    dy0 = pick_row(dy4, J, ASM)
    u = row_channels(u0, KIND)
    s = row_channels(s0, KIND)
    dy = row_channels(dy0, KIND)
    g += dy * column_states(pick_column(bc4, 4 + J, ASM), KIND, ASM)
    dbc = sum_channels((s * u) * g, dy * after, ASM)
    through_b = sum_states(
        g * column_states(pick_column(bc4, J, ASM), KIND, ASM), ASM)
    g *= tl.exp2(s * A)
    q = g * before
    through_a = sum_states(q * A, ASM)
    dA += q * s
    u, s, dy = own(u0, KIND), own(s0, KIND), own(dy0, KIND)
    du = s * through_b + dy * skip
    # The rates carry log2(e); take it out again.
    ddelta = u * through_b + through_a * LN2
    if SOFTPLUS:
        ddelta *= softplus_slope(s)
    return g, dA, dbc, du, ddelta, dy * u


@launched
@triton.jit(do_not_specialize=VARYING)
def lanes_bwd_kernel(
        u_p,  # (k, b, l, d / 4)
        delta_p,  # (k, b, l, d / 4), after softplus
        A_p,  # (k, 16, d)
        bc_p,  # (k, b, l, 2, 4)
        D_p,  # (k, d)
        dy_p,  # (b, l, d / 4) if SHARED_DY else (k, b, l, d / 4)
        states_p,  # (k, b, steps, 16, d)
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
        KIND: tl.constexpr,
        ASM: tl.constexpr):
    """Differentiate a chunk, a turn at a time from its end.

    A turn's last token is preceded by the loads of the next turn, ahead of
    the stores they need not wait for, since no load may pass a store.
    """
    block = tl.program_id(0)
    first = tl.program_id(1) * chunk
    end = tl.minimum(first + chunk, l)
    sequence = tl.program_id(2).to(tl.int64)
    kb = kb0 + sequence
    k = kb // b
    backward = (reversed_ >> k.to(tl.int32)) & 1
    packs, in_p, c, inside, mine, in_y = _places(block, d, WHOLE, ASM)
    tile = _tile(c, d)
    A = tl.load(A_p + k * 16 * d + tile, mask=inside, other=0.) * LOG2E
    skip = tl.load(D_p + k * d + mine, mask=in_y, other=0.)
    dp = d // 4
    step = 1 - 2 * backward
    token = kb * l + tl.where(backward == 1, l - 1, 0)
    u_p += token * dp + packs
    delta_p += token * dp + packs
    dy_p += (token - k * b * l if SHARED_DY else token) * dp + packs
    bc_p += token * 8
    du_p += token * d + mine
    ddelta_p += token * d + mine
    ln = tl.arange(0, 4)[:, None]
    lane = 8 * ln + tl.arange(0, 8)[None, :]
    dbc_p += block.to(tl.int64) * partial + token * 32 + lane
    states_p += kb * tl.cdiv(l, 4) * 16 * d
    # Where rows of a state lie, 16 bytes a lane.
    pieces_p = states_p + _pieces(block, d)
    states_p += tile
    every = 16 * d
    g = tl.zeros([4, 4, 32], tl.float32)
    if HAS_START:
        at = sequence * tl.num_programs(1) + tl.program_id(1)
        g += tl.load(start_p + at * 16 * d + tile, mask=inside, other=0.)
    dA = tl.zeros([4, 4, 32], tl.float32)
    dD = 0. * skip
    dbias = dD
    turns = (end - first) // 4
    i0 = first + turns * 4
    stop = end - 1
    if i0 < end:
        u4, s4, bc4 = _load_turn(u_p, delta_p, bc_p, i0, stop, step, dp, in_p,
                                 ASM)
        h0 = tl.load(
            states_p + (i0 // 4).to(tl.int64) * every, mask=inside, other=0.)
        t = step * tl.minimum(i0 + ln, stop)
        dy4 = tl.load(dy_p + t * dp, mask=in_p & (ln >= 0), other=0)
        # Without a step and a gradient of its own a token changes nothing.
        s4 = tl.where(i0 + ln < end, s4, 0)
        dy4 = tl.where(i0 + ln < end, dy4, 0)
        h1 = _recompute(h0, u4, s4, bc4, A, 0, KIND, ASM)
        h2 = _recompute(h1, u4, s4, bc4, A, 1, KIND, ASM)
        h3 = _recompute(h2, u4, s4, bc4, A, 2, KIND, ASM)
        hs = (h0, h1, h2, h3)
        for back in tl.static_range(3):
            g, dA, dbc, du, ddelta, share = _differentiate_token(
                g, dA, hs[2 - back], hs[3 - back], u4, s4, dy4, bc4, A, skip,
                2 - back, SOFTPLUS, KIND, ASM)
            t = step * (i0 + 2 - back)
            ok = i0 + 2 - back < end
            store_own(du_p + t * d, du, in_y & ok, KIND, ASM)
            store_own(ddelta_p + t * d, ddelta, in_y & ok, KIND, ASM)
            tl.store(dbc_p + t * 32, dbc, mask=(lane >= 0) & ok)
            dD += share
            dbias += ddelta
    if turns > 0:
        i0 -= 4
        u4, s4, bc4 = _load_turn(u_p, delta_p, bc_p, i0, stop, step, dp, in_p,
                                 ASM)
        h0 = tl.load(
            states_p + (i0 // 4).to(tl.int64) * every, mask=inside, other=0.)
        dy4 = tl.load(
            dy_p + step * (i0 + ln) * dp, mask=in_p & (ln >= 0), other=0)
        for turn in range(turns):
            i6 = tl.maximum(i0 - 8, first)
            t6 = step * (i6 + ln)
            fetch_ahead(pieces_p + (i6 // 4).to(tl.int64) * every, ASM)
            fetch_ahead(u_p + t6 * dp, ASM)
            fetch_ahead(delta_p + t6 * dp, ASM)
            fetch_ahead(dy_p + t6 * dp, ASM)
            fetch_ahead(bc_p + t6 * 8 + lane % 8, ASM)
            h1 = _recompute(h0, u4, s4, bc4, A, 0, KIND, ASM)
            h2 = _recompute(h1, u4, s4, bc4, A, 1, KIND, ASM)
            h3 = _recompute(h2, u4, s4, bc4, A, 2, KIND, ASM)
            h4 = _recompute(h3, u4, s4, bc4, A, 3, KIND, ASM)
            hs = (h0, h1, h2, h3, h4)
            u5, s5, bc5, dy5, h5, i5 = u4, s4, bc4, dy4, h0, i0
            for back in tl.static_range(4):
                g, dA, dbc, du, ddelta, share = _differentiate_token(
                    g, dA, hs[3 - back], hs[4 - back], u4, s4, dy4, bc4, A,
                    skip, 3 - back, SOFTPLUS, KIND, ASM)
                t = step * (i0 + 3 - back)
                if back == 0:
                    i5 = tl.maximum(i0 - 4, first)
                    u5, s5, bc5 = _load_turn(u_p, delta_p, bc_p, i5, stop,
                                             step, dp, in_p, ASM)
                    dy5 = tl.load(
                        dy_p + step * (i5 + ln) * dp,
                        mask=in_p & (ln >= 0),
                        other=0)
                    h5 = tl.load(
                        states_p + (i5 // 4).to(tl.int64) * every,
                        mask=inside,
                        other=0.)
                store_own(du_p + t * d, du, in_y, KIND, ASM)
                store_own(ddelta_p + t * d, ddelta, in_y, KIND, ASM)
                tl.store(dbc_p + t * 32, dbc)
                dD += share
                dbias += ddelta
            u4, s4, bc4, dy4, h0, i0 = u5, s5, bc5, dy5, h5, i5
    at = (kb * parts + tl.program_id(1)) * 18
    tl.store(sums_p + at * d + tile, dA, mask=inside)
    tl.store(sums_p + (at + 16) * d + mine, dD, mask=in_y)
    tl.store(sums_p + (at + 17) * d + mine, dbias, mask=in_y)
