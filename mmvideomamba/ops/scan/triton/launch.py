"""Launch of the scan kernels: which kernel, tile, warps, and memory."""
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor

from ...runtime.host import ceil_div, on_nvidia, power_of_2
from ...runtime.triton_pack import DTYPE_CODES
from ..n16_support import n16_kernels_run
from .chunk_state import chunk_state_kernel
from .general_bwd import general_bwd_kernel
from .general_fwd import general_fwd_kernel
from .n16_bwd import n16_bwd_kernel
from .n16_chunk_state import n16_chunk_state_kernel
from .n16_fwd import n16_fwd_kernel
from .n16_layout import PACK, STATES
from .program import GROUP
from .reduce_bc import reduce_bc_kernel
from .schedule import BLOCK_D, Launch, schedule
from .state_passing import state_passing_kernel

# Registers of a thread, and the programs (warps) of a multiprocessor with so
# many: 5 on each of the 4 schedulers forward, 2 backward.
FORWARD_REGISTERS, FORWARD_WARPS = 96, 20
BACKWARD_REGISTERS, BACKWARD_WARPS = 255, 8
# Largest number of registers of a thread.
MAX_REGISTERS = 255
# Waves of chunks for sequences too few to fill a wave.
FORWARD_WAVES = 1
BACKWARD_WAVES = 2
# Rows of a program of reduce_bc_kernel.
REDUCE_ROWS = 64
# Rows of the partial sums after the n rows of the rates: skip weight, bias.
EXTRA_SUMS = 2


def uses_n16_kernels(dtype: torch.dtype, d: int, n: int) -> bool:
    """Tell whether the kernels for 16 states in half precision serve a scan.

    The kernels of n16_fwd.py, n16_bwd.py and n16_chunk_state.py; all other
    scans run on the general kernels. B and C have the dtype of the tokens for
    the former and float32 for the latter.

    Args:
        dtype (torch.dtype): Dtype of the tokens.
        d (int): Channels.
        n (int): States of a channel.

    Returns:
        bool: False for the general kernels.
    """
    return (dtype != torch.float32 and d % PACK.value == 0
            and n == STATES.value and n16_kernels_run(dtype))


def _launch_options(registers: int) -> Dict[str, int]:
    """Return the launch options of a kernel with a single warp."""
    options = dict(num_warps=1)
    # Only NVIDIA's compiler knows the option, and needs no maximum.
    if registers < MAX_REGISTERS and on_nvidia():
        options['maxnreg'] = registers
    return options


def _constants(x: Tensor, n: int) -> Dict[str, Any]:
    """Return the compile-time arguments shared by kernels over tokens x."""
    d = x.shape[-1]
    constants: Dict[str, Any] = dict(FULL_BLOCKS=d % BLOCK_D == 0)
    if uses_n16_kernels(x.dtype, d, n):
        return dict(constants, USE_PTX=on_nvidia())
    return dict(constants, **_tile_sizes(n), PACK=_pack(x))


def _tile_sizes(n: int) -> Dict[str, int]:
    """Return the sizes of a general kernel's tile."""
    return dict(N=n, BN=power_of_2(n), BD=BLOCK_D)


