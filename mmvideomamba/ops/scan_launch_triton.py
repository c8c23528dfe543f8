"""How the scan kernels are launched: what for, and with which memory."""
import functools
from typing import NamedTuple, Optional, Tuple

import torch
from torch import Tensor

from .backends import ceil_div, on_nvidia, power_of_2, triton_version
from .scan_backward_triton import lanes_bwd_kernel
from .scan_chunks_triton import carry_kernel, chain_kernel, sum_bc_kernel
from .scan_cuts_triton import BLOCK_D, Cut, cuts
from .scan_forward_triton import lanes_carry_kernel, lanes_fwd_kernel
from .scan_kernels_triton import scan_bwd_kernel, scan_fwd_kernel

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
BACKWARD_WAVES = 2
_KINDS = {torch.float32: 0, torch.bfloat16: 1, torch.float16: 2}


def _launch(registers: int) -> dict:
    """Return the launch options of a kernel of one warp."""
    options = dict(num_warps=1)
    # 255 is what a thread may have anyway; elsewhere the option is unknown.
    if registers < 255 and on_nvidia():
        options['maxnreg'] = registers
    return options


def _constants(x: Tensor, n: int) -> dict:
    """Return what the kernels over tokens x are compiled for."""
    d = x.shape[-1]
    # Whether no program's channels reach beyond the last.
    constants = dict(WHOLE=d % BLOCK_D == 0)
    if uses_lanes(x.dtype, d, n):
        return dict(constants, ASM=on_nvidia())
    return dict(constants, **_sizes(n), PACK=_pack(x))


def _sizes(n: int) -> dict:
    """Return the sizes of a tile that are not fixed."""
    return dict(N=n, BN=power_of_2(n), BD=BLOCK_D)


def uses_lanes(dtype: torch.dtype, d: int, n: int) -> bool:
    """Tell whether the kernels for 16 states serve these sizes.

    Those of scan_forward_triton.py and scan_backward_triton.py; B and C are
    then in the dtype of the tokens, else in float32.
    """
    return (dtype != torch.float32 and d % 4 == 0 and n == 16
            and _lanes_compile())


@functools.lru_cache()
def _lanes_compile() -> bool:
    """Tell whether this Triton compiles the kernels for 16 states.

    Before 3.4 its compiler crashes; that for AMD's GPUs fails now and then.
    """
    return torch.version.hip is None and triton_version() >= (3, 4)


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
    if x.storage_offset() % pack:
        # Such as a slice of a flat tensor, which no integer begins at.
        x = x.clone()
    wide = pack * x.element_size() == 8
    # Flat, since strides of axes of length one can be odd.
    return x.view(-1).view(torch.int64 if wide else torch.int32)


def _packed_bc(bc: Tensor) -> Tensor:
    """View B and C as the kernels read them."""
    return bc if bc.dtype == torch.float32 else bc.view(-1).view(torch.int64)


def _carried(cut: Cut, x: Tensor, delta: Tensor, A: Tensor, bc: Tensor,
             reversed_: int, grad: bool) -> Tensor:
    """Return the state (or gradient) that each chunk receives.

    The result has shape (count, chunks, n, d), or (0, ) of a single chunk.
    """
    if cut.chunks == 1:
        return A.new_empty(0)
    k, b, l, d = delta.shape
    n = A.shape[1]
    constants = _constants(x, n)
    ends = A.new_empty(cut.count, cut.chunks, n, d)
    sums = A.new_empty(cut.count, cut.chunks, d)
    blocks = ceil_div(d, BLOCK_D)
    kernel, options = carry_kernel, dict(num_warps=1)
    if uses_lanes(x.dtype, d, n):
        kernel, options = lanes_carry_kernel, _launch(FORWARD_REGISTERS)
    kernel[blocks, cut.chunks - 1, cut.count](
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
        KIND=_KINDS[x.dtype],
        GRAD=grad,
        SHARED_X=x.dim() == 3,
        **options)
    chain_kernel[blocks, cut.count](
        ends,
        sums,
        A,
        cut.kb0,
        b,
        d,
        cut.chunks,
        **_sizes(n),
        GRAD=grad,
        # Half of a state each: its loads are what takes time.
        num_warps=2)
    return ends


