"""Selective-scan kernels in Triton, and how they are launched.

A program owns 32 channels of one sample and one direction, in a single warp.
Its state, (n, 32), lives in registers while it walks over the tokens of a
chunk. Long sequences with few programs are cut into chunks that run side by
side: ``_carry_kernel`` finds the state each chunk would leave from zero,
``_chain_kernel`` strings these together, and the main kernel starts every
chunk from its true state. Backward recomputes the states from those stored
every few tokens. docs/ops.md derives all of this.

Shapes inside: k directions, b samples, l tokens, d channels, n states; a bit
of ``reversed_`` per direction says that it scans from the last token.
"""
import functools
from typing import List, NamedTuple, Tuple

import torch
import triton
import triton.language as tl
from torch import Tensor

from .backends import interpreting

LOG2E = tl.constexpr(1.4426950408889634)
LN2 = tl.constexpr(0.6931471805599453)
# Channels of a program: one per lane of its only warp in the forward kernel.
BLOCK_D = 32
# Tokens of the shortest chunk.
MIN_CHUNK = 64
MAX_STATE = 64
# Tokens between the states that backward starts from, and in a turn of the
# forward loop.
EVERY = 4
# Registers of a thread: 5 warps to each of an SM's 4 schedulers in forward.
FORWARD_REGISTERS = 96
BACKWARD_REGISTERS = 255
# So many programs, of one warp, then fit on a multiprocessor.
FORWARD_WARPS = 20
BACKWARD_WARPS = 8
# Waves of chunks to cut what does not fill a wave into.
FORWARD_WAVES = 1
BACKWARD_WAVES = 3
# What a kernel is not compiled anew for.
_VARYING = ('kb0', 'b', 'l', 'chunk', 'chunks', 'parts', 'reversed_')
_KINDS = {torch.float32: 0, torch.bfloat16: 1, torch.float16: 2}


@triton.jit
def _halves(x, KIND: tl.constexpr):
    """Split an integer into its two numbers, as float32."""
    if KIND == 0:
        low = x.to(tl.int32).to(tl.float32, bitcast=True)
        high = (x >> 32).to(tl.int32).to(tl.float32, bitcast=True)
    elif KIND == 1:
        low = (x << 16).to(tl.float32, bitcast=True)
        high = (x & -65536).to(tl.float32, bitcast=True)
    else:
        low = x.to(tl.int16).to(tl.float16, bitcast=True).to(tl.float32)
        high = (x >> 16).to(tl.int16).to(tl.float16, bitcast=True)
        high = high.to(tl.float32)
    return low, high


@triton.jit
def _join_halves(low, high, KIND: tl.constexpr, ASM: tl.constexpr):
    """Round two float32 numbers and put them in one integer."""
    if KIND == 0:
        low = low.to(tl.int32, bitcast=True).to(tl.int64) & 0xFFFFFFFF
        pair = low | (high.to(tl.int32, bitcast=True).to(tl.int64) << 32)
    elif ASM:
        # One instruction; one number at a time, a slow unit converts.
        if KIND == 1:
            pair = tl.inline_asm_elementwise(
                'cvt.rn.bf16x2.f32 $0, $2, $1;',
                '=r,f,f', [low, high],
                dtype=tl.int32,
                is_pure=True,
                pack=1)
        else:
            pair = tl.inline_asm_elementwise(
                'cvt.rn.f16x2.f32 $0, $2, $1;',
                '=r,f,f', [low, high],
                dtype=tl.int32,
                is_pure=True,
                pack=1)
    else:
        if KIND == 1:
            low, high = low.to(tl.bfloat16), high.to(tl.bfloat16)
        else:
            low, high = low.to(tl.float16), high.to(tl.float16)
        low = low.to(tl.int16, bitcast=True).to(tl.int32) & 0xFFFF
        pair = low | (high.to(tl.int16, bitcast=True).to(tl.int32) << 16)
    return pair


@triton.jit
def _channels(x, KIND: tl.constexpr, W: tl.constexpr, PACK: tl.constexpr):
    """Turn what was loaded, PACK in one, into float32 channels (1, W)."""
    if PACK == 4:
        a, b = _halves(x.to(tl.int32), KIND)
        c, d = _halves((x >> 32).to(tl.int32), KIND)
        x = tl.join(tl.join(a, c), tl.join(b, d)).reshape(1, W)
    elif PACK == 2:
        a, b = _halves(x, KIND)
        x = tl.join(a, b).reshape(1, W)
    else:
        x = x.to(tl.float32)
    return x


