"""Comparison of the kernels with the definition in float64."""
import contextlib
import math
import zlib
from typing import (Any, Callable, Dict, Iterator, List, NamedTuple, Optional,
                    Sequence, Tuple)

import torch
from torch import Tensor

from ..runtime.verdicts import N16_SCAN, Wrong, assume_wrong
from ..scan.n16_support import n16_reason
from .cases import CASES, Case, Layout, Sizes, Tensors, stays_float32

# Largest relative error by dtype and kind of case. An op's own output is
# rounded by at most 2^-8 in bfloat16, 2^-11 in float16; between and around
# both scans, chains of roundings came to 1.2 % in bfloat16, 0.2 % in float16,
# with plain torch in the place of the kernels.
BOUNDS = {
    torch.float32: dict(op=5e-5, scans=5e-5, mixer=5e-5),
    torch.bfloat16: dict(op=6e-3, scans=1.8e-2, mixer=2.4e-2),
    torch.float16: dict(op=8e-4, scans=4e-3, mixer=4e-3),
}
# Neighbours along an axis that are also compared by themselves, so that a
# fault in a single block of channels or in a chunk is not averaged away.
BLOCK = 32
# Blocks with little in them count as blocks with this share of the average.
FLOOR = 0.5


class Row(NamedTuple):
    """Verdict on a case in a dtype and a layout.

    Attributes:
        case (Case): The case.
        dtype (torch.dtype): Dtype of the tokens.
        layout (str): 'few' or 'many', a field of ``Sizes``.
        forward (float): Largest relative error of an output; NaN if an
            output holds NaN.
        backward (float): Likewise of the gradients of all inputs.
        bound (float): Largest error allowed.
        worst (str): Tensor with the largest error, or the exception raised.
        skipped (str): Reason why the case did not run. Defaults to ''.
    """
    case: Case
    dtype: torch.dtype
    layout: str
    forward: float
    backward: float
    bound: float
    worst: str
    skipped: str = ''

    @property
    def right(self) -> bool:
        """Whether both errors are within the bound; NaN is not."""
        within = self.forward <= self.bound and self.backward <= self.bound
        return bool(self.skipped) or within


def relative_error(found: Tensor, wanted: Tensor) -> float:
    """Return the largest relative error of a tensor and of its blocks.

    ``||found - wanted|| / ||wanted||``, of the whole tensor and of every
    ``BLOCK`` neighbours along each axis.

    Args:
        found (Tensor): Any shape and dtype.
        wanted (Tensor): Same shape, float64.

    Returns:
        float: The error; NaN if ``found`` holds NaN, infinity for another
        shape.
    """
    if found.shape != wanted.shape:
        return math.inf
    squares = wanted.square()
    wrong = (found.double() - wanted).square()
    # Nothing is right where nothing is wanted, and anything else wrong.
    tiny = torch.finfo(torch.float64).tiny
    total = squares.sum().clamp(min=tiny)
    least = FLOOR**2 * total / wanted.numel()
    errors = [(wrong.sum() / total).reshape(1)]
    for axis, size in enumerate(wanted.shape):
        if size > BLOCK:
            of_block = wanted.numel() // size * BLOCK
            above, below = (_block_sums(t, axis) for t in (wrong, squares))
            errors.append(above / below.clamp(min=least * of_block))
    # The maximum of torch, other than of Python, is NaN if any is NaN.
    return torch.cat(errors).max().sqrt().item()


def _block_sums(x: Tensor, axis: int) -> Tensor:
    """Add up blocks along an axis, and all other axes."""
    line = x.movedim(axis, 0).reshape(x.shape[axis], -1).sum(1)
    padded = torch.nn.functional.pad(line, (0, -len(line) % BLOCK))
    return padded.view(-1, BLOCK).sum(1)


@contextlib.contextmanager
def _poisoned_memory() -> Iterator[None]:
    """Fill memory that torch hands out uninitialised with NaN."""
    # A property, of which type checkers know nothing.
    settings: Any = torch.utils.deterministic
    filled = settings.fill_uninitialized_memory
    mode = torch.get_deterministic_debug_mode()
    settings.fill_uninitialized_memory = True
    # Torch fills memory only under deterministic algorithms.
    torch.use_deterministic_algorithms(True, warn_only=True)
    try:
        yield
    finally:
        torch.set_deterministic_debug_mode(mode)
        settings.fill_uninitialized_memory = filled


@contextlib.contextmanager
def _exact_float32() -> Iterator[None]:
    """Keep float32 products in float32: TF32 has 10 bits."""
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision('highest')
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)


def _results(case: Case, inputs: Tensors, cotangents: Tensors,
             backend: str) -> Tuple[Tensors, Tensors]:
    """Return the outputs and the gradients of a case by name."""
    leaves = {k: t.detach().requires_grad_() for k, t in inputs.items()}
    outputs = case.call(leaves, backend)
    smooth = [k for k, y in outputs.items() if y.requires_grad]
    grads = torch.autograd.grad([outputs[k] for k in smooth],
                                list(leaves.values()),
                                [cotangents[k].to(outputs[k]) for k in smooth])
    gradients = {f'gradient of {k}': g for k, g in zip(leaves, grads)}
    return {k: y.detach() for k, y in outputs.items()}, gradients


