"""Time the training of a config in two checkouts of the project, in turns.

    python benchmarks/training_overhead.py BEFORE NOW --epochs 5 --rounds 2 \
        --cfg-options-now default_hooks.checkpoint.fsync=False

BEFORE and NOW are folders with the project, each with its data. Processor
time is that of all processes of a training; imports are included.
"""
import argparse
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

import torch

CONFIG = 'configs/quickstart/videomamba-micro_1xb8-u8-25e_quickstart-rgb.py'
# Sums of several threads wait for each other on a busy machine.
ENVIRONMENT = dict(OMP_NUM_THREADS='1', OMP_WAIT_POLICY='PASSIVE')


def train(root: Path, config: str,
          options: Sequence[str]) -> Tuple[float, float]:
    """Train in a checkout.

    Args:
        root (Path): Folder of the project.
        config (str): Path of the config in the folder.
        options (Sequence[str]): For ``--cfg-options``.

    Returns:
        tuple[float, float]: Processor time and wall time, in seconds.

    Raises:
        subprocess.CalledProcessError: If the training fails.
    """
    before, start = resource.getrusage(
        resource.RUSAGE_CHILDREN), time.perf_counter()
    work_dir = tempfile.mkdtemp()
    subprocess.run([
        sys.executable, 'tools/train.py', config, '--work-dir', work_dir,
        '--cfg-options', *options
    ],
                   cwd=root,
                   env=dict(os.environ, PYTHONPATH=str(root), **ENVIRONMENT),
                   stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL,
                   check=True)
    wall = time.perf_counter() - start
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    shutil.rmtree(work_dir)
    return (after.ru_utime + after.ru_stime - before.ru_utime -
            before.ru_stime, wall)


def main() -> None:
    """Train in turns and print medians and their ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('before', type=Path)
    parser.add_argument('now', type=Path)
    parser.add_argument('--config', default=CONFIG)
    parser.add_argument('--epochs', type=int, default=5)
    parser.add_argument('--rounds', type=int, default=2)
    parser.add_argument('--cfg-options-now', nargs='*', default=[])
    args = parser.parse_args()
    found: Dict[str, List[Tuple[float, float]]] = dict(before=[], now=[])
    for _ in range(args.rounds):
        for name, root in (('before', args.before), ('now', args.now)):
            options = [f'train_cfg.max_epochs={args.epochs}']
            if name == 'now':
                options += args.cfg_options_now
            found[name].append(train(root.resolve(), args.config, options))
    print('# A training before and after\n')
    print(f'{args.config}, {args.epochs} epochs, {args.rounds} rounds in '
          f'turns, one thread; torch {torch.__version__}, Python '
          f'{platform.python_version()}, {os.cpu_count()} cores of '
          f'{platform.machine()}\n')
    print('| seconds, median | before | now | ratio |\n|---|---|---|---|')
    for place, name in enumerate(('processor time', 'wall time')):
        one, other = (
            statistics.median(x[place] for x in found[key])
            for key in ('before', 'now'))
        print(f'| {name} | {one:.1f} | {other:.1f} | {other / one:.3f} |')


if __name__ == '__main__':
    main()
