"""Self-check of the kernels on the GPUs at hand: ``--gpu``."""
import time
import warnings
from typing import Dict, List, Sequence

import torch

from ..exit_codes import UNAVAILABLE
from ..ops import available_backends
from ..ops.runtime.host import interpreting
from ..ops.runtime.verdicts import CPU, facts_of, keep_verdict
from ..ops.self_check import (CASES, GPU_SIZES, TINY_SIZES, Row, self_check,
                              wrong_kernels)

_LINE = '{:20} {:9} {:6} {:>9} {:>9} {:>8}  {}'


def _devices() -> Dict[int, torch.device]:
    """Return the first GPU of each name and capability, by number."""
    # Triton's interpreter runs the kernels on the CPU.
    if interpreting():
        return {CPU: torch.device('cpu')}
    found: Dict[tuple, int] = {}
    for index in range(torch.cuda.device_count()):
        kind = torch.cuda.get_device_properties(index)
        found.setdefault((kind.name, kind.major, kind.minor), index)
    return {index: torch.device('cuda', index) for index in found.values()}


def line_of(row: Row) -> str:
    """Lay a row of the table out.

    Args:
        row (Row): A row of the self-check.

    Returns:
        str: The line; wrong kernels are named with the worst tensor.
    """
    verdict = 'right' if row.right else f'WRONG: {row.worst}'
    if row.skipped:
        verdict = f'-  {row.skipped}'
    numbers = [f'{x:.1e}' for x in (row.forward, row.backward, row.bound)]
    return _LINE.format(row.case.title,
                        str(row.dtype).rpartition('.')[2], row.layout,
                        *numbers, verdict)


def count(rows: Sequence[Row]) -> str:
    """Count the right rows; a row that did not run is not among them.

    Args:
        rows (Sequence[Row]): Rows of the self-check.

    Returns:
        str: As '30 of 32 right', and how many rows did not run, if any.
    """
    skipped = sum(bool(row.skipped) for row in rows)
    right = sum(row.right for row in rows) - skipped
    return (f'{right} of {len(rows)} right' +
            (f', {skipped} not run' if skipped else ''))


def _check_device(index: int, device: torch.device) -> bool:
    """Check a device, print the table, keep the verdict."""
    facts = facts_of(index)
    print(
        f'{facts["device"]}, capability {facts["capability"] or "-"}, driver '
        f'{facts["driver"] or "-"}, Triton {facts["triton"]}, torch '
        f'{torch.__version__}, mmvideomamba {facts["mmvideomamba"]}')
    print('relative errors against float64; few long sequences are scanned '
          'in chunks, many short ones whole')
    print(
        _LINE.format('kernels of', 'dtype', 'layout', 'forward', 'backward',
                     'bound', 'verdict'),
        flush=True)
    started = time.monotonic()
    rows: List[Row] = self_check(
        device,
        TINY_SIZES if interpreting() else GPU_SIZES,
        CASES,
        tell=lambda row: print(line_of(row), flush=True))
    wrong = wrong_kernels(rows)
    seconds = time.monotonic() - started
    path = keep_verdict(facts, wrong)
    print(f'{count(rows)}, in {seconds:.0f} s with the compilation of new '
          'kernels; ' +
          (f'verdict kept in {path}' if path else
           'the verdict is not kept: no cache folder can be written'))
    if wrong:
        avoided = sorted({w.family for w in wrong})
        print(f'WRONG: {", ".join(avoided)}; backend auto avoids them from '
              'now on. Please report the table.')
    return not wrong


def check_kernels() -> int:
    """Compare every kernel with float64 on each kind of GPU here.

    Of several GPUs of the same name and capability the first is checked, and
    the verdict holds for all of them.

    Returns:
        int: 0 if every kernel is right, 1 if not, ``UNAVAILABLE`` if the
        kernels cannot run here.
    """
    reason = available_backends()['triton']
    if reason:
        print(f'the kernels cannot be checked here: {reason}')
        return UNAVAILABLE
    # torch warns of the deterministic mode, amid the table.
    with warnings.catch_warnings():
        warnings.simplefilter('ignore')
        right = [_check_device(*each) for each in _devices().items()]
    return int(not all(right))
