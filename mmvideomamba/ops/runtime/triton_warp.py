"""Warp-level pieces of the kernels: shuffles, votes, prefetch, lane layout.

Where the lanes of a warp are axes, (4, 8), lane ``8 r + c`` holds the entry
``[r, c]``. With ``USE_PTX`` a piece is an inline PTX instruction; without it,
under the interpreter and on AMD's GPUs, the same in plain Triton.
"""
import triton
import triton.language as tl

LOG2E = tl.constexpr(1.4426950408889634)
LN2 = tl.constexpr(0.6931471805599453)


@triton.jit
def sigmoid(x, USE_PTX: tl.constexpr):
    """Return 1 / (1 + exp(-x)) by an approximate reciprocal."""
    x = 1. + tl.exp2(-x * LOG2E)
    if USE_PTX:
        x = tl.inline_asm_elementwise(
            'rcp.approx.ftz.f32 $0, $1;',
            '=f,f', [x],
            dtype=tl.float32,
            is_pure=True,
            pack=1)
    else:
        x = 1. / x
    return x


@triton.jit
def _shuffle_butterfly(x, BITS: tl.constexpr):
    return tl.inline_asm_elementwise(
        f'shfl.sync.bfly.b32 $0, $1, {BITS}, 31, -1;',
        '=f,f', [x],
        dtype=tl.float32,
        is_pure=True,
        pack=1)


@triton.jit
def _flip(x, BIT: tl.constexpr):
    rest: tl.constexpr = x.numel // 2 // BIT
    return tl.flip(x.reshape(rest, 2, BIT), 1).reshape(x.shape)


@triton.jit
def swap(x, BITS: tl.constexpr, USE_PTX: tl.constexpr):
    """Butterfly shuffle: return the value of lane ``lane_id ^ BITS``.

    The last two axes of x are lanes, (4, 8); BITS is 4, or 1 to 3 times 1
    or 8.
    """
    if USE_PTX:
        x = _shuffle_butterfly(x, BITS)
    elif BITS == 3 or BITS == 24:
        x = _flip(_flip(x, BITS // 3), BITS // 3 * 2)
    else:
        x = _flip(x, BITS)
    return x


@triton.jit
def along_rows(offsets, USE_PTX: tl.constexpr):
    """Make Triton spread lanes along the second axis of offsets (r, c).

    Triton orders lanes along the axis with the most contiguous offsets. The
    hint to Triton is false on purpose: offsets along the second axis need not
    be contiguous, and the hint alone makes lane ``8 r + c`` take the entry
    ``[r, c]``. Triton 3.8 keeps this order without the hint, 3.4 to 3.6 do
    not. The inline ``mov`` hides alignment and contiguity along the first
    axis, so that a lane takes a single entry.

    tests/ops/scan/triton/test_n16_layout.py compiles the kernels and checks
    the layout; with ``MMVIDEOMAMBA_SCAN_KERNELS=general`` no kernel depends on
    the layout.
    """
    if USE_PTX:
        offsets = tl.inline_asm_elementwise(
            'mov.b32 $0, $1;',
            '=r,r', [offsets],
            dtype=tl.int32,
            is_pure=True,
            pack=1)
    return tl.max_contiguous(offsets, [1, offsets.shape[1]])


@triton.jit
def fetch_ahead(p, USE_PTX: tl.constexpr):
    """Prefetch the cache lines of addresses p into the L2 cache."""
    if USE_PTX:
        tl.inline_asm_elementwise(
            'prefetch.global.L2 [$1]; mov.b32 $0, 0;',
            '=r,l', [p.to(tl.int64)],
            dtype=tl.int32,
            is_pure=False,
            pack=1)


@triton.jit
def any_lane_above(x, threshold: tl.constexpr, USE_PTX: tl.constexpr):
    """Vote of the warp: tell whether x exceeds the threshold.

    All lanes hold the same x. The vote proves the agreement to the compiler;
    a loop with an exit per lane is much slower.
    """
    if USE_PTX:
        x = tl.inline_asm_elementwise(
            '{ .reg .pred p, q; setp.gt.f32 p, $1, $2; '
            'vote.sync.any.pred q, p, -1; selp.b32 $0, 1, 0, q; }',
            '=r,f,f', [x, threshold],
            dtype=tl.int32,
            is_pure=False,
            pack=1) != 0
    else:
        x = x > threshold
    return x