class Scanned(NamedTuple):
    """What ``scan_forward`` returns.

    Attributes:
        y (Tensor): Outputs, shape (k, b, l, d), or (0, b, l, d) if they were
            not wanted.
        last (Tensor): Last states, shape (k, b, n, d), float32.
        states (Tensor): States before every ``EVERY`` tokens, shape
            (k, b, steps, n, d), float32; no steps unless they are kept. If
            ``uses_lanes``, d is rounded up to whole blocks, and
            ``store_state`` tells their order.
        starts (Tensor): States that chunks start from, float32, to give to
            another call for the same input; its shape is ``starts_shape``.
    """
    y: Tensor
    last: Tensor
    states: Tensor
    starts: Tensor


def starts_shape(u: Tensor, n: int) -> Tuple[int, ...]:
    """Return the shape of ``Scanned.starts`` for u and so many states."""
    if u.numel():
        # Only the last launch can have more than one chunk.
        cut = cuts(u, FORWARD_WARPS, FORWARD_WAVES)[-1]
        if cut.chunks > 1:
            return cut.count, cut.chunks, n, u.shape[-1]
    return (0, )


def scan_forward(u: Tensor,
                 delta: Tensor,
                 A: Tensor,
                 bc: Tensor,
                 D: Tensor,
                 reversed_: int,
                 y_dtype: torch.dtype,
                 keep: bool,
                 starts: Optional[Tensor] = None,
                 with_y: bool = True) -> Scanned:
    """Scan k directions.

    Args:
        u (Tensor): Input, shape (k, b, l, d), contiguous.
        delta (Tensor): Step sizes after softplus, shape and dtype of ``u``.
        A (Tensor): Rates, shape (k, n, d), float32, contiguous.
        bc (Tensor): B and C, shape (k, b, l, 2, n), contiguous; dtype by
            ``uses_lanes``.
        D (Tensor): Skip weights, shape (k, d), float32.
        reversed_ (int): Bit i is set if direction i scans backward.
        y_dtype (torch.dtype): Dtype of the output.
        keep (bool): Store states for backward.
        starts (Tensor, optional): From an earlier call for the same input,
            which saves finding them again. Defaults to None.
        with_y (bool): Compute the outputs. Defaults to True.

    Returns:
        Scanned: Outputs and states.
    """
    k, b, l, d = u.shape
    n = A.shape[1]
    y = torch.empty_like(u if with_y else u[:0], dtype=y_dtype)
    last = A.new_empty(k, b, n, d)
    steps = ceil_div(l, EVERY) if keep else 0
    lanes = uses_lanes(u.dtype, d, n)
    width = ceil_div(d, BLOCK_D) * BLOCK_D if lanes else d
    states = A.new_empty(k, b, steps, n, width)
    found = A.new_empty(0)
    constants = dict(
        _constants(u, n), KIND=_KINDS[u.dtype], HAS_STATES=keep, HAS_Y=with_y)
    kernel, into = lanes_fwd_kernel, y
    if not lanes:
        kernel, into = scan_fwd_kernel, _packed(y)
        constants.update(
            EVERY=EVERY,
            Y_KIND=_KINDS[y_dtype],
            Y_PACK=_pack(y),
            ASM=on_nvidia())
    each = cuts(u, FORWARD_WARPS, FORWARD_WAVES) if u.numel() else []
    for cut in each:
        if cut.chunks > 1 and starts is not None:
            found = starts
        else:
            found = _carried(cut, u, delta, A, bc, reversed_, False)
        kernel[ceil_div(d, BLOCK_D), cut.chunks, cut.count](
            _packed(u),
            _packed(delta),
            A,
            _packed_bc(bc),
            D,
            found,
            into,
            states,
            last,
            cut.kb0,
            b,
            l,
            d,
            cut.chunk,
            reversed_,
            **constants,
            HAS_START=cut.chunks > 1,
            **_launch(FORWARD_REGISTERS))
    return Scanned(y, last, states, found)


