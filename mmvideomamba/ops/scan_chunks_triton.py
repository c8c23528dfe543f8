"""Kernels around the scan's: chunks of long sequences, and sums of parts.

See scan_kernels_triton.py for the notation, and scan_launch_triton.py for who
calls them.
"""
import triton
import triton.language as tl

from .launch_triton import launched
from .scan_kernels_triton import VARYING, masks, rates, span
from .scan_tiles_triton import channels


@triton.jit
def _load_step(x_p, delta_p, w_p, t, dp, bc_row, in_p, in_n, ok):
    """Load a token's input and step, and its B or C, if it is inside."""
    return (tl.load(x_p + t * dp, mask=in_p & ok, other=0),
            tl.load(delta_p + t * dp, mask=in_p & ok, other=0),
            tl.load(w_p + t * bc_row, mask=in_n & ok, other=0))


@triton.jit
def _carry(h, total, token, A, GRAD: tl.constexpr, KIND: tl.constexpr,
           BD: tl.constexpr, PACK: tl.constexpr):
    """Take one token of a chunk into what it hands on."""
    x, s, w = token
    x = channels(x, KIND, BD, PACK)
    s = channels(s, KIND, BD, PACK)
    if GRAD:
        h = tl.exp2(s * A) * (h + x * w)
    else:
        h = tl.exp2(s * A) * h + (s * x) * w
    return h, total + s


