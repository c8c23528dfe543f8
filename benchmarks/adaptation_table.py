"""The table of adaptation.py."""
import os
import platform
import statistics
import sys
import time
from pathlib import Path
from typing import Dict, List

import torch

import mmvideomamba


def processor() -> str:
    """Return the name of the processor."""
    info = Path('/proc/cpuinfo')
    for line in info.read_text().splitlines() if info.exists() else []:
        if line.startswith('model name'):
            return line.split(':')[1].strip()
    return platform.machine()


def render(found: dict, grids: Dict[str, List[float]], epochs: Dict[int, int],
           classes: int) -> str:
    """Write the table.

    Args:
        found (dict): Of ``measure``.
        grids (dict): Learning rates by method.
        epochs (dict): Epochs by clips a class.
        classes (int): Number of classes.

    Returns:
        str: Markdown.
    """
    trained = ', '.join(f'{e} with {n} clips a class'
                        for n, e in epochs.items())
    lines = [
        '# Adaptation to new motions', '', f'    python {" ".join(sys.argv)}',
        '',
        f'{processor()}, {os.cpu_count()} cores, a thread a run; mmvideomamba '
        f'{mmvideomamba.__version__}, torch {torch.__version__}, Python '
        f'{platform.python_version()}; {time.strftime("%Y-%m-%d")}. '
        f'{found["minutes"]:.1f} minutes.', '',
        f'{classes} new classes, chance {100 / classes:.1f} %; 40 test clips '
        'a class, of photographs in no other split; one view. Epochs of 8 '
        f'clips a step: {trained}. Learning rate: the best of the grid on 10 '
        'further clips a class, with seed 0; test clips choose nothing. A '
        'seed draws the training clips, the new weights and the order.', '',
        '| method | clips a class | accuracy, mean of the seeds | each seed | '
        ''
        'learning rate, of the grid | parameters that learn | s a step |',
        '|---|---|---|---|---|---|---|'
    ]
    for run in found['chosen']:
        method, shots = run['method'], run['shots']
        scores = [
            100 * r['test']
            for r in sorted(found['runs'], key=lambda r: r['seed'])
            if (r['method'], r['shots'], r['lr']) == (method, shots, run['lr'])
        ]
        step = found['steps'][method]
        grid = ', '.join(f'{lr:g}' for lr in grids[method])
        lines.append(
            f'| {method} | {shots} | {statistics.mean(scores):.1f} % | '
            f'{", ".join(f"{s:.1f}" for s in scores)} | {run["lr"]:g} of '
            f'{grid} | {step["learning"]:,} of {step["all"]:,} | '
            f'{step["step"]:.3f} |')
    lines += [
        '', 'The step is timed alone on the CPU, 8 clips of 8 frames of 48 px '
        'without loading, one thread, nothing else running.', ''
    ]
    return '\n'.join(lines)
