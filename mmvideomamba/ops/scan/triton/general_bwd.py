"""General backward scan: any number of states, any dtype.

The kernel for 16 states in half precision is in n16_bwd.py. See program.py
for the notation and docs/ops.md for the gradients.
"""
import triton
import triton.language as tl

from ...runtime.triton_launcher import cached_launch
from ...runtime.triton_pack import store_channels, unpack_channels
from .input_gradients import input_gradients
from .program import (GROUP, VARYING, load_rates, load_skip, scan_range,
                      tile_masks)


@triton.jit
def _load_group(u_p, delta_p, dy_p, bc_p, states_p, i0, stop, step, dp, bc_row,
                state_row, in_p, in_n, inside, FULL: tl.constexpr):
    """Load the state before a group of tokens, and the group's inputs.

    Without FULL, tokens from ``stop`` on are zeros.
    """
    zero = tl.zeros([1, 1], tl.int32)
    h = tl.load(
        states_p + (i0 // GROUP).to(tl.int64) * state_row,
        mask=inside,
        other=0.)
    us, ss, dys = (), (), ()  # type: tuple, tuple, tuple
    Bs, Cs = (), ()  # type: tuple, tuple
    for j in tl.static_range(GROUP):
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
                         SOFTPLUS: tl.constexpr, DTYPE: tl.constexpr,
                         BN: tl.constexpr, BD: tl.constexpr,
                         PACK: tl.constexpr):
    """Pull the gradient of a token's output back through the state.

    Returns the gradient of the state before the token, the sum for A, and the
    gradients of B and C, of u, of delta, and of the skip weight.
    """
    u = unpack_channels(u0, DTYPE, BD, PACK)
    s = unpack_channels(s0, DTYPE, BD, PACK)
    dy = unpack_channels(dy0, DTYPE, BD, PACK)
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
def _recompute(h, us, ss, Bs, A, DTYPE: tl.constexpr, BD: tl.constexpr,
               PACK: tl.constexpr):
    """Return the states before and after each token of a group."""
    hs = (h, )  # type: tuple
    for j in tl.static_range(GROUP):
        u = unpack_channels(us[j], DTYPE, BD, PACK)
        s = unpack_channels(ss[j], DTYPE, BD, PACK)
        h = tl.exp2(s * A) * h + (s * u) * Bs[j]
        hs = hs + (h, )
    return hs