def _pack(x: Tensor) -> int:
    """Return how many neighbouring channels a kernel loads as an integer."""
    for pack in (8 // x.element_size(), 2):
        if x.shape[-1] % pack == 0:
            return pack
    return 1


def _packed(x: Tensor) -> Tensor:
    """View each ``_pack(x)`` neighbouring channels as an integer."""
    pack = _pack(x)
    if pack == 1:
        return x
    if x.storage_offset() % pack:
        # A slice of a flat tensor, say, at an offset within an integer.
        x = x.clone()
    wide = pack * x.element_size() == 8
    # Flat, since strides of axes of length one can be odd.
    return x.view(-1).view(torch.int64 if wide else torch.int32)


def _packed_bc(bc: Tensor) -> Tensor:
    """View B and C as the forward kernels read them."""
    return bc if bc.dtype == torch.float32 else bc.view(-1).view(torch.int64)


def _initial_states(launch: Launch, x: Tensor, delta: Tensor, A: Tensor,
                    bc: Tensor, reverse_bits: int, grad: bool) -> Tensor:
    """Return the initial state of each chunk, or with grad the gradient.

    Shape (count, chunks, n, d), or (0, ) for a single chunk.
    """
    if launch.chunks == 1:
        return A.new_empty(0)
    k, b, l, d = delta.shape
    n = A.shape[1]
    states = A.new_empty(launch.sequences, launch.chunks, n, d)
    step_sums = A.new_empty(launch.sequences, launch.chunks, d)
    blocks = ceil_div(d, BLOCK_D)
    kernel, options = chunk_state_kernel, dict(num_warps=1)
    if uses_n16_kernels(x.dtype, d, n):
        kernel, options = (n16_chunk_state_kernel,
                           _launch_options(FORWARD_REGISTERS))
    kernel[blocks, launch.chunks - 1, launch.sequences](
        _packed(x),
        _packed(delta),
        A,
        _packed_bc(bc),
        states,
        step_sums,
        launch.first_sequence,
        b,
        l,
        d,
        launch.chunk,
        launch.chunks,
        reverse_bits,
        **_constants(x, n),
        DTYPE=DTYPE_CODES[x.dtype],
        GRAD=grad,
        SHARED_X=x.dim() == 3,
        **options)
    state_passing_kernel[blocks, launch.sequences](
        states,
        step_sums,
        A,
        launch.first_sequence,
        b,
        d,
        launch.chunks,
        **_tile_sizes(n),
        GRAD=grad,
        # Half of a state each: loads take most of the time.
        num_warps=2)
    return states


class Scanned(NamedTuple):
    """Results of ``scan_forward``.

    Attributes:
        y (Tensor): Outputs, shape (k, b, l, d), or (0, b, l, d) without
            ``with_y``.
        last (Tensor): Last states, shape (k, b, n, d), float32.
        states (Tensor): States before every ``GROUP`` tokens, shape
            (k, b, groups, n, d), float32; no groups without ``keep``. Under
            ``uses_n16_kernels``, d is rounded up to whole blocks, in the
            order of ``store_state``.
        starts (Tensor): Initial states of the chunks, shape
            ``chunk_starts_shape``, float32, reusable in another call for the
            same input.
    """
    y: Tensor
    last: Tensor
    states: Tensor
    starts: Tensor


def chunk_starts_shape(u: Tensor, n: int) -> Tuple[int, ...]:
    """Return the shape of ``Scanned.starts``.

    Args:
        u (Tensor): Input of the scan, shape (k, b, l, d).
        n (int): States of a channel.

    Returns:
        tuple[int, ...]: (count, chunks, n, d), or (0, ) without chunks.
    """
    if u.numel():
        # Only the last launch can have more than one chunk.
        launch = schedule(u, FORWARD_WARPS, FORWARD_WAVES)[-1]
        if launch.chunks > 1:
            return launch.sequences, launch.chunks, n, u.shape[-1]
    return (0, )


def scan_forward(u: Tensor,
                 delta: Tensor,
                 A: Tensor,
                 bc: Tensor,
                 D: Tensor,
                 reverse_bits: int,
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
            ``uses_n16_kernels``.
        D (Tensor): Skip weights, shape (k, d), float32.
        reverse_bits (int): Bit i is set if direction i scans in reverse.
        y_dtype (torch.dtype): Dtype of the output.
        keep (bool): Store states for backward.
        starts (Tensor, optional): ``Scanned.starts`` of an earlier call for
            the same input, used instead of new ones. Defaults to None.
        with_y (bool): Compute the outputs. Defaults to True.

    Returns:
        Scanned: Outputs and states.
    """
    k, b, l, d = u.shape
    n = A.shape[1]
    y = torch.empty_like(u if with_y else u[:0], dtype=y_dtype)
    last = A.new_empty(k, b, n, d)
    groups = ceil_div(l, GROUP.value) if keep else 0
    n16 = uses_n16_kernels(u.dtype, d, n)
    width = ceil_div(d, BLOCK_D) * BLOCK_D if n16 else d
    states = A.new_empty(k, b, groups, n, width)
    used_starts = A.new_empty(0)
    constants = dict(
        _constants(u, n),
        DTYPE=DTYPE_CODES[u.dtype],
        HAS_STATES=keep,
        HAS_Y=with_y)
    kernel, y_ = n16_fwd_kernel, y
    if not n16:
        kernel, y_ = general_fwd_kernel, _packed(y)
        constants.update(
            Y_DTYPE=DTYPE_CODES[y_dtype], Y_PACK=_pack(y), USE_PTX=on_nvidia())
    launches = schedule(u, FORWARD_WARPS, FORWARD_WAVES) if u.numel() else []
    for launch in launches:
        if launch.chunks > 1 and starts is not None:
            used_starts = starts
        else:
            used_starts = _initial_states(launch, u, delta, A, bc,
                                          reverse_bits, False)
        kernel[ceil_div(d, BLOCK_D), launch.chunks, launch.sequences](
            _packed(u),
            _packed(delta),
            A,
            _packed_bc(bc),
            D,
            used_starts,
            y_,
            states,
            last,
            launch.first_sequence,
            b,
            l,
            d,
            launch.chunk,
            reverse_bits,
            **constants,
            HAS_START=launch.chunks > 1,
            **_launch_options(FORWARD_REGISTERS))
    return Scanned(y, last, states, used_starts)


class Gradients(NamedTuple):
    """Results of ``scan_backward``.

    Attributes:
        u (Tensor): Shape (k, b, l, d), dtype of the tokens.
        delta (Tensor): Shape (k, b, l, d), dtype of the tokens.
        bc (Tensor): Partial gradients of B and C, to be added up by
            ``reduce_bc``, shape (blocks, k * b * l, 2 * n), float32.
        sums (Tensor): Partial gradients of the weights, a row for each chunk
            of a sequence, shape (rows, n + 2, d), float32: the rates A by
            state, the skip weights D, the step bias.
        rows (tuple[int, ...]): Rows ``rows[i]`` to ``rows[i + 1]`` of
            ``sums`` belong to direction i.
    """
    u: Tensor
    delta: Tensor
    bc: Tensor
    sums: Tensor
    rows: Tuple[int, ...]

    def added(self) -> Tensor:
        """Add up the partial gradients of the weights.

        Returns:
            Tensor: Shape (k, n + 2, d), float32, in the order of ``sums``.
        """
        return torch.stack([
            self.sums[first:end].sum(0)
            for first, end in zip(self.rows, self.rows[1:])
        ])


def _rows_before(launches: List[Launch], sequence: int) -> int:
    """Return how many chunks the sequences before this sequence have."""
    return sum(launch.chunks *
               min(max(sequence - launch.first_sequence, 0), launch.sequences)
               for launch in launches)


def scan_backward(u: Tensor, delta: Tensor, A: Tensor, bc: Tensor, D: Tensor,
                  dy: Tensor, states: Tensor, reverse_bits: int,
                  softplus: bool) -> Gradients:
    """Differentiate ``scan_forward``.

    Args:
        u (Tensor): As given to ``scan_forward``, as are ``delta``, ``A``,
            ``bc``, ``D`` and ``reverse_bits``.
        delta (Tensor): See ``u``.
        A (Tensor): See ``u``.
        bc (Tensor): See ``u``.
        D (Tensor): See ``u``.
        dy (Tensor): Output gradient, shape (k, b, l, d), or (b, l, d) if all
            directions share the gradient; dtype of ``u``, contiguous.
        states (Tensor): ``Scanned.states`` of a call with ``keep``.
        reverse_bits (int): See ``u``.
        softplus (bool): Return the gradient before the softplus of ``delta``.

    Returns:
        Gradients: Gradients of all inputs.
    """
    k, b, l, d = u.shape
    n = A.shape[1]
    blocks = ceil_div(d, BLOCK_D)
    launches = schedule(u, BACKWARD_WARPS, BACKWARD_WAVES) if u.numel() else []
    du, ddelta = torch.empty_like(u), torch.empty_like(delta)
    dbc = A.new_empty(blocks, k * b * l, 2 * n)
    ends = [_rows_before(launches, i * b) for i in range(k + 1)]
    sums = A.new_empty(ends[-1], n + EXTRA_SUMS, d)
    constants = _constants(u, n)
    # The n16 kernel loads single numbers, not packed channels.
    kernel, tensors = n16_bwd_kernel, [u, delta, dy, du, ddelta]
    if not uses_n16_kernels(u.dtype, d, n):
        kernel, tensors = general_bwd_kernel, [_packed(t) for t in tensors]
        constants.update(
            DTYPE=DTYPE_CODES[u.dtype], Y_PACK=_pack(u), USE_PTX=on_nvidia())
    u_, delta_, dy_, *outs = tensors
    for launch in launches:
        row = _rows_before(launches, launch.first_sequence)
        kernel[blocks, launch.chunks, launch.sequences](
            u_,
            delta_,
            A,
            bc,
            D,
            dy_,
            states,
            _initial_states(launch, dy, delta, A, bc, reverse_bits, True),
            *outs,
            dbc,
            sums[row:] if row else sums,
            launch.first_sequence,
            dbc.stride(0),
            b,
            l,
            d,
            launch.chunk,
            reverse_bits,
            **constants,
            HAS_START=launch.chunks > 1,
            SHARED_DY=dy.dim() == 3,
            SOFTPLUS=softplus,
            **_launch_options(BACKWARD_REGISTERS))
    return Gradients(du, ddelta, dbc, sums, tuple(ends))


def reduce_bc(parts: Tensor, ranks: Tensor, n16: bool) -> Tensor:
    """Add up the partial gradients of B and C next to other columns.

    Args:
        parts (Tensor): ``Gradients.bc``, shape (blocks, rows, 2 * n), float32.
        ranks (Tensor): Columns to copy, shape (rows, r); r may be 0.
        n16 (bool): Whether ``uses_n16_kernels`` held.

    Returns:
        Tensor: ``ranks``, then the sums in order (2, n), shape
        (rows, r + 2 * n), dtype of ``ranks``.
    """
    blocks, rows, n2 = parts.shape
    r = ranks.shape[1]
    out = ranks.new_empty(rows, r + n2)
    if out.numel():
        reduce_bc_kernel[(ceil_div(rows, REDUCE_ROWS), )](
            parts,
            ranks,
            out,
            rows,
            blocks,
            R=r,
            N2=n2,
            BR=power_of_2(max(r, 1)),
            BN2=power_of_2(n2),
            TM=REDUCE_ROWS,
            N16_ORDER=n16)
    return out
