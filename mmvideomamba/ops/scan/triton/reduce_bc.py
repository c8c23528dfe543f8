"""Reduction of the partial gradients of B and C over blocks of channels."""
import triton
import triton.language as tl

from ...runtime.triton_launcher import cached_launch
from .n16_layout import STATES


@cached_launch
@triton.jit(do_not_specialize=('rows', 'blocks'))
def reduce_bc_kernel(
        parts_p,  # (blocks, rows, 2 n), float32
        ranks_p,  # (rows, r)
        out_p,  # (rows, r + 2 n)
        rows,
        blocks,
        R: tl.constexpr,
        N2: tl.constexpr,
        BR: tl.constexpr,
        BN2: tl.constexpr,
        TM: tl.constexpr,
        N16_ORDER: tl.constexpr):
    """Write r copied columns, then the sums over blocks.

    With N16_ORDER, rows are in the order of ``sum_channels``
    (n16_bwd_layout.py).
    """
    row = tl.program_id(0).to(tl.int64) * TM + tl.arange(0, TM)[:, None]
    column = tl.arange(0, BN2)[None, :]
    ok = (row < rows) & (column < N2)
    total = tl.zeros([TM, BN2], tl.float32)
    parts_p += row * N2 + column
    for i in range(blocks):
        total += tl.load(parts_p, mask=ok, other=0.)
        parts_p += rows.to(tl.int64) * N2
    if N16_ORDER:
        # Column 8 ln + 4 w + i holds state 4 ln + i of B (w = 0) or C.
        column = column // 4 % 2 * STATES + column // 8 * 4 + column % 4
    out_p += row * (R + N2)
    tl.store(out_p + R + column, total.to(out_p.dtype.element_ty), mask=ok)
    if R > 0:
        rank = tl.arange(0, BR)[None, :]
        ok = (row < rows) & (rank < R)
        ranks = tl.load(ranks_p + row * R + rank, mask=ok, other=0.)
        tl.store(out_p + rank, ranks, mask=ok)
