"""State passing: chain the chunk states to each chunk's initial state."""
import triton
import triton.language as tl

from ...runtime.triton_launcher import cached_launch
from .program import VARYING, load_rates

# Chunks loaded at once. No load may pass a store, so chunks loaded one by one
# would each be waited for.
CHUNKS_AHEAD = tl.constexpr(4)


@cached_launch
@triton.jit(do_not_specialize=VARYING)
def state_passing_kernel(
        chunk_states_p,  # (sequences, chunks, n, d), replaced by the results
        step_sums_p,  # (sequences, chunks, d)
        A_p,  # (k, n, d)
        first_sequence,
        b,
        d,
        chunks,
        N: tl.constexpr,
        BN: tl.constexpr,
        BD: tl.constexpr,
        GRAD: tl.constexpr):
    """Replace each chunk's final state by the chunk's initial state.

    ``h0[i + 1] = exp(A sum(s[i])) h0[i] + h[i]``, with h the states of
    chunk_state.py, from ``h0[0] = 0``; from the last chunk on with GRAD.
    """
    local_sequence = tl.program_id(1).to(tl.int64)
    k = (first_sequence + local_sequence) // b
    n = tl.arange(0, BN)[:, None]
    c = tl.program_id(0) * BD + tl.arange(0, BD)[None, :]
    in_d = c < d
    inside = in_d & (n < N)
    A = load_rates(A_p, k, n, c, d, inside, N)
    h = tl.zeros([BN, BD], tl.float32)
    zero = tl.zeros([1, 1], tl.int32)
    step = -1 if GRAD else 1
    at = local_sequence * chunks + (chunks - 1 if GRAD else 0)
    chunk_states_p += at * N * d + n * d + c
    step_sums_p += at * d + c
    for i in range(0, chunks, CHUNKS_AHEAD):
        finals = ()  # type: tuple
        totals = ()  # type: tuple
        for j in tl.static_range(CHUNKS_AHEAD):
            # The last chunk has no successor and no stored state.
            more = zero + i + j + 1 < chunks
            final = tl.load(
                chunk_states_p + j * step * N * d,
                mask=inside & more,
                other=0.)
            finals = finals + (final, )
            total = tl.load(
                step_sums_p + j * step * d, mask=in_d & more, other=0.)
            totals = totals + (total, )
        for j in tl.static_range(CHUNKS_AHEAD):
            tl.store(
                chunk_states_p + j * step * N * d,
                h,
                mask=inside & (zero + i + j < chunks))
            h = tl.exp2(totals[j] * A) * h + finals[j]
        chunk_states_p += CHUNKS_AHEAD * step * N * d
        step_sums_p += CHUNKS_AHEAD * step * d