class Gradients(NamedTuple):
    """What ``scan_backward`` returns.

    Attributes:
        u, delta (Tensor): Shape (k, b, l, d), dtype of the tokens.
        bc (Tensor): Parts of the gradients of B and C, which ``sum_bc``
            adds up, shape (blocks, k * b * l, 2 * n), float32.
        A (Tensor): Shape (k, n, d), float32.
        D, bias (Tensor): Of skip weights and step bias, shape (k, d),
            float32.
    """
    u: Tensor
    delta: Tensor
    bc: Tensor
    A: Tensor
    D: Tensor
    bias: Tensor


def scan_backward(u: Tensor, delta: Tensor, A: Tensor, bc: Tensor, D: Tensor,
                  dy: Tensor, states: Tensor, reversed_: int,
                  softplus: bool) -> Gradients:
    """Differentiate ``scan_forward``.

    Args:
        u, delta, A, bc, D, reversed_: As given to ``scan_forward``.
        dy (Tensor): Output gradient, shape (k, b, l, d), or (b, l, d) if all
            directions share it; dtype of ``u``, contiguous.
        states (Tensor): From ``scan_forward`` with ``keep``.
        softplus (bool): Return the gradient before the softplus that made
            ``delta``.

    Returns:
        Gradients: One for every input.
    """
    k, b, l, d = u.shape
    n = A.shape[1]
    blocks = ceil_div(d, BLOCK_D)
    each = cuts(u, BACKWARD_WARPS, BACKWARD_WAVES) if u.numel() else []
    du, ddelta = torch.empty_like(u), torch.empty_like(delta)
    dbc = A.new_empty(blocks, k * b * l, 2 * n)
    sums = [A.new_zeros(0, n + 2, d)]
    constants = _constants(u, n)
    # Which loads one number a lane.
    kernel, tensors = lanes_bwd_kernel, [u, delta, dy, du, ddelta]
    if not uses_lanes(u.dtype, d, n):
        kernel, tensors = scan_bwd_kernel, [_packed(t) for t in tensors]
        constants.update(
            KIND=_KINDS[u.dtype],
            EVERY=EVERY,
            Y_PACK=_pack(u),
            ASM=on_nvidia())
    u_, delta_, dy_, *outs = tensors
    for cut in each:
        parts = A.new_empty(cut.count, cut.chunks, n + 2, d)
        kernel[blocks, cut.chunks, cut.count](
            u_,
            delta_,
            A,
            bc,
            D,
            dy_,
            states,
            _carried(cut, dy, delta, A, bc, reversed_, True),
            *outs,
            dbc,
            parts,
            cut.kb0,
            dbc.stride(0),
            b,
            l,
            d,
            cut.chunk,
            reversed_,
            **constants,
            HAS_START=cut.chunks > 1,
            SHARED_DY=dy.dim() == 3,
            SOFTPLUS=softplus,
            **_launch(BACKWARD_REGISTERS))
        sums.append(parts.sum(1))
    total = torch.cat(sums).view(k, b, n + 2, d).sum(1)
    dA, dD, dbias = total[:, :n], total[:, n], total[:, n + 1]
    return Gradients(du, ddelta, dbc, dA, dD, dbias)


def sum_bc(parts: Tensor, ranks: Tensor, lanes: bool) -> Tensor:
    """Add up ``Gradients.bc``, next to other columns.

    Args:
        parts (Tensor): Shape (blocks, rows, 2 * n), float32.
        ranks (Tensor): Shape (rows, r); may be no columns wide.
        lanes (bool): Whether ``uses_lanes`` held.

    Returns:
        Tensor: ``ranks``, then the sums in order (2, n), shape
        (rows, r + 2 * n), dtype of ``ranks``.
    """
    blocks, rows, n2 = parts.shape
    r = ranks.shape[1]
    out = ranks.new_empty(rows, r + n2)
    if out.numel():
        tile = 64
        sum_bc_kernel[(ceil_div(rows, tile), )](
            parts,
            ranks,
            out,
            rows,
            blocks,
            R=r,
            N2=n2,
            BR=power_of_2(max(r, 1)),
            BN2=power_of_2(n2),
            TM=tile,
            LANES=lanes)
    return out
