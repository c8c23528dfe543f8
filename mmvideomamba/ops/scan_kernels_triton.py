"""Selective-scan kernels in Triton.

A program owns 32 channels of one sample and one direction, in a single warp.
Its state, (n, 32), lives in registers while it walks over the tokens of a
chunk. Long sequences with few programs are cut into chunks that run side by
side, see scan_chunks_triton.py: ``carry_kernel`` finds the state each chunk
would leave from zero, ``chain_kernel`` strings these together, and the main
kernel starts every chunk from its true state. Backward recomputes the states
from those stored every few tokens. docs/ops.md derives all of this.

Shapes inside: k directions, b samples, l tokens, d channels, n states; a bit
of ``reversed_`` per direction says that it scans from the last token.
"""
import triton
import triton.language as tl

from .launch_triton import launched
from .scan_tiles_triton import LOG2E, channels, input_gradients, store

# What a kernel is not compiled anew for.
VARYING = ('kb0', 'b', 'l', 'chunk', 'chunks', 'reversed_')


@triton.jit
def span(index, kb0, b, l, chunk, reversed_):
    """Return which tokens of which sequence a program scans.

    Scan positions, from the first to the end, of chunk ``index``; the number
    of the sequence in this launch, and in all; its direction, and whether
    that runs backward.
    """
    first = index * chunk
    sequence = tl.program_id(2).to(tl.int64)
    kb = kb0 + sequence
    k = kb // b
    backward = (reversed_ >> k.to(tl.int32)) & 1
    return first, tl.minimum(first + chunk, l), sequence, kb, k, backward


@triton.jit
def rates(A_p, k, n, c, d, inside, N: tl.constexpr):
    """Load a direction's rates for ``exp2``, (BN, BD)."""
    return tl.load(A_p + (k * N + n) * d + c, mask=inside, other=0.) * LOG2E


@triton.jit
def _skip(D_p, n, c, inside):
    """Load skip weights (1, BD)."""
    # As a row of a tile, to stay in the layout of the states.
    skip = tl.load(D_p + c + 0 * n, mask=inside & (n == 0), other=0.)
    return tl.sum(skip, axis=0, keep_dims=True)


