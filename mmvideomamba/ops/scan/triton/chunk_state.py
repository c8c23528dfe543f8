"""Chunk states: the state each chunk reaches from a zero initial state.

The first of three kernels for long sequences in few programs: chunk states,
state passing (state_passing.py), then the main kernel, started from each
chunk's true initial state. The backward scan uses the same kernels for the
state's gradient. n16_chunk_state.py serves 16 states in half precision.
"""
import triton
import triton.language as tl

from ...runtime.triton_launcher import cached_launch
from ...runtime.triton_pack import unpack_channels
from .program import VARYING, load_rates, scan_range, tile_masks


@triton.jit
def _load_token(x_p, delta_p, w_p, t, dp, bc_row, in_p, in_n, ok):
    """Load a token's input, step size, and B or C, zeros outside."""
    return (tl.load(x_p + t * dp, mask=in_p & ok, other=0),
            tl.load(delta_p + t * dp, mask=in_p & ok, other=0),
            tl.load(w_p + t * bc_row, mask=in_n & ok, other=0))


@triton.jit
def _add_token(h, total, token, A, GRAD: tl.constexpr, DTYPE: tl.constexpr,
               BD: tl.constexpr, PACK: tl.constexpr):
    """Add a token to the chunk state and to the sum of step sizes."""
    x, s, w = token
    x = unpack_channels(x, DTYPE, BD, PACK)
    s = unpack_channels(s, DTYPE, BD, PACK)
    if GRAD:
        h = tl.exp2(s * A) * (h + x * w)
    else:
        h = tl.exp2(s * A) * h + (s * x) * w
    return h, total + s


@cached_launch
@triton.jit(do_not_specialize=VARYING)
def chunk_state_kernel(
        x_p,  # (k, b, l, d): u; with GRAD dy, (b, l, d) if SHARED_X
        delta_p,  # (k, b, l, d)
        A_p,  # (k, n, d)
        bc_p,  # (k, b, l, 2, n)
        chunk_states_p,  # (sequences, chunks, n, d)
        step_sums_p,  # (sequences, chunks, d), step sizes summed over a chunk
        first_sequence,
        b,
        l,
        d,
        chunk,
        chunks,
        reverse_bits,
        N: tl.constexpr,
        BN: tl.constexpr,
        BD: tl.constexpr,
        FULL_BLOCKS: tl.constexpr,
        GRAD: tl.constexpr,
        SHARED_X: tl.constexpr,
        DTYPE: tl.constexpr,
        PACK: tl.constexpr):
    """Compute each chunk's final state from a zero initial state.

    Forward, ``h = a h + s B u`` from the chunk's first token to the last;
    with GRAD, ``g = a (g + C dy)`` from the last token to the first. The last
    chunk in scan order (the first with GRAD) has no successor and no program.
    """
    block = tl.program_id(0)
    index = tl.program_id(1) + (1 if GRAD else 0)
    first, end, local_sequence, sequence, k, backward = scan_range(
        index, first_sequence, b, l, chunk, reverse_bits)
    n = tl.arange(0, BN)[:, None]
    c = block * BD + tl.arange(0, BD)[None, :]
    in_p, in_n, inside = tile_masks(block, n, d, N, BN, BD, PACK, FULL_BLOCKS)
    A = load_rates(A_p, k, n, c, d, inside, N)
    dp = d // PACK
    cp = block * (BD // PACK) + tl.arange(0, BD // PACK)[None, :]
    position = end - 1 if GRAD else first
    step = 1 - 2 * backward
    origin = sequence * l + tl.where(backward == 1, l - 1 - position, position)
    step = -step if GRAD else step
    bc_row: tl.constexpr = 2 * N
    x_p += (origin - k * b * l if SHARED_X else origin) * dp + cp
    delta_p += origin * dp + cp
    bc_p += origin * bc_row + n + (bc_row // 2 if GRAD else 0)
    h = tl.zeros([BN, BD], tl.float32)
    total = tl.sum(h, axis=0, keep_dims=True)
    # A block, because the interpreter mistypes `block & scalar`.
    zero = tl.zeros([1, 1], tl.int32)
    count = end - first
    # Masked tokens have a step of size zero and change nothing.
    token0 = _load_token(x_p, delta_p, bc_p, 0, dp, bc_row, in_p, in_n, zero
                         < count)
    token1 = _load_token(x_p, delta_p, bc_p, step, dp, bc_row, in_p, in_n,
                         zero + 1 < count)
    for i in range(0, count, 2):
        token2 = _load_token(x_p, delta_p, bc_p, step * (i + 2), dp, bc_row,
                             in_p, in_n, zero + i + 2 < count)
        token3 = _load_token(x_p, delta_p, bc_p, step * (i + 3), dp, bc_row,
                             in_p, in_n, zero + i + 3 < count)
        h, total = _add_token(h, total, token0, A, GRAD, DTYPE, BD, PACK)
        h, total = _add_token(h, total, token1, A, GRAD, DTYPE, BD, PACK)
        token0 = token2
        token1 = token3
    at = local_sequence * chunks + index
    tl.store(chunk_states_p + (at * N + n) * d + c, h, mask=inside)
    tl.store(
        step_sums_p + at * d + c + 0 * n,
        total + 0. * h,
        mask=inside & (n == 0))
