"""How the scan kernels are launched: sizes, chunks, and what they fill."""
import functools
from typing import List, NamedTuple, Tuple

import torch
import triton
from torch import Tensor

from .backends import interpreting
from .scan_kernels_triton import (carry_kernel, chain_kernel, scan_bwd_kernel,
                                  scan_fwd_kernel)

# Channels of a program, which is a single warp.
BLOCK_D = 32
# Tokens of the shortest chunk.
MIN_CHUNK = 64
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
_KINDS = {torch.float32: 0, torch.bfloat16: 1, torch.float16: 2}


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


def _sizes(n: int, lanes: bool) -> dict:
    """Return the sizes that every kernel is compiled for."""
    return dict(N=n, BN=triton.next_power_of_2(n), BD=BLOCK_D, LANES=lanes)


def _constants(x: Tensor, n: int) -> dict:
    """Return what the kernels over tokens x are compiled for."""
    d = x.shape[-1]
    return dict(
        _sizes(n, uses_lanes(x.dtype, d, n)),
        # Whether no program's channels reach beyond the last.
        WHOLE=d % BLOCK_D == 0,
        KIND=_KINDS[x.dtype],
        PACK=_pack(x))


def uses_lanes(dtype: torch.dtype, d: int, n: int) -> bool:
    """Tell whether sums are scattered over lanes; see scan_tiles_triton.py.

    B and C are then in the dtype of the tokens, else in float32.
    """
    return dtype != torch.float32 and d % 4 == 0 and n == 16


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


def _packed_bc(bc: Tensor) -> Tensor:
    """View B and C as the kernels read them."""
    return bc if bc.dtype == torch.float32 else bc.view(torch.int64)


def _starts(cut: Cut, x: Tensor, delta: Tensor, A: Tensor, bc: Tensor,
            reversed_: int, grad: bool) -> Tensor:
    """Return the state (or gradient) that each chunk receives.

    The result has shape (count, chunks, n, d).
    """
    if cut.chunks == 1:
        return A
    k, b, l, d = delta.shape
    n = A.shape[1]
    constants = _constants(x, n)
    ends = A.new_empty(cut.count, cut.chunks, n, d)
    sums = A.new_empty(cut.count, cut.chunks, d)
    blocks = triton.cdiv(d, BLOCK_D)
    carry_kernel[blocks, cut.chunks - 1, cut.count](
        _packed(x),
        _packed(delta),
        A,
        _packed_bc(bc),
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
        num_warps=1)
    chain_kernel[blocks, cut.count](
        ends,
        sums,
        A,
        cut.kb0,
        b,
        d,
        cut.chunks,
        **_sizes(n, constants['LANES']),
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
        bc (Tensor): B and C, shape (k, b, l, 2, n), contiguous; dtype by
            ``uses_lanes``.
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
    constants = _constants(u, n)
    y_pack = 1 if constants['LANES'] else _pack(y)
    for cut in cuts(u, FORWARD_WARPS, FORWARD_WAVES):
        start = _starts(cut, u, delta, A, bc, reversed_, False)
        scan_fwd_kernel[triton.cdiv(d, BLOCK_D), cut.chunks, cut.count](
            _packed(u),
            _packed(delta),
            A,
            _packed_bc(bc),
            D,
            start,
            y if y_pack == 1 else _packed(y),
            states,
            last,
            cut.kb0,
            b,
            l,
            d,
            cut.chunk,
            reversed_,
            **constants,
            EVERY=EVERY,
            HAS_START=cut.chunks > 1,
            HAS_STATES=keep,
            Y_KIND=_KINDS[y_dtype],
            Y_PACK=y_pack,
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
    constants = _constants(u, n)
    lanes = constants['LANES']
    y_pack = 1 if lanes else constants['PACK']
    du, ddelta = torch.empty_like(u), torch.empty_like(delta)
    dbc = A.new_empty(blocks, k, b, l, 2, n)
    # Zeros, since launches with fewer chunks leave parts untouched.
    dA = A.new_zeros(k, b, parts, n, d)
    dD = A.new_zeros(k, b, parts, d)
    dbias = torch.zeros_like(dD)
    A = A.transpose(1, 2).contiguous()
    for cut in each:
        start = _starts(cut, dy, delta, A, bc, reversed_, True)
        scan_bwd_kernel[blocks, cut.chunks, cut.count](
            _packed(u),
            _packed(delta),
            A,
            _packed_bc(bc),
            D,
            _packed(dy),
            states,
            start,
            du if y_pack == 1 else _packed(du),
            ddelta if y_pack == 1 else _packed(ddelta),
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
            **constants,
            EVERY=EVERY,
            HAS_START=cut.chunks > 1,
            SHARED_DY=dy.dim() == 3,
            SOFTPLUS=softplus,
            Y_PACK=y_pack,
            ASM=_on_nvidia(),
            **_launch(BACKWARD_REGISTERS))
    dbc = dbc.sum(0)
    if lanes:
        # As ``sum_channels`` scatters them: place 8 ln + 4 w + i holds the
        # state 4 ln + i of B (w = 0) or C.
        dbc = dbc.view(k, b, l, 4, 2, 4).transpose(3, 4)
        dbc = dbc.reshape(k, b, l, 2, n)
    return (du, ddelta, dA.sum((1, 2)).transpose(1, 2), dbc, dD.sum(
        (1, 2)), dbias.sum((1, 2)))
