"""Forward scan for 16 states in half precision, in Triton.

The kernels compute what those of scan_kernels_triton.py and
scan_chunks_triton.py do, with a warp's registers laid out by hand: lane
``8 ln + lc`` holds the states ``4 ln + i`` of the channels ``4 lc + j``, a
tile (4, 4, 32) over (i, ln, channel). The lanes are axes, (4, 8), of
everything else.

- A turn is four tokens. One load fetches all of a tensor: the lanes of row ln
  the channels of token ln; of B and C, those of column lc the states of token
  ``lc % 4``. A shuffle gives each token's numbers to the lanes that need them.
  So a turn is in flight in a few registers while the one before is computed.
- Sums over lanes are scattered: two values over two lanes become one a lane.
"""
import triton
import triton.language as tl

from .launch_triton import launched
from .scan_kernels_triton import VARYING, span
from .scan_slots_triton import store_state, turn
from .scan_tiles_triton import (LOG2E, above, lane_places, store_own,
                                tile_places)
from .scan_turns_triton import (column_states, load_turn, own, pick_column,
                                pick_row, row_channels, scatter_states)


@triton.jit
def _packs(block, d, WHOLE: tl.constexpr):
    """Return a program's packs of channels (1, 8), and which exist."""
    packs = block * 8 + tl.arange(0, 8)[None, :]
    return packs, (packs < d // 4) | WHOLE


@triton.jit
def _advance(h, u0, s, bc4, A, J: tl.constexpr, KIND: tl.constexpr,
             ASM: tl.constexpr):
    """Return the state after token J of a turn."""
    u = row_channels(u0, KIND)
    B = column_states(pick_column(bc4, J, ASM), KIND, ASM)
    return tl.exp2(s * A) * h + (s * u) * B


@triton.jit
def _scan_token(h, u4, s4, bc4, A, skip, y_p, row, mask, J: tl.constexpr,
                HAS_Y: tl.constexpr, KIND: tl.constexpr, ASM: tl.constexpr):
    """Scan token J of a turn; store its output; return the state after it."""
    u0 = pick_row(u4, J, ASM)
    s = row_channels(pick_row(s4, J, ASM), KIND)
    h = _advance(h, u0, s, bc4, A, J, KIND, ASM)
    if HAS_Y:
        C = column_states(pick_column(bc4, 4 + J, ASM), KIND, ASM)
        y = scatter_states(h * C, ASM) + skip * own(u0, KIND)
        store_own(y_p + J * row, y, mask, ASM)
    return h


@launched
@triton.jit(do_not_specialize=VARYING)
def lanes_fwd_kernel(
        u_p,  # (k, b, l, d / 4), four channels in one integer
        delta_p,  # (k, b, l, d / 4), after softplus
        A_p,  # (k, 16, d)
        bc_p,  # (k, b, l, 2, 4), four states in one integer
        D_p,  # (k, d)
        start_p,  # (kb, chunks, 16, d), state before each chunk
        y_p,  # (k, b, l, d)
        states_p,  # (k, b, steps, blocks, 512), before every 4 tokens
        last_p,  # (k, b, 16, d)
        kb0,
        b,
        l,
        d,
        chunk,
        reversed_,
        WHOLE: tl.constexpr,
        HAS_START: tl.constexpr,
        HAS_STATES: tl.constexpr,
        HAS_Y: tl.constexpr,
        KIND: tl.constexpr,
        ASM: tl.constexpr):
    """Scan a chunk; every turn is loaded one turn ahead."""
    block = tl.program_id(0)
    first, end, sequence, kb, k, backward = span(
        tl.program_id(1), kb0, b, l, chunk, reversed_)
    packs, in_p = _packs(block, d, WHOLE)
    c, inside, mine, in_y = lane_places(block, d, WHOLE, ASM)
    tile = tile_places(c, d)
    A = tl.load(A_p + k * 16 * d + tile, mask=inside, other=0.) * LOG2E
    skip = tl.load(D_p + k * d + mine, mask=in_y, other=0.)
    dp = d // 4
    # Scan position i is token i, or l - 1 - i in the other direction.
    step = 1 - 2 * backward
    place = kb * l + tl.where(backward == 1, l - 1 - first, first)
    u_p += place * dp + packs
    delta_p += place * dp + packs
    bc_p += place * 8
    y_p += place * d + mine
    h = tl.zeros([4, 4, 32], tl.float32)
    if HAS_START:
        at = sequence * tl.num_programs(1) + tl.program_id(1)
        h += tl.load(start_p + at * 16 * d + tile, mask=inside, other=0.)
    every = tl.num_programs(0).to(tl.int64) * 512
    states_p += (kb * tl.cdiv(l, 4) + first // 4) * every + block * 512
    row = step * d
    count = end - first
    whole = count // 4 * 4
    u4, s4, bc4 = load_turn(u_p, delta_p, bc_p, 0, count - 1, step, dp, in_p,
                            ASM)
    for i in range(0, whole, 4):
        if HAS_STATES:
            store_state(states_p, turn(h))
            states_p += every
        u5, s5, bc5 = load_turn(u_p, delta_p, bc_p, i + 4, count - 1, step, dp,
                                in_p, ASM)
        for j in tl.static_range(4):
            h = _scan_token(h, u4, s4, bc4, A, skip, y_p, row, in_y, j, HAS_Y,
                            KIND, ASM)
        u4, s4, bc4 = u5, s5, bc5
        y_p += 4 * row
    if whole < count:
        if HAS_STATES:
            store_state(states_p, turn(h))
        # With a step of size zero a token changes nothing.
        s4 = tl.where(whole + tl.arange(0, 4)[:, None] < count, s4, 0)
        for j in tl.static_range(3):
            h = _scan_token(h, u4, s4, bc4, A, skip, y_p, row,
                            in_y & (whole + j < count), j, HAS_Y, KIND, ASM)
    if end == l:
        tl.store(last_p + kb * 16 * d + tile, h, mask=inside)


@triton.jit
def _carry_turn(h, total, x4, s4, bc4, A, GRAD: tl.constexpr,
                KIND: tl.constexpr, ASM: tl.constexpr):
    """Add a turn to what a chunk hands on, from the receiver backward."""
    for j in tl.static_range(4):
        x = row_channels(pick_row(x4, j, ASM), KIND)
        s = row_channels(pick_row(s4, j, ASM), KIND)
        w = column_states(pick_column(bc4, 4 * GRAD + j, ASM), KIND, ASM)
        if GRAD:
            total += s
            h += tl.exp2(total * A) * (x * w)
        else:
            h += tl.exp2(total * A) * ((s * x) * w)
            total += s
    return h, total


@launched
@triton.jit(do_not_specialize=VARYING)
def lanes_carry_kernel(
        x_p,  # u (k, b, l, d / 4); with GRAD dy, (b, l, d / 4) if SHARED_X
        delta_p,  # (k, b, l, d / 4)
        A_p,  # (k, 16, d)
        bc_p,  # (k, b, l, 2, 4)
        ends_p,  # (kb, chunks, 16, d)
        sums_p,  # (kb, chunks, d), step sizes summed over the chunk
        kb0,
        b,
        l,
        d,
        chunk,
        chunks,
        reversed_,
        WHOLE: tl.constexpr,
        GRAD: tl.constexpr,
        SHARED_X: tl.constexpr,
        KIND: tl.constexpr,
        ASM: tl.constexpr):
    """Find what a chunk hands on if it is handed zero; see carry_kernel.

    From the token next to the receiving chunk backward: the sum of what each
    token adds, times its decay on the way, ``exp(A sum s)``. All decays below
    2**-40 leave nothing of what lies further back, in float32, so the walk
    ends there. The sum of steps so far then stands for that of the chunk.
    """
    block = tl.program_id(0)
    index = tl.program_id(1) + (1 if GRAD else 0)
    first, end, sequence, kb, k, backward = span(index, kb0, b, l, chunk,
                                                 reversed_)
    packs, in_p = _packs(block, d, WHOLE)
    c, inside, _, _ = lane_places(block, d, WHOLE, ASM)
    tile = tile_places(c, d)
    A = tl.load(A_p + k * 16 * d + tile, mask=inside, other=0.) * LOG2E
    dp = d // 4
    position = first if GRAD else end - 1
    step = 1 - 2 * backward
    token = kb * l + tl.where(backward == 1, l - 1 - position, position)
    step = step if GRAD else -step
    x_p += (token - k * b * l if SHARED_X else token) * dp + packs
    delta_p += token * dp + packs
    bc_p += token * 8
    h = tl.zeros([4, 4, 32], tl.float32)
    total = tl.sum(h, axis=0, keep_dims=True)
    # Of a channel's states, the rate of the one that decays slowest.
    slow = tl.max(A, axis=0, keep_dims=True)
    count = end - first
    whole = count // 4 * 4
    x4, s4, bc4 = load_turn(x_p, delta_p, bc_p, 0, count - 1, step, dp, in_p,
                            ASM)
    i = 0
    while i < whole:
        x5, s5, bc5 = load_turn(x_p, delta_p, bc_p, i + 4, count - 1, step, dp,
                                in_p, ASM)
        h, total = _carry_turn(h, total, x4, s4, bc4, A, GRAD, KIND, ASM)
        x4, s4, bc4 = x5, s5, bc5
        i += 4
        if i % 16 == 0:
            left = tl.max(tl.where(inside, total * slow, -float('inf')))
            # Beyond the tokens, and what follows the loop.
            i = tl.where(above(left, -40., ASM), i, count + 4)
    if (i == whole) & (whole < count):
        ok = whole + tl.arange(0, 4)[:, None] < count
        x4, s4 = tl.where(ok, x4, 0), tl.where(ok, s4, 0)
        h, total = _carry_turn(h, total, x4, s4, bc4, A, GRAD, KIND, ASM)
    at = sequence * chunks + index
    tl.store(ends_p + at * 16 * d + tile, h, mask=inside)
    tl.store(
        sums_p + at * d + c,
        tl.max(total, axis=1, keep_dims=True),
        mask=inside)
