"""Fit the constants of a GPU's training memory to the measured cases.

    python benchmarks/training_memory_fit.py

Prints the constants of ``mmvideomamba.analysis.training_memory.STEPS``, and
by case the deviation of the fit, and of a fit without the case. The sum of
squared relative deviations is least; one process constant serves both
precisions. A fit without the only case of a kind says nothing about the case,
and none is printed.
"""
import argparse
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

import numpy as np
from gpu_common import table
from training_memory_cases import Case, recipe
from training_memory_table import stored

from mmvideomamba.analysis.training_memory import (MIB, StepMemory,
                                                   TrainingSizes, step_memory,
                                                   training_sizes)

GIB = 2**30
KINDS = ('float32', 'half')
NONE = StepMemory(0, 4., 0., 0., 0., 0.)


class Row(NamedTuple):
    """A measured training.

    Args:
        case (str): Name of the case.
        sizes (TrainingSizes): Of the training.
        kind (str): Of ``KINDS``.
        measured (float): Reserved bytes.
    """
    case: str
    sizes: TrainingSizes
    kind: str
    measured: float


def rows(out: Path) -> List[Row]:
    """Read the measured trainings of the GPU.

    Args:
        out (Path): Folder of the results.

    Returns:
        list[Row]: In the order of the measurement.
    """
    found = []
    for name, entry in stored(out, 'cuda')[1].items():
        case = Case.parse(name)
        if case.how != 'infer' and 'reserved' in entry:
            sizes = training_sizes(recipe(case, 'cuda'))
            assert sizes is not None
            kind = 'half' if case.precision == 'bfloat16' else case.precision
            found.append(Row(name, sizes, kind, entry['reserved'] * GIB))
    return found


def _factors(row: Row) -> List[float]:
    """Return the factor of each constant in the bytes of a training."""
    base = step_memory(row.sizes, NONE)
    # Bytes are linear in the constants.
    parts = [
        step_memory(row.sizes,
                    NONE._replace(**{name: getattr(NONE, name) + 1})) - base
        for name in StepMemory._fields
    ]
    own, other = parts[1:], [0.] * (len(parts) - 1)
    return [
        MIB,
        *(x for kind in KINDS for x in (own if kind == row.kind else other))
    ]


def fit(measured: List[Row]) -> Dict[str, StepMemory]:
    """Fit the constants.

    Args:
        measured (list[Row]): Trainings in both precisions.

    Returns:
        dict[str, StepMemory]: By kind.
    """
    weights = np.array([row.measured for row in measured])
    factors = np.array([_factors(row) for row in measured]) / weights[:, None]
    scale = np.linalg.norm(factors, axis=0)
    scale[scale == 0] = 1
    rest = 1 - np.array([step_memory(row.sizes, NONE)
                         for row in measured]) / weights
    found = np.linalg.lstsq(factors / scale, rest, rcond=None)[0] / scale
    size = len(NONE) - 1
    steps = {}
    for number, kind in enumerate(KINDS):
        weight, *others = found[1 + number * size:1 + (number + 1) * size]
        steps[kind] = StepMemory(
            round(found[0]) * MIB, 4 + float(weight), *map(float, others))
    return steps


def deviation(row: Row, steps: Dict[str, StepMemory]) -> float:
    """Return the relative deviation of the computed from the measured."""
    return step_memory(row.sizes, steps[row.kind]) / row.measured - 1


def left_out(measured: List[Row]) -> Dict[str, Optional[float]]:
    """Return the deviation of each case from a fit without the case.

    Args:
        measured (list[Row]): All trainings.

    Returns:
        dict[str, float or None]: By case; None for the only case of recomputed
        or of frozen blocks in a precision.
    """
    found: Dict[str, Optional[float]] = {}
    for row in measured:
        others = [other for other in measured if other is not row]
        how = Case.parse(row.case).how
        alone = how != 'train' and not any(
            Case.parse(o.case).how == how and o.kind == row.kind
            for o in others)
        found[row.case] = None if alone else deviation(row, fit(others))
    return found


def main() -> None:
    """Print the constants and the deviations."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--out', type=Path, default=Path('benchmarks/results'))
    measured = rows(parser.parse_args().out)
    steps = fit(measured)
    for kind, step in steps.items():
        print(kind, step)
    without = left_out(measured)
    print(
        table(['case', 'GiB', 'deviation', 'left out'], [[
            row.case, f'{row.measured / GIB:.2f}',
            f'{deviation(row, steps):+.1%}', 'alone'
            if without[row.case] is None else f'{without[row.case]:+.1%}'
        ] for row in measured]))


if __name__ == '__main__':
    main()