@triton.jit
def _load(p, mask, KIND: tl.constexpr, W: tl.constexpr, PACK: tl.constexpr):
    """Load one token's channels as float32 (1, W)."""
    return _channels(tl.load(p, mask=mask, other=0), KIND, W, PACK)


@triton.jit
def _store(p, x, mask, KIND: tl.constexpr, W: tl.constexpr, PACK: tl.constexpr,
           ASM: tl.constexpr):
    """Store one token's channels, float32 (1, W)."""
    if PACK == 4:
        even, odd = tl.split(x.reshape(1, W // 4, 2, 2))
        low, high = tl.split(_join_halves(even, odd, KIND, ASM))
        x = low.to(tl.int64) & 0xFFFFFFFF | (high.to(tl.int64) << 32)
    elif PACK == 2:
        even, odd = tl.split(x.reshape(1, W // 2, 2))
        x = _join_halves(even, odd, KIND, ASM)
    else:
        x = x.to(p.dtype.element_ty)
    tl.store(p, x, mask=mask)


@triton.jit
def _load_token(u_p, delta_p, bc_p, t, dp, in_p, in_n, ok, N: tl.constexpr):
    """Load what the token at distance t holds, if it is inside."""
    return (tl.load(u_p + t * dp, mask=in_p & ok, other=0),
            tl.load(delta_p + t * dp, mask=in_p & ok, other=0),
            tl.load(bc_p + t * 2 * N, mask=in_n & ok, other=0.),
            tl.load(bc_p + t * 2 * N + N, mask=in_n & ok, other=0.))


@triton.jit
def _advance(h, u, s, B, C, A, skip, y_p, mask, KIND: tl.constexpr,
             Y_KIND: tl.constexpr, BD: tl.constexpr, PACK: tl.constexpr,
             Y_PACK: tl.constexpr, ASM: tl.constexpr):
    """Scan one token; store its output; return the state (n, w)."""
    u = _channels(u, KIND, BD, PACK)
    s = _channels(s, KIND, BD, PACK)
    h = tl.exp2(s * A) * h + (s * u) * B
    y = tl.sum(h * C, axis=0, keep_dims=True) + skip * u
    _store(y_p, y, mask, Y_KIND, BD, Y_PACK, ASM)
    return h


@triton.jit(do_not_specialize=_VARYING)
def _scan_fwd_kernel(
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
        KIND: tl.constexpr,
        Y_KIND: tl.constexpr,
        PACK: tl.constexpr,
        Y_PACK: tl.constexpr,
        ASM: tl.constexpr):
    """Scan a chunk; every token is loaded two tokens ahead.

    u, delta and y come PACK channels at a time, which leaves their loads
    smaller than a warp, so that the layout of the states, 8 channel lanes by
    4 state lanes, holds for the whole kernel.
    """
    own = tl.program_id(2).to(tl.int64)
    kb = kb0 + own
    k = kb // b
    backward = (reversed_ >> k.to(tl.int32)) & 1
    first = tl.program_id(1) * chunk
    end = tl.minimum(first + chunk, l)
    n = tl.arange(0, BN)[:, None]
    c = tl.program_id(0) * BD + tl.arange(0, BD)[None, :]
    dp = d // PACK
    cp = tl.program_id(0) * (BD // PACK) + tl.arange(0, BD // PACK)[None, :]
    y_dp = d // Y_PACK
    y_cp = tl.program_id(0) * (BD // Y_PACK)
    y_cp += tl.arange(0, BD // Y_PACK)[None, :]
    in_d, in_n, in_p, in_y = c < d, n < N, cp < dp, y_cp < y_dp
    if WHOLE:
        in_d = tl.full([1, BD], 1, tl.int1)
        in_p = tl.full([1, BD // PACK], 1, tl.int1)
        in_y = tl.full([1, BD // Y_PACK], 1, tl.int1)
    if N == BN:
        in_n = tl.full([BN, 1], 1, tl.int1)
    inside = in_d & in_n
    A = tl.load(A_p + (k * N + n) * d + c, mask=inside, other=0.) * LOG2E
    # As a row of a tile, to stay in the layout of the states.
    row0 = inside & (n == 0)
    skip = tl.load(D_p + k * d + c + 0 * n, mask=row0, other=0.)
    skip = tl.sum(skip, axis=0, keep_dims=True)
    # Scan position i is token i, or l - 1 - i in the other direction.
    step = 1 - 2 * backward
    token = kb * l + tl.where(backward == 1, l - 1 - first, first)
    u_p += token * dp + cp
    delta_p += token * dp + cp
    y_p += token * y_dp + y_cp
    bc_p += token * 2 * N + n
    h = tl.zeros([BN, BD], tl.float32)
    if HAS_START:
        at = own * tl.num_programs(1) + tl.program_id(1)
        h += tl.load(start_p + (at * N + n) * d + c, mask=inside, other=0.)
    states_p += kb * tl.cdiv(l, EVERY) * N * d + n * d + c
    states_p += (first // EVERY).to(tl.int64) * N * d
    row = step * y_dp
    yes = tl.full([1, 1], 1, tl.int1)
    # Reading ahead stops at the last token, unmasked.
    count = end - first
    stop = count - 1
    u0, s0, B0, C0 = _load_token(u_p, delta_p, bc_p, 0, dp, in_p, in_n, yes, N)
    u1, s1, B1, C1 = _load_token(u_p, delta_p, bc_p,
                                 step * tl.minimum(1, stop), dp, in_p, in_n,
                                 yes, N)
    whole = count // 4 * 4
    for i in range(0, whole, 4):
        if HAS_STATES:
            tl.store(states_p, h, mask=inside)
            states_p += N * d
        u2, s2, B2, C2 = _load_token(u_p, delta_p, bc_p, step * (i + 2), dp,
                                     in_p, in_n, yes, N)
        u3, s3, B3, C3 = _load_token(u_p, delta_p, bc_p, step * (i + 3), dp,
                                     in_p, in_n, yes, N)
        h = _advance(h, u0, s0, B0, C0, A, skip, y_p, in_y, KIND, Y_KIND, BD,
                     PACK, Y_PACK, ASM)
        h = _advance(h, u1, s1, B1, C1, A, skip, y_p + row, in_y, KIND, Y_KIND,
                     BD, PACK, Y_PACK, ASM)
        u0, s0, B0, C0 = _load_token(u_p, delta_p, bc_p,
                                     step * tl.minimum(i + 4, stop), dp, in_p,
                                     in_n, yes, N)
        u1, s1, B1, C1 = _load_token(u_p, delta_p, bc_p,
                                     step * tl.minimum(i + 5, stop), dp, in_p,
                                     in_n, yes, N)
        h = _advance(h, u2, s2, B2, C2, A, skip, y_p + 2 * row, in_y, KIND,
                     Y_KIND, BD, PACK, Y_PACK, ASM)
        h = _advance(h, u3, s3, B3, C3, A, skip, y_p + 3 * row, in_y, KIND,
                     Y_KIND, BD, PACK, Y_PACK, ASM)
        y_p += 4 * row
    if whole < count:
        if HAS_STATES:
            tl.store(states_p, h, mask=inside)
        h = _advance(h, u0, s0, B0, C0, A, skip, y_p, in_y, KIND, Y_KIND, BD,
                     PACK, Y_PACK, ASM)
        if whole + 1 < count:
            h = _advance(h, u1, s1, B1, C1, A, skip, y_p + row, in_y, KIND,
                         Y_KIND, BD, PACK, Y_PACK, ASM)
        if whole + 2 < count:
            u2, s2, B2, C2 = _load_token(u_p, delta_p, bc_p,
                                         step * (whole + 2), dp, in_p, in_n,
                                         yes, N)
            h = _advance(h, u2, s2, B2, C2, A, skip, y_p + 2 * row, in_y, KIND,
                         Y_KIND, BD, PACK, Y_PACK, ASM)
    if end == l:
        tl.store(last_p + (kb * N + n) * d + c, h, mask=inside)


@triton.jit
def _load_step(x_p, delta_p, w_p, t, dp, in_p, in_n, ok, N: tl.constexpr):
    """Load a token's input and step, and its B or C, if it is inside."""
    return (tl.load(x_p + t * dp, mask=in_p & ok, other=0),
            tl.load(delta_p + t * dp, mask=in_p & ok, other=0),
            tl.load(w_p + t * 2 * N, mask=in_n & ok, other=0.))


@triton.jit
def _carry(h, total, x, s, w, A, GRAD: tl.constexpr, KIND: tl.constexpr,
           BD: tl.constexpr, PACK: tl.constexpr):
    """Take one token of a chunk into what it hands on."""
    x = _channels(x, KIND, BD, PACK)
    s = _channels(s, KIND, BD, PACK)
    if GRAD:
        h = tl.exp2(s * A) * (h + x * w)
    else:
        h = tl.exp2(s * A) * h + (s * x) * w
    return h, total + s


@triton.jit(do_not_specialize=_VARYING)
def _carry_kernel(
        x_p,  # (k, b, l, d): u; with GRAD dy, (b, l, d) if SHARED_X
        delta_p,  # (k, b, l, d)
        A_p,  # (k, n, d)
        bc_p,  # (k, b, l, 2, n)
        ends_p,  # (k, b, chunks, n, d)
        sums_p,  # (k, b, chunks, d), step sizes summed over the chunk
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
    kb = kb0 + tl.program_id(2).to(tl.int64)
    k = kb // b
    backward = (reversed_ >> k.to(tl.int32)) & 1
    index = tl.program_id(1) + (1 if GRAD else 0)
    first = index * chunk
    end = tl.minimum(first + chunk, l)
    n = tl.arange(0, BN)[:, None]
    c = tl.program_id(0) * BD + tl.arange(0, BD)[None, :]
    dp = d // PACK
    cp = tl.program_id(0) * (BD // PACK) + tl.arange(0, BD // PACK)[None, :]
    in_d, in_n, in_p = c < d, n < N, cp < dp
    if WHOLE:
        in_d = tl.full([1, BD], 1, tl.int1)
        in_p = tl.full([1, BD // PACK], 1, tl.int1)
    if N == BN:
        in_n = tl.full([BN, 1], 1, tl.int1)
    inside = in_d & in_n
    A = tl.load(A_p + (k * N + n) * d + c, mask=inside, other=0.) * LOG2E
    position = end - 1 if GRAD else first
    step = 1 - 2 * backward
    token = kb * l + tl.where(backward == 1, l - 1 - position, position)
    step = -step if GRAD else step
    x_p += (token - k * b * l if SHARED_X else token) * dp + cp
    delta_p += token * dp + cp
    bc_p += token * 2 * N + n + (N if GRAD else 0)
    h = tl.zeros([BN, BD], tl.float32)
    total = tl.sum(h, axis=0, keep_dims=True)
    # A block, because the interpreter mistypes `block & scalar`.
    zero = tl.zeros([1, 1], tl.int32)
    count = end - first
    # Masked tokens change nothing: their steps are zero.
    x0, s0, w0 = _load_step(x_p, delta_p, bc_p, 0, dp, in_p, in_n, zero
                            < count, N)
    x1, s1, w1 = _load_step(x_p, delta_p, bc_p, step, dp, in_p, in_n, zero + 1
                            < count, N)
    for i in range(0, count, 2):
        x2, s2, w2 = _load_step(x_p, delta_p, bc_p, step * (i + 2), dp, in_p,
                                in_n, zero + i + 2 < count, N)
        x3, s3, w3 = _load_step(x_p, delta_p, bc_p, step * (i + 3), dp, in_p,
                                in_n, zero + i + 3 < count, N)
        h, total = _carry(h, total, x0, s0, w0, A, GRAD, KIND, BD, PACK)
        h, total = _carry(h, total, x1, s1, w1, A, GRAD, KIND, BD, PACK)
        x0, s0, w0 = x2, s2, w2
        x1, s1, w1 = x3, s3, w3
    at = tl.program_id(2).to(tl.int64) * chunks + index
    tl.store(ends_p + (at * N + n) * d + c, h, mask=inside)
    tl.store(
        sums_p + at * d + c + 0 * n, total + 0. * h, mask=inside & (n == 0))


@triton.jit(do_not_specialize=_VARYING)
def _chain_kernel(
        ends_p,  # (k, b, chunks, n, d); overwritten by what chunks receive
        sums_p,  # (k, b, chunks, d)
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
    A = tl.load(A_p + (k * N + n) * d + c, mask=inside, other=0.) * LOG2E
    h = tl.zeros([BN, BD], tl.float32)
    zero = tl.zeros([1, 1], tl.int32)
    for i in range(chunks):
        at = kb * chunks + (chunks - 1 - i if GRAD else i)
        p = ends_p + (at * N + n) * d + c
        # The last one hands nothing on; no program wrote its share.
        more = zero + i + 1 < chunks
        own = tl.load(p, mask=inside & more, other=0.)
        total = tl.load(sums_p + at * d + c, mask=in_d & more, other=0.)
        tl.store(p, h, mask=inside)
        h = tl.exp2(total * A) * h + own


@triton.jit
def _differentiate(g, dA, dD, dbias, i0, end, A, skip, u_p, delta_p, bc_p,
                   dy_p, states_p, du_p, ddelta_p, dbc_p, dp, step, in_p, in_n,
                   inside, every, N: tl.constexpr, BD: tl.constexpr,
                   EVERY: tl.constexpr, SOFTPLUS: tl.constexpr,
                   KIND: tl.constexpr, PACK: tl.constexpr, ASM: tl.constexpr,
                   FULL: tl.constexpr):
    """Differentiate EVERY tokens; FULL says that all of them exist.

    Loads stand ahead of the stores they need not wait for, since no load may
    pass a store. The second pass loads again what would crowd the registers.
    """
    zero = tl.zeros([1, 1], tl.int32)
    yes = tl.full([1, 1], 1, tl.int1)
    h = tl.load(states_p + (i0 // EVERY) * every, mask=inside, other=0.)
    hs, dys = (h, ), ()
    for j in tl.static_range(EVERY):
        t = step * (i0 + j)
        ok = yes if FULL else zero + i0 + j < end
        u = _load(u_p + t * dp, in_p & ok, KIND, BD, PACK)
        s = _load(delta_p + t * dp, in_p & ok, KIND, BD, PACK)
        B = tl.load(bc_p + t * 2 * N, mask=in_n & ok, other=0.)
        dys = dys + (tl.load(dy_p + t * dp, mask=in_p & ok, other=0), )
        h = tl.exp2(s * A) * h + (s * u) * B
        hs = hs + (h, )
    last = i0 + EVERY - 1
    ok = yes if FULL else zero + last < end
    token = _load_token(u_p, delta_p, bc_p, step * last, dp, in_p, in_n, ok, N)
    both = tl.arange(0, 2)[None, :] * N
    for back in tl.static_range(EVERY):
        i = last - back
        u, s, B, C = token
        if back + 1 < EVERY:
            ok = yes if FULL else zero + i - 1 < end
            token = _load_token(u_p, delta_p, bc_p, step * (i - 1), dp, in_p,
                                in_n, ok, N)
        u = _channels(u, KIND, BD, PACK)
        s = _channels(s, KIND, BD, PACK)
        dy = _channels(dys[EVERY - 1 - back], KIND, BD, PACK)
        g += dy * C
        dC = tl.sum(dy * hs[EVERY - back], axis=1, keep_dims=True)
        dB = tl.sum((s * u) * g, axis=1, keep_dims=True)
        through_b = tl.sum(g * B, axis=0, keep_dims=True)
        g *= tl.exp2(s * A)
        q = g * hs[EVERY - 1 - back]
        through_a = tl.sum(q * A, axis=0, keep_dims=True)
        dA += q * s
        du = s * through_b + dy * skip
        # The rates carry log2(e); take it out again.
        ddelta = u * through_b + through_a * LN2
        if SOFTPLUS:
            # sigmoid of the argument, from the softplus of it: 1 - e**-s,
            # by its series where the difference would cancel.
            small = s * (1. - s * (0.5 - s * (1. / 6. - s / 24.)))
            ddelta *= tl.where(s < 0.06, small, 1. - tl.exp2(-s * LOG2E))
        t = step * i
        ok = yes if FULL else zero + i < end
        _store(du_p + t * dp, du, in_p & ok, KIND, BD, PACK, ASM)
        _store(ddelta_p + t * dp, ddelta, in_p & ok, KIND, BD, PACK, ASM)
        dbc = tl.join(dB, dC).reshape(dB.shape[0], 2)
        tl.store(dbc_p + t * 2 * N + both, dbc, mask=in_n & ok)
        dD += dy * u
        dbias += ddelta
    return g, dA, dD, dbias


@triton.jit(do_not_specialize=_VARYING)
def _scan_bwd_kernel(
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
        dA_p,  # (k, b, parts, n, d)
        dD_p,  # (k, b, parts, d)
        dbias_p,  # (k, b, parts, d)
        kb0,
        parts,
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
        ASM: tl.constexpr):
    """Differentiate a chunk, EVERY tokens at a time from its end.

    Loading PACK channels at a time leaves the loads smaller than a warp, so
    that the layout of the states, 8 channel lanes by 4 state lanes, holds for
    the whole kernel: few shuffles for the sums over channels.
    """
    own = tl.program_id(2).to(tl.int64)
    kb = kb0 + own
    k = kb // b
    backward = (reversed_ >> k.to(tl.int32)) & 1
    first = tl.program_id(1) * chunk
    end = tl.minimum(first + chunk, l)
    n = tl.arange(0, BN)[:, None]
    c = tl.program_id(0) * BD + tl.arange(0, BD)[None, :]
    dp = d // PACK
    cp = tl.program_id(0) * (BD // PACK) + tl.arange(0, BD // PACK)[None, :]
    in_d, in_n, in_p = c < d, n < N, cp < dp
    if WHOLE:
        in_d = tl.full([1, BD], 1, tl.int1)
        in_p = tl.full([1, BD // PACK], 1, tl.int1)
    if N == BN:
        in_n = tl.full([BN, 1], 1, tl.int1)
    inside = in_d & in_n
    A = tl.load(A_p + (k * N + n) * d + c, mask=inside, other=0.) * LOG2E
    # As a row of a tile, to stay in the layout of the states.
    row0 = inside & (n == 0)
    skip = tl.load(D_p + k * d + c + 0 * n, mask=row0, other=0.)
    skip = tl.sum(skip, axis=0, keep_dims=True)
    step = 1 - 2 * backward
    token0 = kb * l + tl.where(backward == 1, l - 1, 0)
    dy_token0 = token0 - k * b * l if SHARED_DY else token0
    u_p += token0 * dp + cp
    delta_p += token0 * dp + cp
    dy_p += dy_token0 * dp + cp
    du_p += token0 * dp + cp
    ddelta_p += token0 * dp + cp
    bc_p += token0 * 2 * N + n
    dbc_p += tl.program_id(0).to(tl.int64) * partial + token0 * 2 * N + n
    states_p += kb * tl.cdiv(l, EVERY) * N * d + n * d + c
    at = kb * parts + tl.program_id(1)
    g = tl.zeros([BN, BD], tl.float32)
    if HAS_START:
        start = own * tl.num_programs(1) + tl.program_id(1)
        g += tl.load(start_p + (start * N + n) * d + c, mask=inside, other=0.)
    dA = tl.zeros([BN, BD], tl.float32)
    dD = 0. * skip
    dbias = dD
    every = N * d
    turns = (end - first) // EVERY
    if first + turns * EVERY < end:
        g, dA, dD, dbias = _differentiate(
            g, dA, dD, dbias, first + turns * EVERY, end, A, skip, u_p,
            delta_p, bc_p, dy_p, states_p, du_p, ddelta_p, dbc_p, dp, step,
            in_p, in_n, inside, every, N, BD, EVERY, SOFTPLUS, KIND, PACK, ASM,
            False)
    for turn in range(turns):
        g, dA, dD, dbias = _differentiate(
            g, dA, dD, dbias, first + (turns - 1 - turn) * EVERY, end, A, skip,
            u_p, delta_p, bc_p, dy_p, states_p, du_p, ddelta_p, dbc_p, dp,
            step, in_p, in_n, inside, every, N, BD, EVERY, SOFTPLUS, KIND,
            PACK, ASM, True)
    tl.store(dA_p + (at * N + n) * d + c, dA, mask=inside)
    tl.store(dD_p + at * d + c + 0 * n, dD + 0. * dA, mask=row0)
    tl.store(dbias_p + at * d + c + 0 * n, dbias + 0. * dA, mask=row0)


class Cut(NamedTuple):
    """Sequences, of k * b, that one launch scans, and their chunks."""
    kb0: int
    count: int
    chunk: int
    chunks: int


def _cut(kb0: int, count: int, l: int, chunks: int) -> Cut:
    """Cut ``count`` sequences into at most so many chunks."""
    chunks = min(chunks, triton.cdiv(l, MIN_CHUNK))
    # Chunks begin where states are stored.
    chunk = triton.cdiv(triton.cdiv(l, chunks), 8) * 8
    return Cut(kb0, count, chunk, triton.cdiv(l, chunk))


def cuts(u: Tensor, warps: int, waves: int) -> List[Cut]:
    """Choose launches by shape, so that a GPU is evenly busy.

    Programs run in waves of equal length. What fills whole waves is scanned
    in one piece; what would leave a wave half empty, in chunks that fill it.

    Args:
        u (Tensor): Shape (k, b, l, d), not empty.
        warps (int): Programs that fit on a multiprocessor.
        waves (int): How many waves of chunks to make of such a rest.

    Returns:
        list: The launches.
    """
    k, b, l, d = u.shape
    blocks = triton.cdiv(d, BLOCK_D)
    slots = warps * _multiprocessors(u.device)
    whole = k * b * blocks // slots * slots // blocks
    rest = k * b - whole
    each = []
    if whole:
        each.append(_cut(0, whole, l, 1))
    if rest:
        chunks = slots // (rest * blocks)
        if chunks > 1:
            chunks = waves * slots // (rest * blocks)
        each.append(_cut(whole, rest, l, max(1, chunks)))
    return each


@functools.lru_cache()
def _multiprocessors(device: torch.device) -> int:
    """Return their number; without a GPU, as many as an H100 has."""
    if device.type != 'cuda':
        return 132
    return torch.cuda.get_device_properties(device).multi_processor_count


def _on_nvidia() -> bool:
    """Tell whether kernels are compiled for NVIDIA's GPUs."""
    return not interpreting() and torch.version.hip is None


def _launch(registers: int) -> dict:
    """Return the launch options of a kernel of one warp."""
    options = dict(num_warps=1)
    # 255 is what a thread may have anyway; elsewhere the option is unknown.
    if registers < 255 and _on_nvidia():
        options['maxnreg'] = registers
    return options


def _constants(d: int, n: int) -> dict:
    """Return the sizes that every kernel is compiled for."""
    return dict(
        N=n,
        BN=triton.next_power_of_2(n),
        BD=BLOCK_D,
        # Whether no program's channels reach beyond the last.
        WHOLE=d % BLOCK_D == 0)


def _pack(x: Tensor) -> int:
    """Return how many neighbouring channels to load as one integer."""
    for pack in (8 // x.element_size(), 2):
        if x.shape[-1] % pack == 0:
            return pack
    return 1


def _packed(x: Tensor) -> Tensor:
    """View each ``_pack(x)`` neighbouring channels as one integer."""
    pack = _pack(x)
    if pack == 1:
        return x
    wide = pack * x.element_size() == 8
    return x.view(torch.int64 if wide else torch.int32)


def _starts(cut: Cut, x: Tensor, delta: Tensor, A: Tensor, bc: Tensor,
            reversed_: int, grad: bool) -> Tensor:
    """Return the state (or gradient) that each chunk receives.

    The result has shape (count, chunks, n, d).
    """
    if cut.chunks == 1:
        return A
    k, b, l, d = delta.shape
    n = A.shape[1]
    constants = _constants(d, n)
    ends = A.new_empty(cut.count, cut.chunks, n, d)
    sums = A.new_empty(cut.count, cut.chunks, d)
    blocks = triton.cdiv(d, BLOCK_D)
    _carry_kernel[blocks, cut.chunks - 1, cut.count](
        _packed(x),
        _packed(delta),
        A,
        bc,
        ends,
        sums,
        cut.kb0,
        b,
        l,
        d,
        cut.chunk,
        cut.chunks,
        reversed_,
        **constants,
        GRAD=grad,
        SHARED_X=x.dim() == 3,
        KIND=_KINDS[x.dtype],
        PACK=_pack(x),
        num_warps=1)
    constants.pop('WHOLE')
    _chain_kernel[blocks, cut.count](
        ends,
        sums,
        A,
        cut.kb0,
        b,
        d,
        cut.chunks,
        **constants,
        GRAD=grad,
        num_warps=1)
    return ends


def scan_forward(u: Tensor, delta: Tensor, A: Tensor, bc: Tensor, D: Tensor,
                 reversed_: int, y_dtype: torch.dtype,
                 keep: bool) -> Tuple[Tensor, Tensor, Tensor]:
    """Scan k directions.

    Args:
        u (Tensor): Input, shape (k, b, l, d), contiguous.
        delta (Tensor): Step sizes after softplus, shape and dtype of ``u``.
        A (Tensor): Rates, shape (k, d, n), float32.
        bc (Tensor): B and C, shape (k, b, l, 2, n), float32.
        D (Tensor): Skip weights, shape (k, d), float32.
        reversed_ (int): Bit i is set if direction i scans backward.
        y_dtype (torch.dtype): Dtype of the output.
        keep (bool): Store states for backward.

    Returns:
        tuple: Outputs (k, b, l, d); last states (k, b, n, d) in float32; the
        stored states (k, b, steps, n, d), or an empty tensor.
    """
    k, b, l, d = u.shape
    n = A.shape[2]
    y = torch.empty_like(u, dtype=y_dtype)
    last = A.new_empty(k, b, n, d)
    steps = triton.cdiv(l, EVERY) if keep else 0
    states = A.new_empty(k, b, steps, n, d)
    if u.numel() == 0:
        return y, last, states
    A = A.transpose(1, 2).contiguous()
    for cut in cuts(u, FORWARD_WARPS, FORWARD_WAVES):
        start = _starts(cut, u, delta, A, bc, reversed_, False)
        _scan_fwd_kernel[triton.cdiv(d, BLOCK_D), cut.chunks, cut.count](
            _packed(u),
            _packed(delta),
            A,
            bc,
            D,
            start,
            _packed(y),
            states,
            last,
            cut.kb0,
            b,
            l,
            d,
            cut.chunk,
            reversed_,
            **_constants(d, n),
            EVERY=EVERY,
            HAS_START=cut.chunks > 1,
            HAS_STATES=keep,
            KIND=_KINDS[u.dtype],
            Y_KIND=_KINDS[y_dtype],
            PACK=_pack(u),
            Y_PACK=_pack(y),
            ASM=_on_nvidia(),
            **_launch(FORWARD_REGISTERS))
    return y, last, states


def scan_backward(u: Tensor, delta: Tensor, A: Tensor, bc: Tensor, D: Tensor,
                  dy: Tensor, states: Tensor, reversed_: int,
                  softplus: bool) -> Tuple[Tensor, ...]:
    """Differentiate ``scan_forward``.

    Args:
        u, delta, A, bc, D, reversed_: As given to ``scan_forward``.
        dy (Tensor): Output gradient, shape (k, b, l, d), or (b, l, d) if all
            directions share it; dtype of ``u``, contiguous.
        states (Tensor): From ``scan_forward`` with ``keep``.
        softplus (bool): Return the gradient before the softplus that made
            ``delta``.

    Returns:
        tuple: Gradients of u and delta (k, b, l, d); of A (k, d, n), bc
        (k, b, l, 2, n), D (k, d) and the step bias (k, d), in float32.
    """
    k, b, l, d = u.shape
    n = A.shape[2]
    blocks = triton.cdiv(d, BLOCK_D)
    each = cuts(u, BACKWARD_WARPS, BACKWARD_WAVES) if u.numel() else []
    parts = max([cut.chunks for cut in each], default=0)
    du, ddelta = torch.empty_like(u), torch.empty_like(delta)
    dbc = bc.new_empty(blocks, *bc.shape)
    # Zeros, since launches with fewer chunks leave parts untouched.
    dA = A.new_zeros(k, b, parts, n, d)
    dD = A.new_zeros(k, b, parts, d)
    dbias = torch.zeros_like(dD)
    A = A.transpose(1, 2).contiguous()
    for cut in each:
        start = _starts(cut, dy, delta, A, bc, reversed_, True)
        _scan_bwd_kernel[blocks, cut.chunks, cut.count](
            _packed(u),
            _packed(delta),
            A,
            bc,
            D,
            _packed(dy),
            states,
            start,
            _packed(du),
            _packed(ddelta),
            dbc,
            dA,
            dD,
            dbias,
            cut.kb0,
            parts,
            dbc.stride(0),
            b,
            l,
            d,
            cut.chunk,
            reversed_,
            **_constants(d, n),
            EVERY=EVERY,
            HAS_START=cut.chunks > 1,
            SHARED_DY=dy.dim() == 3,
            SOFTPLUS=softplus,
            KIND=_KINDS[u.dtype],
            PACK=_pack(u),
            ASM=_on_nvidia(),
            **_launch(BACKWARD_REGISTERS))
    return (du, ddelta, dA.sum(
        (1, 2)).transpose(1, 2), dbc.sum(0), dD.sum((1, 2)), dbias.sum((1, 2)))
