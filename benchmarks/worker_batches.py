"""Time batches of workers: a shared memory for each tensor, and one for all.

    python benchmarks/worker_batches.py

The loader of configs/motion_noise reads real files of noise: 128 clips of 16
frames of 64 px a batch, and a label each. The two ways take turns, after an
epoch that starts the workers. Wall time, and processor time of the workers and
of the process that trains, for a clip.
"""
import argparse
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List

import mmvideomamba  # isort: skip  # noqa: F401  heals the host, goes first
import mmaction.datasets  # noqa: F401  fills the registries
import torch
from gpu_common import page, table
from loader_clock import processor_time
from mmengine.config import Config
from mmengine.registry import init_default_scope
from mmengine.runner import Runner
from torch.utils.data import DataLoader

from mmvideomamba.command_line import user_errors
from mmvideomamba.datasets.preparation import NoiseSettings, make_noise_set
from mmvideomamba.engine.loops.resumable_loader import ResumableLoader

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / ('configs/motion_noise/'
                 'videomamba-tiny12-tube2_1xb128-d16-4e_motion-kinds.py')
WAYS = ('a shared memory for each tensor', 'one for a batch')
# Wall, workers, training process.
Times = List[float]


def make_loader(folder: Path, workers: int, packed: bool) -> DataLoader:
    """Make the loader of the recipe.

    Args:
        folder (Path): Of the clips.
        workers (int): Processes.
        packed (bool): Whether a batch travels in one shared memory.

    Returns:
        DataLoader: As a training uses it.
    """
    init_default_scope('mmaction')
    cfg = Config.fromfile(CONFIG).train_dataloader
    cfg.num_workers = workers
    cfg.dataset.update(
        data_root=str(folder),
        metainfo=dict(classes=str(folder / 'classes.txt')))
    loader = ResumableLoader(Runner.build_dataloader(cfg, seed=0), seed=0)
    packing: Any = loader.collate_fn
    if not packed:
        loader.collate_fn = packing.collate
    return loader


def spent_time(loader: DataLoader) -> Times:
    """Return seconds of the workers, and of this process."""
    workers: Any = loader._iterator
    return [
        sum(processor_time(worker.pid) for worker in workers._workers),
        time.process_time()
    ]


def run_epoch(loader: DataLoader) -> Times:
    """Return milliseconds for a clip of an epoch, of workers that run."""
    before, begun, clips = spent_time(loader), time.perf_counter(), 0
    for batch in loader:
        clips += len(batch['inputs'])
    wall = time.perf_counter() - begun
    spent = [b - a for a, b in zip(before, spent_time(loader))]
    return [1e3 * seconds / clips for seconds in (wall, *spent)]


def main() -> None:
    """Measure, and write the page."""
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n', maxsplit=1)[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument('--workers', type=int, default=2)
    parser.add_argument('--clips', type=int, default=1800)
    parser.add_argument('--repeat', type=int, default=7, help='epochs')
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('benchmarks/results/worker_batches.md'))
    args = parser.parse_args()
    torch.set_num_threads(1)
    found: Dict[str, List[Times]] = {way: [] for way in WAYS}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        make_noise_set(
            folder / 'set',
            NoiseSettings('kinds', args.clips, 18, 18),
            num_workers=args.workers)
        for number in range(args.repeat):
            for way in WAYS:
                loader = make_loader(folder / 'set', args.workers,
                                     way == WAYS[1])
                for _ in loader:  # starts the workers
                    pass
                found[way].append(run_epoch(loader))
                del loader
            print(f'{number + 1} of {args.repeat}', flush=True)
    medians = {
        way: [statistics.median(column) for column in zip(*times)]
        for way, times in found.items()
    }
    cells = [[way, *(f'{x:.2f}' for x in times)]
             for way, times in medians.items()]
    cells.append(
        ['ratio', *(f'{b / a:.2f}' for a, b in zip(*medians.values()))])
    about = (f'{args.workers} workers, {args.clips} clips an epoch, medians '
             f'of {args.repeat} epochs of each way, in turns.')
    head = [
        'batches', 'wall ms a clip', 'workers, ms of a core',
        'training process, ms of a core'
    ]
    args.out.write_text(
        page('Batches of workers', 'cpu', about, table(head, cells)))
    print(args.out.read_text())


if __name__ == '__main__':
    with user_errors():
        main()
