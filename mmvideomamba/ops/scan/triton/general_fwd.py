"""General forward scan: any number of states, any dtype.

The kernel for 16 states in half precision is in n16_fwd.py. See program.py
for the notation and docs/ops.md for the derivation.
"""
import triton
import triton.language as tl

from ...runtime.triton_launcher import cached_launch
from ...runtime.triton_pack import store_channels, unpack_channels
from .program import (GROUP, VARYING, load_rates, load_skip, scan_range,
                      tile_masks)


@triton.jit
def _load_token(u_p, delta_p, bc_p, t, dp, bc_row, in_p, in_n, ok):
    """Load u, delta, B and C of the token at distance t, zeros outside."""
    return (tl.load(u_p + t * dp, mask=in_p & ok, other=0),
            tl.load(delta_p + t * dp, mask=in_p & ok, other=0),
            tl.load(bc_p + t * bc_row, mask=in_n & ok, other=0),
            tl.load(bc_p + t * bc_row + bc_row // 2, mask=in_n & ok, other=0))


@triton.jit
def _scan_token(h, token, A, skip, y_p, mask, HAS_Y: tl.constexpr,
                DTYPE: tl.constexpr, Y_DTYPE: tl.constexpr, BD: tl.constexpr,
                PACK: tl.constexpr, Y_PACK: tl.constexpr,
                USE_PTX: tl.constexpr):
    """Scan a token, store its output, return the state (BN, BD)."""
    u0, s, B, C = token
    u = unpack_channels(u0, DTYPE, BD, PACK)
    s = unpack_channels(s, DTYPE, BD, PACK)
    # exp2, with LOG2E in A: the GPU has an instruction for exp2 and none for
    # exp.
    h = tl.exp2(s * A) * h + (s * u) * B
    if HAS_Y:
        y = tl.sum(h * C, axis=0, keep_dims=True) + skip * u
        store_channels(y_p, y, mask, Y_DTYPE, BD, Y_PACK, USE_PTX)
    return h


@cached_launch
@triton.jit(do_not_specialize=VARYING)
def general_fwd_kernel(
        u_p,  # (k, b, l, d)
        delta_p,  # (k, b, l, d), after softplus
        A_p,  # (k, n, d)
        bc_p,  # (k, b, l, 2, n)
        D_p,  # (k, d)
        start_p,  # (sequences, chunks, n, d), state before each chunk
        y_p,  # (k, b, l, d)
        states_p,  # (k, b, groups, n, d), state before each group
        last_p,  # (k, b, n, d)
        first_sequence,
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
        HAS_STATES: tl.constexpr,
        HAS_Y: tl.constexpr,
        DTYPE: tl.constexpr,
        Y_DTYPE: tl.constexpr,
        PACK: tl.constexpr,
        Y_PACK: tl.constexpr,
        USE_PTX: tl.constexpr):
    """Scan a chunk; every token is loaded two tokens ahead.

    The loop is unrolled by hand over a group of tokens, so that loads and
    computation of a token are two tokens apart.
    """
    tl.static_assert(GROUP == 4, 'the loop is unrolled for groups of 4')
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
    bc_row: tl.constexpr = 2 * N
    u_p += origin * dp + cp
    delta_p += origin * dp + cp
    y_p += origin * y_dp + y_cp
    bc_p += origin * bc_row + n
    h = tl.zeros([BN, BD], tl.float32)
    if HAS_START:
        at = local_sequence * tl.num_programs(1) + tl.program_id(1)
        h += tl.load(start_p + (at * N + n) * d + c, mask=inside, other=0.)
    states_p += sequence * tl.cdiv(l, GROUP) * N * d + n * d + c
    states_p += (first // GROUP).to(tl.int64) * N * d
    row = step * y_dp
    yes = tl.full([1, 1], 1, tl.int1)
    # Loads ahead repeat the last token instead of masking.
    count = end - first
    stop = count - 1
    token0 = _load_token(u_p, delta_p, bc_p, 0, dp, bc_row, in_p, in_n, yes)
    token1 = _load_token(u_p, delta_p, bc_p, step * tl.minimum(1, stop), dp,
                         bc_row, in_p, in_n, yes)
    whole = count // GROUP * GROUP
    for i in range(0, whole, GROUP):
        if HAS_STATES:
            tl.store(states_p, h, mask=inside)
            states_p += N * d
        token2 = _load_token(u_p, delta_p, bc_p, step * (i + 2), dp, bc_row,
                             in_p, in_n, yes)
        token3 = _load_token(u_p, delta_p, bc_p, step * (i + 3), dp, bc_row,
                             in_p, in_n, yes)
        h = _scan_token(h, token0, A, skip, y_p, in_y, HAS_Y, DTYPE, Y_DTYPE,
                        BD, PACK, Y_PACK, USE_PTX)
        h = _scan_token(h, token1, A, skip, y_p + row, in_y, HAS_Y, DTYPE,
                        Y_DTYPE, BD, PACK, Y_PACK, USE_PTX)
        token0 = _load_token(u_p, delta_p, bc_p,
                             step * tl.minimum(i + 4, stop), dp, bc_row, in_p,
                             in_n, yes)
        token1 = _load_token(u_p, delta_p, bc_p,
                             step * tl.minimum(i + 5, stop), dp, bc_row, in_p,
                             in_n, yes)
        h = _scan_token(h, token2, A, skip, y_p + 2 * row, in_y, HAS_Y, DTYPE,
                        Y_DTYPE, BD, PACK, Y_PACK, USE_PTX)
        h = _scan_token(h, token3, A, skip, y_p + 3 * row, in_y, HAS_Y, DTYPE,
                        Y_DTYPE, BD, PACK, Y_PACK, USE_PTX)
        y_p += GROUP * row
    # The chunk's rest is shorter than a group, but a backward pass needs a
    # start state for the rest, too.
    if HAS_STATES:
        if whole < count:
            tl.store(states_p, h, mask=inside)
    for i in range(whole, count):
        token = _load_token(u_p, delta_p, bc_p, step * i, dp, bc_row, in_p,
                            in_n, yes)
        h = _scan_token(h, token, A, skip, y_p, in_y, HAS_Y, DTYPE, Y_DTYPE,
                        BD, PACK, Y_PACK, USE_PTX)
        y_p += row
    if end == l:
        tl.store(last_p + (sequence * N + n) * d + c, h, mask=inside)
