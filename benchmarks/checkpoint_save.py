"""Time the save of a checkpoint against mmengine's own hook.

    python benchmarks/checkpoint_save.py --folder work_dirs/saves \
        --out benchmarks/results/checkpoint_save.md

A VideoMamba with random weights and the state of AdamW is saved again and
again, by the hooks in turns, with ``max_keep_ckpts=1`` and a folder for each
hook. Before each save all writes under way are finished (``sync``), outside
of the timing. The ratios are medians over rounds of the time to mmengine's in
the same round; processor time shows less of other load on the machine, and
nothing of the wait for the disk.
"""
import argparse
import logging
import os
import platform
import shutil
import statistics
import time
from pathlib import Path
from typing import Any, Dict, List, Tuple

import mmvideomamba  # isort: skip  # heals the hosts, goes first
import mmengine
import torch
from cpu_models import cpu_name, show
from mmengine.hooks import CheckpointHook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import TensorDataset

from mmvideomamba.engine.hooks import SafeCheckpointHook
from mmvideomamba.models import VideoMamba

HOST, PLAIN, SYNCED = 'mmengine', 'ours, fsync=False', 'ours'


class Weights(BaseModel):
    """A backbone to save, never run."""

    def __init__(self, arch: str) -> None:
        super().__init__()
        self.backbone = VideoMamba(arch=arch, num_frames=8)

    def forward(self, inputs: Any, mode: str = 'tensor') -> None:
        """Do nothing."""


def build_runner(arch: str, folder: Path) -> Runner:
    """Build a runner with the state of AdamW after a step."""
    runner = Runner(
        model=Weights(arch),
        work_dir=str(folder),
        train_dataloader=dict(
            batch_size=1,
            dataset=TensorDataset(torch.zeros(1)),
            sampler=dict(type='DefaultSampler')),
        train_cfg=dict(by_epoch=True, max_epochs=1),
        optim_wrapper=dict(optimizer=dict(type='AdamW', lr=1e-3)),
        param_scheduler=dict(type='ConstantLR'),
        experiment_name=arch,
        default_scope='mmengine',
        log_level=logging.ERROR)
    runner.optim_wrapper = runner.build_optim_wrapper(runner.optim_wrapper)
    runner.param_schedulers = runner.build_param_scheduler(
        runner.param_schedulers)
    optimizer = runner.optim_wrapper.optimizer
    for group in optimizer.param_groups:
        for weight in group['params']:
            optimizer.state[weight] = dict(
                step=torch.tensor(1.),
                exp_avg=torch.randn_like(weight),
                exp_avg_sq=torch.rand_like(weight))
    return runner


def build_hooks(runner: Runner) -> Dict[str, CheckpointHook]:
    """Build the hooks, with a folder for each."""
    settings: Dict[str, Any] = dict(interval=1, max_keep_ckpts=1)
    hooks = {
        HOST: CheckpointHook(**settings),
        PLAIN: SafeCheckpointHook(fsync=False, **settings),
        SYNCED: SafeCheckpointHook(**settings),
    }
    folder = runner.work_dir
    for number, hook in enumerate(hooks.values()):
        runner._work_dir = os.path.join(folder, f'{number}')
        os.makedirs(runner.work_dir, exist_ok=True)
        hook.before_train(runner)
    runner._work_dir = folder
    return hooks


def measure(arch: str, args: argparse.Namespace) -> List[str]:
    """Time saves of a model; return rows of the table."""
    runner = build_runner(arch, args.folder / arch)
    hooks = build_hooks(runner)
    seconds: Dict[str, List[Tuple[float, float]]] = {x: [] for x in hooks}
    names = list(hooks)
    for step in range(1, args.repeat + 2):
        for name in names[step % 3:] + names[:step % 3]:
            os.sync()
            start = time.perf_counter(), time.process_time()
            hooks[name]._save_checkpoint_with_step(runner, step,
                                                   dict(epoch=step, iter=step))
            end = time.perf_counter(), time.process_time()
            if step > 1:  # the first save has nothing to remove
                seconds[name].append((end[0] - start[0], end[1] - start[1]))
    size = Path(hooks[HOST].last_ckpt).stat().st_size / 1e6
    rows = []
    for name, taken in seconds.items():
        wall, processor = zip(*taken)
        ratios = [
            statistics.median(a[i] / b[i]
                              for a, b in zip(taken, seconds[HOST]))
            for i in range(2)
        ]
        rows.append(f'| {arch} | {size:.0f} | {name} | {min(wall):.2f} | '
                    f'{statistics.median(wall):.2f} | {ratios[0]:.2f} | '
                    f'{statistics.median(processor):.2f} | {ratios[1]:.2f} |')
        print(rows[-1], flush=True)
    return rows


def disk_of(folder: Path) -> str:
    """Return the file system of a folder."""
    best = ('', 'unknown')
    for line in Path('/proc/mounts').read_text().splitlines():
        _, place, kind = line.split()[:3]
        if Path(place) in [folder, *folder.parents]:
            best = max(best, (place, kind))
    return best[1]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument(
        '--archs', nargs='*', default=['tiny', 'middle'], help='VideoMambas')
    parser.add_argument('--repeat', type=int, default=9, help='rounds')
    parser.add_argument(
        '--folder',
        type=Path,
        default=Path('work_dirs/checkpoint_save'),
        help='on the disk to measure; removed afterwards')
    parser.add_argument('--disk', default='disk', help='kind of the disk')
    parser.add_argument('--out', type=Path, help='markdown file to write')
    args = parser.parse_args()
    args.folder.mkdir(parents=True)
    args.folder = args.folder.resolve()
    try:
        rows = [row for arch in args.archs for row in measure(arch, args)]
        disk = disk_of(args.folder)
    finally:
        shutil.rmtree(args.folder)
    lines = [
        '# The save of a checkpoint', '',
        '    python benchmarks/checkpoint_save.py --archs '
        f'{" ".join(args.archs)} --repeat {args.repeat} --disk '
        f'"{args.disk}"', '',
        f'{cpu_name()}, {disk} on a {args.disk}; mmvideomamba '
        f'{mmvideomamba.__version__}, mmengine {mmengine.__version__}, torch '
        f'{torch.__version__}, Python {platform.python_version()}; '
        f'{time.strftime("%Y-%m-%d")}. Weights, AdamW state and schedule of a '
        f'VideoMamba for 8 frames, {args.repeat} rounds, the hooks in turns, '
        '`sync` before each save. Ratio: median over rounds of the time to '
        "mmengine's.", '',
        '| model | file, MB | hook | least, s | median, s | ratio | '
        'processor, s | ratio |', '|---|---|---|---|---|---|---|---|', *rows
    ]
    show(lines, args.out)


if __name__ == '__main__':
    main()