@launched
@triton.jit(do_not_specialize=VARYING)
def carry_kernel(
        x_p,  # (k, b, l, d): u; with GRAD dy, (b, l, d) if SHARED_X
        delta_p,  # (k, b, l, d)
        A_p,  # (k, n, d)
        bc_p,  # (k, b, l, 2, n)
        ends_p,  # (kb, chunks, n, d)
        sums_p,  # (kb, chunks, d), step sizes summed over the chunk
        kb0,
        b,
        l,
        d,
        chunk,
        chunks,
        reversed_,
        N: tl.constexpr,
        BN: tl.constexpr,
        BD: tl.constexpr,
        WHOLE: tl.constexpr,
        GRAD: tl.constexpr,
        SHARED_X: tl.constexpr,
        KIND: tl.constexpr,
        PACK: tl.constexpr):
    """Find what a chunk hands on if it is handed zero.

    Forward, ``h = a h + s B u`` from its first token to its last; with GRAD,
    ``g = a (g + C dy)`` from its last to its first. The chunk from which no
    other receives anything has no program.
    """
    block = tl.program_id(0)
    index = tl.program_id(1) + (1 if GRAD else 0)
    first, end, sequence, kb, k, backward = span(index, kb0, b, l, chunk,
                                                 reversed_)
    n = tl.arange(0, BN)[:, None]
    c = block * BD + tl.arange(0, BD)[None, :]
    in_p, in_n, inside = masks(block, n, d, N, BN, BD, PACK, WHOLE)
    A = rates(A_p, k, n, c, d, inside, N)
    dp = d // PACK
    cp = block * (BD // PACK) + tl.arange(0, BD // PACK)[None, :]
    position = end - 1 if GRAD else first
    step = 1 - 2 * backward
    token = kb * l + tl.where(backward == 1, l - 1 - position, position)
    step = -step if GRAD else step
    bc_row: tl.constexpr = 2 * N
    x_p += (token - k * b * l if SHARED_X else token) * dp + cp
    delta_p += token * dp + cp
    bc_p += token * bc_row + n + (bc_row // 2 if GRAD else 0)
    h = tl.zeros([BN, BD], tl.float32)
    total = tl.sum(h, axis=0, keep_dims=True)
    # A block, because the interpreter mistypes `block & scalar`.
    zero = tl.zeros([1, 1], tl.int32)
    count = end - first
    # Masked tokens change nothing: their steps are zero.
    token0 = _load_step(x_p, delta_p, bc_p, 0, dp, bc_row, in_p, in_n, zero
                        < count)
    token1 = _load_step(x_p, delta_p, bc_p, step, dp, bc_row, in_p, in_n,
                        zero + 1 < count)
    for i in range(0, count, 2):
        token2 = _load_step(x_p, delta_p, bc_p, step * (i + 2), dp, bc_row,
                            in_p, in_n, zero + i + 2 < count)
        token3 = _load_step(x_p, delta_p, bc_p, step * (i + 3), dp, bc_row,
                            in_p, in_n, zero + i + 3 < count)
        h, total = _carry(h, total, token0, A, GRAD, KIND, BD, PACK)
        h, total = _carry(h, total, token1, A, GRAD, KIND, BD, PACK)
        token0 = token2
        token1 = token3
    at = sequence * chunks + index
    tl.store(ends_p + (at * N + n) * d + c, h, mask=inside)
    tl.store(
        sums_p + at * d + c + 0 * n, total + 0. * h, mask=inside & (n == 0))


@launched
@triton.jit(do_not_specialize=('rows', 'blocks'))
def sum_bc_kernel(
        parts_p,  # (blocks, rows, 2 n)
        ranks_p,  # (rows, r)
        out_p,  # (rows, r + 2 n)
        rows,
        blocks,
        R: tl.constexpr,
        N2: tl.constexpr,
        BR: tl.constexpr,
        BN2: tl.constexpr,
        TM: tl.constexpr,
        LANES: tl.constexpr):
    """Add up parts of the gradients of B and C; copy r columns before."""
    row = tl.program_id(0).to(tl.int64) * TM + tl.arange(0, TM)[:, None]
    place = tl.arange(0, BN2)[None, :]
    ok = (row < rows) & (place < N2)
    total = tl.zeros([TM, BN2], tl.float32)
    parts_p += row * N2 + place
    for i in range(blocks):
        total += tl.load(parts_p, mask=ok, other=0.)
        parts_p += rows.to(tl.int64) * N2
    if LANES:
        # As ``sum_channels`` scatters them: place 8 ln + 4 w + i holds the
        # state 4 ln + i of B (w = 0) or C.
        place = place // 4 % 2 * 16 + place // 8 * 4 + place % 4
    out_p += row * (R + N2)
    tl.store(out_p + R + place, total.to(out_p.dtype.element_ty), mask=ok)
    if R > 0:
        column = tl.arange(0, BR)[None, :]
        ok = (row < rows) & (column < R)
        ranks = tl.load(ranks_p + row * R + column, mask=ok, other=0.)
        tl.store(out_p + column, ranks, mask=ok)


@launched
@triton.jit(do_not_specialize=VARYING)
def chain_kernel(
        ends_p,  # (kb, chunks, n, d); overwritten by what chunks receive
        sums_p,  # (kb, chunks, d)
        A_p,  # (k, n, d)
        kb0,
        b,
        d,
        chunks,
        N: tl.constexpr,
        BN: tl.constexpr,
        BD: tl.constexpr,
        GRAD: tl.constexpr):
    """Turn what each chunk hands on from zero into what it receives."""
    kb = tl.program_id(1).to(tl.int64)
    k = (kb0 + kb) // b
    n = tl.arange(0, BN)[:, None]
    c = tl.program_id(0) * BD + tl.arange(0, BD)[None, :]
    in_d = c < d
    inside = in_d & (n < N)
    A = rates(A_p, k, n, c, d, inside, N)
    h = tl.zeros([BN, BD], tl.float32)
    zero = tl.zeros([1, 1], tl.int32)
    step = -1 if GRAD else 1
    at = kb * chunks + (chunks - 1 if GRAD else 0)
    ends_p += at * N * d + n * d + c
    sums_p += at * d + c
    # Four at once: no load may pass a store, so each would be waited for.
    for i in range(0, chunks, 4):
        owns = ()
        totals = ()
        for j in tl.static_range(4):
            # The last chunk hands nothing on; no program wrote its share.
            more = zero + i + j + 1 < chunks
            own = tl.load(
                ends_p + j * step * N * d, mask=inside & more, other=0.)
            owns = owns + (own, )
            total = tl.load(sums_p + j * step * d, mask=in_d & more, other=0.)
            totals = totals + (total, )
        for j in tl.static_range(4):
            tl.store(
                ends_p + j * step * N * d,
                h,
                mask=inside & (zero + i + j < chunks))
            h = tl.exp2(totals[j] * A) * h + owns[j]
        ends_p += 4 * step * N * d
        sums_p += 4 * step * d
