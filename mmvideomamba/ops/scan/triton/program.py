"""A program of the scan kernels: its tokens, channels, masks and rates.

A program owns BLOCK_D (32) channels of a sequence, a sample in a scan
direction, in a single warp. The state, (n, 32), lives in registers while the
program walks over the tokens of a chunk.

Shapes in the kernels: k directions, b samples, l tokens, d channels, n
states; a bit of ``reverse_bits`` per direction is set for a scan from the last
token. Scan position i is token i, or token l - 1 - i in a reverse scan.
"""
import triton
import triton.language as tl

from ...runtime.triton_warp import LOG2E

# Integer arguments excluded from the specialisation of a kernel.
VARYING = ('first_sequence', 'b', 'l', 'chunk', 'chunks', 'reverse_bits')

# Tokens between two stored states, and in an unrolled group of the forward
# kernels. Their loops are unrolled by hand and assert the value.
GROUP = tl.constexpr(4)


@triton.jit
def scan_range(index, first_sequence, b, l, chunk, reverse_bits):
    """Return a program's scan positions, sequence and direction.

    First and end scan position of chunk ``index``; the sequence's number in
    the launch, and among all k * b; the direction, and whether the direction
    runs in reverse.
    """
    first = index * chunk
    local_sequence = tl.program_id(2).to(tl.int64)
    sequence = first_sequence + local_sequence
    k = sequence // b
    backward = (reverse_bits >> k.to(tl.int32)) & 1
    end = tl.minimum(first + chunk, l)
    return first, end, local_sequence, sequence, k, backward


@triton.jit
def load_rates(A_p, k, n, c, d, inside, N: tl.constexpr):
    """Load a direction's rates, scaled for ``exp2``, (BN, BD)."""
    return tl.load(A_p + (k * N + n) * d + c, mask=inside, other=0.) * LOG2E


@triton.jit
def tile_masks(block, n, d, N: tl.constexpr, BN: tl.constexpr,
               BD: tl.constexpr, PACK: tl.constexpr,
               FULL_BLOCKS: tl.constexpr):
    """Return the masks of a program: packs of channels, states, the tile."""
    if FULL_BLOCKS:
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
def load_skip(D_p, n, c, inside):
    """Load skip weights (1, BD)."""
    # Loaded as row 0 of a tile, to stay in the layout of the states.
    skip = tl.load(D_p + c + 0 * n, mask=inside & (n == 0), other=0.)
    return tl.sum(skip, axis=0, keep_dims=True)