def _largest(found: Tensors, wanted: Tensors) -> Tuple[float, str]:
    """Return the largest error and the tensor's name; NaN is the largest."""
    errors = {k: relative_error(found[k], t) for k, t in wanted.items()}
    worst = max(errors, key=lambda k: (math.isnan(errors[k]), errors[k]))
    return errors[worst], worst


def _compare(case: Case, dtype: torch.dtype, layout: Layout,
             device: torch.device) -> Tuple[float, float, str]:
    """Return both errors of a case, and the name of the worst tensor."""
    name = f'{case.title} {dtype} {tuple(layout)}'
    with torch.random.fork_rng([]):
        torch.manual_seed(zlib.crc32(name.encode()))
        made = case.make(layout)
        low = {
            k: t.to(device, torch.float32 if stays_float32(k) else dtype)
            for k, t in made.items()
        }
        if case.autocast:
            low = {k: t.float() for k, t in low.items()}
        exact = {k: t.double() for k, t in low.items()}
        with torch.no_grad():
            outputs = case.call(exact, 'torch')
        # Rounded as the kernels get them.
        cotangents = {
            k: torch.randn(y.shape, dtype=torch.float64).to(device, dtype)
            for k, y in outputs.items()
        }
    wanted, wanted_grads = _results(case, exact, cotangents, 'torch')
    half = case.autocast and dtype != torch.float32
    with _poisoned_memory(), torch.autocast(device.type, dtype, enabled=half):
        found, found_grads = _results(case, low, cotangents, 'triton')
    forward, worst = _largest(found, wanted)
    backward, worst_gradient = _largest(found_grads, wanted_grads)
    if backward > forward or math.isnan(backward):
        worst = worst_gradient
    return forward, backward, worst


def _run(case: Case, dtype: torch.dtype, layout: str, sizes: Sizes,
         device: torch.device) -> Row:
    """Run a case; an exception is a wrong result."""
    start = case, dtype, layout
    bound = BOUNDS[dtype][case.kind]
    skipped = n16_reason() if case.family == N16_SCAN else ''
    if skipped:
        return Row(*start, 0., 0., bound, '', skipped)
    # Kernels for 16 states run in cases of their own only.
    avoided = set() if case.family == N16_SCAN else {(N16_SCAN, dtype)}
    try:
        with assume_wrong(avoided):
            forward, backward, worst = _compare(case, dtype,
                                                getattr(sizes, layout), device)
    except Exception as error:
        text = ' '.join(str(error).split())[:200]
        return Row(*start, math.nan, math.nan, bound,
                   f'{type(error).__name__}: {text}')
    return Row(*start, forward, backward, bound, worst)


def _stopped(device: torch.device) -> str:
    """Say that a fault left the GPU unable to go on in this process."""
    if device.type == 'cuda':
        try:
            torch.cuda.synchronize(device)
        except RuntimeError:
            return 'not run: after the fault above the GPU takes no more work'
    return ''


def self_check(device: torch.device,
               sizes: Sizes,
               cases: Sequence[Case] = CASES,
               tell: Optional[Callable[[Row], None]] = None) -> List[Row]:
    """Compare every kernel with the definition in float64.

    Inputs are random by a fixed seed and rounded to the dtype; memory handed
    out by torch is filled with NaN beforehand, so a number that a kernel
    leaves unwritten shows.

    Args:
        device (torch.device): A GPU, or the CPU under Triton's interpreter.
        sizes (Sizes): Sizes of the inputs.
        cases (Sequence[Case]): Cases to run. Defaults to all.
        tell (Callable, optional): Called with each row as soon as the row
            is known. Defaults to None.

    Returns:
        list[Row]: A row per case, dtype and layout.
    """
    rows: List[Row] = []
    stopped = ''
    each = [(case, dtype, layout) for case in cases for dtype in case.dtypes
            for layout in Sizes._fields]
    with _exact_float32():
        for case, dtype, layout in each:
            if stopped:
                bound = BOUNDS[dtype][case.kind]
                row = Row(case, dtype, layout, 0., 0., bound, '', stopped)
            else:
                row = _run(case, dtype, layout, sizes, device)
            if not row.right:
                stopped = _stopped(device)
            rows.append(row)
            if tell is not None:
                tell(row)
    return rows


def wrong_kernels(rows: List[Row]) -> List[Wrong]:
    """List the families of kernels with a wrong row.

    Args:
        rows (list[Row]): Rows of ``self_check``.

    Returns:
        list[Wrong]: Family, dtype and reason; an entry per family and dtype.
    """
    found: Dict[Tuple[str, torch.dtype], Wrong] = {}
    for row in rows:
        if not row.right:
            why = (f'{row.layout}: errors {row.forward:.1e} forward, '
                   f'{row.backward:.1e} backward, bound {row.bound:.1e}; '
                   f'{row.worst}')
            found.setdefault((row.case.family, row.dtype),
                             Wrong(row.case.family, row.dtype, why))
    return list(found.values())