@cached_launch
@triton.jit(do_not_specialize=VARYING)
def general_bwd_kernel(
        u_p,  # (k, b, l, d)
        delta_p,  # (k, b, l, d), after softplus
        A_p,  # (k, n, d)
        bc_p,  # (k, b, l, 2, n)
        D_p,  # (k, d)
        dy_p,  # (b, l, d) if SHARED_DY else (k, b, l, d)
        states_p,  # (k, b, groups, n, d)
        start_p,  # (sequences, chunks, n, d), gradient each chunk receives
        du_p,  # (k, b, l, d)
        ddelta_p,  # (k, b, l, d)
        dbc_p,  # (blocks, k, b, l, 2, n), partial sums
        sums_p,  # (sequences, chunks, n + 2, d): for A, D and the step bias
        first_sequence,
        block_stride,
        b,
        l,
        d,
        chunk,
        reverse_bits,
        N: tl.constexpr,
        BN: tl.constexpr,
        BD: tl.constexpr,
        FULL_BLOCKS: tl.constexpr,
        HAS_START: tl.constexpr,
        SHARED_DY: tl.constexpr,
        SOFTPLUS: tl.constexpr,
        DTYPE: tl.constexpr,
        PACK: tl.constexpr,
        Y_PACK: tl.constexpr,
        USE_PTX: tl.constexpr):
    """Differentiate a chunk, a group of tokens at a time, from the end.

    No load may pass a store. The loads of the next group therefore stand
    before the last token's stores, and need not wait for them.
    """
    block = tl.program_id(0)
    first, end, local_sequence, sequence, k, backward = scan_range(
        tl.program_id(1), first_sequence, b, l, chunk, reverse_bits)
    n = tl.arange(0, BN)[:, None]
    c = block * BD + tl.arange(0, BD)[None, :]
    in_p, in_n, inside = tile_masks(block, n, d, N, BN, BD, PACK, FULL_BLOCKS)
    A = load_rates(A_p, k, n, c, d, inside, N)
    dp, y_dp = d // PACK, d // Y_PACK
    cp = block * (BD // PACK) + tl.arange(0, BD // PACK)[None, :]
    y_cp = block * (BD // Y_PACK) + tl.arange(0, BD // Y_PACK)[None, :]
    in_y = (y_cp < y_dp) | FULL_BLOCKS
    skip = load_skip(D_p + k * d, n, c, inside)
    step = 1 - 2 * backward
    origin = sequence * l + tl.where(backward == 1, l - 1 - first, first)
    dy_origin = origin - k * b * l if SHARED_DY else origin
    bc_row: tl.constexpr = 2 * N
    u_p += origin * dp + cp
    delta_p += origin * dp + cp
    dy_p += dy_origin * dp + cp
    du_p += origin * y_dp + y_cp
    ddelta_p += origin * y_dp + y_cp
    bc_p += origin * bc_row + n
    dbc_p += block.to(tl.int64) * block_stride + origin * 2 * N
    dbc_p += n + N * tl.arange(0, 2)[None, :]
    states_p += sequence * tl.cdiv(l, GROUP) * N * d + n * d + c
    states_p += (first // GROUP).to(tl.int64) * N * d
    state_row = N * d
    g = tl.zeros([BN, BD], tl.float32)
    if HAS_START:
        at = local_sequence * tl.num_programs(1) + tl.program_id(1)
        g += tl.load(start_p + (at * N + n) * d + c, mask=inside, other=0.)
    dA = tl.zeros([BN, BD], tl.float32)
    dD = 0. * skip
    dbias = dD
    zero = tl.zeros([1, 1], tl.int32)
    count = end - first
    groups = count // GROUP
    i0 = groups * GROUP
    if i0 < count:
        h, us, ss, dys, Bs, Cs = _load_group(u_p, delta_p, dy_p, bc_p,
                                             states_p, i0, count, step, dp,
                                             bc_row, state_row, in_p, in_n,
                                             inside, False)
        hs = _recompute(h, us, ss, Bs, A, DTYPE, BD, PACK)
        for back in tl.static_range(GROUP):
            g, dA, dbc, du, ddelta, share = _differentiate_token(
                g, dA, hs[GROUP - 1 - back], hs[GROUP - back],
                us[GROUP - 1 - back], ss[GROUP - 1 - back],
                dys[GROUP - 1 - back], Bs[GROUP - 1 - back],
                Cs[GROUP - 1 - back], A, skip, SOFTPLUS, DTYPE, BN, BD, PACK)
            i = i0 + GROUP - 1 - back
            t = step * i
            ok = zero + i < count
            store_channels(du_p + t * y_dp, du, in_y & ok, DTYPE, BD, Y_PACK,
                           USE_PTX)
            store_channels(ddelta_p + t * y_dp, ddelta, in_y & ok, DTYPE, BD,
                           Y_PACK, USE_PTX)
            tl.store(dbc_p + t * 2 * N, dbc, mask=in_n & ok)
            dD += share
            dbias += ddelta
    if groups > 0:
        i0 -= GROUP
        h, us, ss, dys, Bs, Cs = _load_group(u_p, delta_p, dy_p, bc_p,
                                             states_p, i0, count, step, dp,
                                             bc_row, state_row, in_p, in_n,
                                             inside, True)
        for _ in range(groups):
            hs = _recompute(h, us, ss, Bs, A, DTYPE, BD, PACK)
            for back in tl.static_range(GROUP):
                g, dA, dbc, du, ddelta, share = _differentiate_token(
                    g, dA, hs[GROUP - 1 - back], hs[GROUP - back],
                    us[GROUP - 1 - back], ss[GROUP - 1 - back],
                    dys[GROUP - 1 - back], Bs[GROUP - 1 - back],
                    Cs[GROUP - 1 - back], A, skip, SOFTPLUS, DTYPE, BN, BD,
                    PACK)
                t = step * (i0 + GROUP - 1 - back)
                if back == GROUP - 1:
                    i0 = tl.maximum(i0 - GROUP, 0)
                    h, us, ss, dys, Bs, Cs = _load_group(
                        u_p, delta_p, dy_p, bc_p, states_p, i0, count, step,
                        dp, bc_row, state_row, in_p, in_n, inside, True)
                store_channels(du_p + t * y_dp, du, in_y, DTYPE, BD, Y_PACK,
                               USE_PTX)
                store_channels(ddelta_p + t * y_dp, ddelta, in_y, DTYPE, BD,
                               Y_PACK, USE_PTX)
                tl.store(dbc_p + t * 2 * N, dbc, mask=in_n)
                dD += share
                dbias += ddelta
    at = local_sequence * tl.num_programs(1) + tl.program_id(1)
    at *= N + 2
    tl.store(sums_p + (at + n) * d + c, dA, mask=inside)
    row0 = inside & (n == 0)
    tl.store(sums_p + (at + N + n) * d + c, dD + 0. * dA, mask=row0)
    tl.store(sums_p + (at + N + 1 + n) * d + c, dbias + 0. * dA, mask=row0)