@triton.jit
def masks(block, n, d, N: tl.constexpr, BN: tl.constexpr, BD: tl.constexpr,
          PACK: tl.constexpr, WHOLE: tl.constexpr):
    """Return which channels, packs of them and states a program has."""
    if WHOLE:
        in_d = tl.full([1, BD], 1, tl.int1)
        in_p = tl.full([1, BD // PACK], 1, tl.int1)
    else:
        in_d = block * BD + tl.arange(0, BD)[None, :] < d
        in_p = tl.arange(0, BD // PACK)[None, :]
        in_p = block * (BD // PACK) + in_p < d // PACK
    if N == BN:
        in_n = tl.full([BN, 1], 1, tl.int1)
        inside = in_d & in_n
    else:
        in_n = n < N
        inside = in_d & in_n
    return in_p, in_n, inside


@triton.jit
def _load_token(u_p, delta_p, bc_p, t, dp, bc_row, in_p, in_n, ok):
    """Load what the token at distance t holds, if it is inside."""
    return (tl.load(u_p + t * dp, mask=in_p & ok, other=0),
            tl.load(delta_p + t * dp, mask=in_p & ok, other=0),
            tl.load(bc_p + t * bc_row, mask=in_n & ok, other=0),
            tl.load(bc_p + t * bc_row + bc_row // 2, mask=in_n & ok, other=0))


@triton.jit
def _advance(h, token, A, skip, y_p, mask, HAS_Y: tl.constexpr,
             KIND: tl.constexpr, Y_KIND: tl.constexpr, BD: tl.constexpr,
             PACK: tl.constexpr, Y_PACK: tl.constexpr, ASM: tl.constexpr):
    """Scan one token; store its output; return the state (n, w)."""
    u0, s, B, C = token
    u = channels(u0, KIND, BD, PACK)
    s = channels(s, KIND, BD, PACK)
    h = tl.exp2(s * A) * h + (s * u) * B
    if HAS_Y:
        y = tl.sum(h * C, axis=0, keep_dims=True) + skip * u
        store(y_p, y, mask, Y_KIND, BD, Y_PACK, ASM)
    return h


@launched
@triton.jit(do_not_specialize=VARYING)
def scan_fwd_kernel(
        u_p,  # (k, b, l, d)
        delta_p,  # (k, b, l, d), after softplus
        A_p,  # (k, n, d)
        bc_p,  # (k, b, l, 2, n)
        D_p,  # (k, d)
        start_p,  # (kb, chunks, n, d), state before each chunk
        y_p,  # (k, b, l, d)
        states_p,  # (k, b, steps, n, d), state before every EVERY tokens
        last_p,  # (k, b, n, d)
        kb0,
        b,
        l,
        d,
        chunk,
        reversed_,
        N: tl.constexpr,
        BN: tl.constexpr,
        BD: tl.constexpr,
        EVERY: tl.constexpr,
        WHOLE: tl.constexpr,
        HAS_START: tl.constexpr,
        HAS_STATES: tl.constexpr,
        HAS_Y: tl.constexpr,
        KIND: tl.constexpr,
        Y_KIND: tl.constexpr,
        PACK: tl.constexpr,
        Y_PACK: tl.constexpr,
        ASM: tl.constexpr):
    """Scan a chunk; every token is loaded two tokens ahead."""
    block = tl.program_id(0)
    first, end, sequence, kb, k, backward = span(
        tl.program_id(1), kb0, b, l, chunk, reversed_)
    n = tl.arange(0, BN)[:, None]
    c = block * BD + tl.arange(0, BD)[None, :]
    in_p, in_n, inside = masks(block, n, d, N, BN, BD, PACK, WHOLE)
    A = rates(A_p, k, n, c, d, inside, N)
    dp, y_dp = d // PACK, d // Y_PACK
    cp = block * (BD // PACK) + tl.arange(0, BD // PACK)[None, :]
    y_cp = block * (BD // Y_PACK) + tl.arange(0, BD // Y_PACK)[None, :]
    in_y = (y_cp < y_dp) | WHOLE
    skip = _skip(D_p + k * d, n, c, inside)
    # Scan position i is token i, or l - 1 - i in the other direction.
    step = 1 - 2 * backward
    place = kb * l + tl.where(backward == 1, l - 1 - first, first)
    bc_row: tl.constexpr = 2 * N
    u_p += place * dp + cp
    delta_p += place * dp + cp
    y_p += place * y_dp + y_cp
    bc_p += place * bc_row + n
    h = tl.zeros([BN, BD], tl.float32)
    if HAS_START:
        at = sequence * tl.num_programs(1) + tl.program_id(1)
        h += tl.load(start_p + (at * N + n) * d + c, mask=inside, other=0.)
    states_p += kb * tl.cdiv(l, EVERY) * N * d + n * d + c
    states_p += (first // EVERY).to(tl.int64) * N * d
    row = step * y_dp
    yes = tl.full([1, 1], 1, tl.int1)
    # Reading ahead stops at the last token, unmasked.
    count = end - first
    stop = count - 1
    token0 = _load_token(u_p, delta_p, bc_p, 0, dp, bc_row, in_p, in_n, yes)
    token1 = _load_token(u_p, delta_p, bc_p, step * tl.minimum(1, stop), dp,
                         bc_row, in_p, in_n, yes)
    whole = count // 4 * 4
    for i in range(0, whole, 4):
        if HAS_STATES:
            tl.store(states_p, h, mask=inside)
            states_p += N * d
        token2 = _load_token(u_p, delta_p, bc_p, step * (i + 2), dp, bc_row,
                             in_p, in_n, yes)
        token3 = _load_token(u_p, delta_p, bc_p, step * (i + 3), dp, bc_row,
                             in_p, in_n, yes)
        h = _advance(h, token0, A, skip, y_p, in_y, HAS_Y, KIND, Y_KIND, BD,
                     PACK, Y_PACK, ASM)
        h = _advance(h, token1, A, skip, y_p + row, in_y, HAS_Y, KIND, Y_KIND,
                     BD, PACK, Y_PACK, ASM)
        token0 = _load_token(u_p, delta_p, bc_p,
                             step * tl.minimum(i + 4, stop), dp, bc_row, in_p,
                             in_n, yes)
        token1 = _load_token(u_p, delta_p, bc_p,
                             step * tl.minimum(i + 5, stop), dp, bc_row, in_p,
                             in_n, yes)
        h = _advance(h, token2, A, skip, y_p + 2 * row, in_y, HAS_Y, KIND,
                     Y_KIND, BD, PACK, Y_PACK, ASM)
        h = _advance(h, token3, A, skip, y_p + 3 * row, in_y, HAS_Y, KIND,
                     Y_KIND, BD, PACK, Y_PACK, ASM)
        y_p += 4 * row
    if HAS_STATES:
        if whole < count:
            tl.store(states_p, h, mask=inside)
    for i in range(whole, count):
        token = _load_token(u_p, delta_p, bc_p, step * i, dp, bc_row, in_p,
                            in_n, yes)
        h = _advance(h, token, A, skip, y_p, in_y, HAS_Y, KIND, Y_KIND, BD,
                     PACK, Y_PACK, ASM)
        y_p += row
    if end == l:
        tl.store(last_p + (kb * N + n) * d + c, h, mask=inside)


@triton.jit
def _load_turn(u_p, delta_p, dy_p, bc_p, states_p, i0, stop, step, dp, bc_row,
               every, in_p, in_n, inside, EVERY: tl.constexpr,
               FULL: tl.constexpr):
    """Load the state before a turn of EVERY tokens, and these.

    FULL says that all of them exist.
    """
    zero = tl.zeros([1, 1], tl.int32)
    h = tl.load(
        states_p + (i0 // EVERY).to(tl.int64) * every, mask=inside, other=0.)
    us, ss, dys, Bs, Cs = (), (), (), (), ()
    for j in tl.static_range(EVERY):
        ok = tl.full([1, 1], 1, tl.int1) if FULL else zero + i0 + j < stop
        t = step * (i0 + j)
        us = us + (tl.load(u_p + t * dp, mask=in_p & ok, other=0), )
        ss = ss + (tl.load(delta_p + t * dp, mask=in_p & ok, other=0), )
        dys = dys + (tl.load(dy_p + t * dp, mask=in_p & ok, other=0), )
        bc = bc_p + t * bc_row
        Bs = Bs + (tl.load(bc, mask=in_n & ok, other=0), )
        Cs = Cs + (tl.load(bc + bc_row // 2, mask=in_n & ok, other=0), )
    return h, us, ss, dys, Bs, Cs


@triton.jit
def _differentiate_token(g, dA, before, after, u0, s0, dy0, B, C, A, skip,
                         SOFTPLUS: tl.constexpr, KIND: tl.constexpr,
                         BN: tl.constexpr, BD: tl.constexpr,
                         PACK: tl.constexpr):
    """Pull the gradient of one token's output through its state.

    Returns the gradient of the state before it, the sum for A, and the
    gradients of B and C, of u, of delta, and of the skip weight.
    """
    u = channels(u0, KIND, BD, PACK)
    s = channels(s0, KIND, BD, PACK)
    dy = channels(dy0, KIND, BD, PACK)
    g += dy * C
    dB = tl.sum((s * u) * g, axis=1, keep_dims=True)
    dC = tl.sum(dy * after, axis=1, keep_dims=True)
    dbc = tl.join(dB, dC).reshape(BN, 2)
    through_b = tl.sum(g * B, axis=0, keep_dims=True)
    g *= tl.exp2(s * A)
    q = g * before
    through_a = tl.sum(q * A, axis=0, keep_dims=True)
    dA += q * s
    du, ddelta = input_gradients(u, s, dy, skip, through_b, through_a,
                                 SOFTPLUS)
    return g, dA, dbc, du, ddelta, dy * u


@triton.jit
def _recompute(h, us, ss, Bs, A, KIND: tl.constexpr, BD: tl.constexpr,
               PACK: tl.constexpr, EVERY: tl.constexpr):
    """Return the states before and after each token of a turn."""
    hs = (h, )
    for j in tl.static_range(EVERY):
        u = channels(us[j], KIND, BD, PACK)
        s = channels(ss[j], KIND, BD, PACK)
        h = tl.exp2(s * A) * h + (s * u) * Bs[j]
        hs = hs + (h, )
    return hs


@launched
@triton.jit(do_not_specialize=VARYING)
def scan_bwd_kernel(
        u_p,  # (k, b, l, d)
        delta_p,  # (k, b, l, d), after softplus
        A_p,  # (k, n, d)
        bc_p,  # (k, b, l, 2, n)
        D_p,  # (k, d)
        dy_p,  # (b, l, d) if SHARED_DY else (k, b, l, d)
        states_p,  # (k, b, steps, n, d)
        start_p,  # (kb, chunks, n, d), gradient each chunk receives
        du_p,  # (k, b, l, d)
        ddelta_p,  # (k, b, l, d)
        dbc_p,  # (blocks, k, b, l, 2, n)
        sums_p,  # (kb, chunks, n + 2, d): for A, D and the step bias
        kb0,
        partial,
        b,
        l,
        d,
        chunk,
        reversed_,
        N: tl.constexpr,
        BN: tl.constexpr,
        BD: tl.constexpr,
        EVERY: tl.constexpr,
        WHOLE: tl.constexpr,
        HAS_START: tl.constexpr,
        SHARED_DY: tl.constexpr,
        SOFTPLUS: tl.constexpr,
        KIND: tl.constexpr,
        PACK: tl.constexpr,
        Y_PACK: tl.constexpr,
        ASM: tl.constexpr):
    """Differentiate a chunk, EVERY tokens at a time from its end.

    A turn's last token is preceded by the loads of the next turn, ahead of
    the stores they need not wait for, since no load may pass a store.
    """
    block = tl.program_id(0)
    first, end, sequence, kb, k, backward = span(
        tl.program_id(1), kb0, b, l, chunk, reversed_)
    n = tl.arange(0, BN)[:, None]
    c = block * BD + tl.arange(0, BD)[None, :]
    in_p, in_n, inside = masks(block, n, d, N, BN, BD, PACK, WHOLE)
    A = rates(A_p, k, n, c, d, inside, N)
    dp, y_dp = d // PACK, d // Y_PACK
    cp = block * (BD // PACK) + tl.arange(0, BD // PACK)[None, :]
    y_cp = block * (BD // Y_PACK) + tl.arange(0, BD // Y_PACK)[None, :]
    in_y = (y_cp < y_dp) | WHOLE
    skip = _skip(D_p + k * d, n, c, inside)
    step = 1 - 2 * backward
    token = kb * l + tl.where(backward == 1, l - 1 - first, first)
    dy_token = token - k * b * l if SHARED_DY else token
    bc_row: tl.constexpr = 2 * N
    u_p += token * dp + cp
    delta_p += token * dp + cp
    dy_p += dy_token * dp + cp
    du_p += token * y_dp + y_cp
    ddelta_p += token * y_dp + y_cp
    bc_p += token * bc_row + n
    dbc_p += block.to(tl.int64) * partial + token * 2 * N
    dbc_p += n + N * tl.arange(0, 2)[None, :]
    states_p += kb * tl.cdiv(l, EVERY) * N * d + n * d + c
    states_p += (first // EVERY).to(tl.int64) * N * d
    every = N * d
    g = tl.zeros([BN, BD], tl.float32)
    if HAS_START:
        at = sequence * tl.num_programs(1) + tl.program_id(1)
        g += tl.load(start_p + (at * N + n) * d + c, mask=inside, other=0.)
    dA = tl.zeros([BN, BD], tl.float32)
    dD = 0. * skip
    dbias = dD
    zero = tl.zeros([1, 1], tl.int32)
    count = end - first
    turns = count // EVERY
    i0 = turns * EVERY
    if i0 < count:
        h, us, ss, dys, Bs, Cs = _load_turn(u_p, delta_p, dy_p, bc_p, states_p,
                                            i0, count, step, dp, bc_row, every,
                                            in_p, in_n, inside, EVERY, False)
        hs = _recompute(h, us, ss, Bs, A, KIND, BD, PACK, EVERY)
        for back in tl.static_range(EVERY):
            g, dA, dbc, du, ddelta, share = _differentiate_token(
                g, dA, hs[EVERY - 1 - back], hs[EVERY - back],
                us[EVERY - 1 - back], ss[EVERY - 1 - back],
                dys[EVERY - 1 - back], Bs[EVERY - 1 - back],
                Cs[EVERY - 1 - back], A, skip, SOFTPLUS, KIND, BN, BD, PACK)
            i = i0 + EVERY - 1 - back
            t = step * i
            ok = zero + i < count
            store(du_p + t * y_dp, du, in_y & ok, KIND, BD, Y_PACK, ASM)
            store(ddelta_p + t * y_dp, ddelta, in_y & ok, KIND, BD, Y_PACK,
                  ASM)
            tl.store(dbc_p + t * 2 * N, dbc, mask=in_n & ok)
            dD += share
            dbias += ddelta
    if turns > 0:
        i0 -= EVERY
        h, us, ss, dys, Bs, Cs = _load_turn(u_p, delta_p, dy_p, bc_p, states_p,
                                            i0, count, step, dp, bc_row, every,
                                            in_p, in_n, inside, EVERY, True)
        for turn in range(turns):
            hs = _recompute(h, us, ss, Bs, A, KIND, BD, PACK, EVERY)
            for back in tl.static_range(EVERY):
                g, dA, dbc, du, ddelta, share = _differentiate_token(
                    g, dA, hs[EVERY - 1 - back], hs[EVERY - back],
                    us[EVERY - 1 - back], ss[EVERY - 1 - back],
                    dys[EVERY - 1 - back], Bs[EVERY - 1 - back],
                    Cs[EVERY - 1 - back], A, skip, SOFTPLUS, KIND, BN, BD,
                    PACK)
                t = step * (i0 + EVERY - 1 - back)
                if back == EVERY - 1:
                    i0 = tl.maximum(i0 - EVERY, 0)
                    h, us, ss, dys, Bs, Cs = _load_turn(
                        u_p, delta_p, dy_p, bc_p, states_p, i0, count, step,
                        dp, bc_row, every, in_p, in_n, inside, EVERY, True)
                store(du_p + t * y_dp, du, in_y, KIND, BD, Y_PACK, ASM)
                store(ddelta_p + t * y_dp, ddelta, in_y, KIND, BD, Y_PACK, ASM)
                tl.store(dbc_p + t * 2 * N, dbc, mask=in_n)
                dD += share
                dbias += ddelta
    at = sequence * tl.num_programs(1) + tl.program_id(1)
    at *= N + 2
    tl.store(sums_p + (at + n) * d + c, dA, mask=inside)
    row0 = inside & (n == 0)
    tl.store(sums_p + (at + N + n) * d + c, dD + 0. * dA, mask=row0)
    tl.store(sums_p + (at + N + 1 + n) * d + c, dbias + 0. * dA, mask=row0)
