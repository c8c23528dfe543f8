"""Time the thread that launches kernels next to busy workers of a loader.

    python benchmarks/launching_thread.py --workers 16 --nice 0 5 10 19

Additions to a tensor of one number stand for launches: both are calls of some
microseconds through torch, and both release and take Python's lock. Only the
time of the additions counts, not the wait for batches. Workers warp frames,
as RandAugment does; a thread takes the batches and copies the clips, as the
thread for pinned memory does.
"""
import argparse
import os
import platform
import queue
import statistics
import threading
import time
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Tuple

import cv2
import numpy as np
import torch
from cpu_models import cpu_name
from torch.utils.data import DataLoader, Dataset
from wrapped_page import wrapped

from mmvideomamba.engine.worker_priority import give_way

CALLS = 2000  # from look to look at the clock
ROUNDS_OF_CALLS = 20  # for a batch
FRAMES, SIDE = 8, 224


class Case(NamedTuple):
    """Settings of a run.

    Args:
        workers (int): Of the loader; 0 for no loader.
        nice (int): Of ``WorkerPriorityHook``. Defaults to 0.
        joined (bool): Whether a batch is one tensor of clips, and not a
            tensor a clip. Defaults to False.
        threads (int): Of OpenCV in a worker. Defaults to 1.
    """
    workers: int
    nice: int = 0
    joined: bool = False
    threads: int = 1

    @property
    def name(self) -> str:
        """Words for the table."""
        if not self.workers:
            return 'no loader'
        words = f'{self.workers} workers, niceness {self.nice}'
        if self.threads > 1:
            words += f', {self.threads} threads of OpenCV each'
        return words + (', a tensor a batch' if self.joined else '')


class Clips(Dataset):
    """Clips after some processor time.

    Args:
        milliseconds (float): For a clip.
    """

    def __init__(self, milliseconds: float) -> None:
        self.milliseconds = milliseconds

    def __len__(self) -> int:
        return 1_000_000

    def __getitem__(self, index: int) -> Tuple[torch.Tensor, torch.Tensor]:
        end = time.thread_time() + self.milliseconds / 1e3
        clip = np.zeros((FRAMES, SIDE, SIDE, 3), np.uint8)
        matrix = np.array([[1, .1, 3], [.1, 1, 5]], np.float32)
        while time.thread_time() < end:
            for frame in clip:
                frame[:] = cv2.warpAffine(frame, matrix, (SIDE, SIDE))
        return torch.from_numpy(clip), torch.tensor(index)


def launch() -> float:
    """Make calls through torch; return the seconds."""
    x = torch.zeros(1)
    start = time.perf_counter()
    for _ in range(CALLS):
        x.add_(1)
    return time.perf_counter() - start


def join(samples: List[Tuple[torch.Tensor, ...]]) -> List[torch.Tensor]:
    """Collate to a tensor of clips and a tensor of labels."""
    return [torch.stack(x) for x in zip(*samples)]


def copied(batch: Any) -> Any:
    """Copy a batch, as the thread for pinned memory does."""
    if isinstance(batch, torch.Tensor):
        return batch.clone()
    return [copied(x) for x in batch]


class Batches:
    """A loader, read by a thread.

    Args:
        case (Case): Settings.
        args (Namespace): Of the command line.
    """

    def __init__(self, case: Case, args: argparse.Namespace) -> None:
        cv2.setNumThreads(case.threads)
        loader: Any = DataLoader(
            Clips(args.milliseconds),
            args.batch_size,
            num_workers=case.workers,
            collate_fn=join if case.joined else list)
        give_way(loader, case.nice)
        self.line: queue.Queue = queue.Queue(2)
        self.ended = False
        self.thread = threading.Thread(target=self.read, args=(loader, ))
        self.thread.start()

    def read(self, loader: Any) -> None:
        """Put copies of batches in line, until the end."""
        torch.set_num_threads(1)
        for batch in loader:
            if self.ended:
                break
            self.line.put(copied(batch))

    def end(self) -> None:
        """End the thread and the workers."""
        self.ended = True
        while self.thread.is_alive():
            while not self.line.empty():
                self.line.get()
            self.thread.join(0.05)


def measure(case: Case, args: argparse.Namespace) -> Tuple[float, float]:
    """Launch for a while.

    Args:
        case (Case): Settings.
        args (Namespace): Of the command line.

    Returns:
        tuple[float, float]: Thousand calls a second of launching, and clips
        a second of the run.
    """
    batches = Batches(case, args) if case.workers else None
    for _ in range(case.workers and 2):
        batches.line.get()  # type: ignore[union-attr]
    spent, calls, clips = 0., 0, 0
    start = time.perf_counter()
    while time.perf_counter() - start < args.seconds:
        for _ in range(ROUNDS_OF_CALLS):
            spent += launch()
            calls += CALLS
        if batches is not None:
            batches.line.get()
            clips += args.batch_size
    total = time.perf_counter() - start
    if batches is not None:
        batches.end()
    return calls / spent / 1e3, clips / total


def report(args: argparse.Namespace) -> str:
    """Measure all cases in turns, and return the table."""
    cases = [Case(0), *(Case(args.workers, nice) for nice in args.nice)]
    if args.workers > 1:
        cases += [
            Case(args.workers, nice, threads=args.workers)
            for nice in (args.nice[0], args.nice[-1])
        ]
    cases += [Case(args.workers, args.nice[-1], joined=True)]
    found: Dict[Case, List[Tuple[float, float]]] = {x: [] for x in cases}
    for _ in range(args.rounds):
        for case in cases:
            found[case].append(measure(case, args))
    free = max(found[cases[0]])[0]
    lines = [
        '# The thread that launches kernels', '',
        '    python benchmarks/launching_thread.py --workers '
        f'{args.workers} --batch-size {args.batch_size} --milliseconds '
        f'{args.milliseconds:g} --seconds {args.seconds:g} --rounds '
        f'{args.rounds} --nice {" ".join(map(str, args.nice))}', '',
        f'{cpu_name()}, {len(os.sched_getaffinity(0))} cores; torch '
        f'{torch.__version__}, OpenCV {cv2.__version__}, Python '
        f'{platform.python_version()}; {time.strftime("%Y-%m-%d")}. Batches '
        f'of {args.batch_size} clips of {FRAMES} frames of {SIDE} px; '
        f'fastest of {args.rounds} rounds in turns (median), as other '
        'programs slow rounds down.', '',
        '| loader | 1000 launches/s | of free | clips/s |', '|---|---|---|---|'
    ]
    for case in cases:
        rate, clips = max(found[case])
        middle = statistics.median(x[0] for x in found[case])
        lines.append(f'| {case.name} | {rate:.0f} ({middle:.0f}) | '
                     f'{rate / free:.2f} | ' +
                     (f'{clips:.0f} |' if case.workers else '- |'))
    return wrapped('\n'.join(lines) + '\n')


def main() -> None:
    """Parse the command line, measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    cores = os.cpu_count() or 1
    parser.add_argument('--workers', type=int, default=cores)
    parser.add_argument('--batch-size', type=int, default=16)
    parser.add_argument('--milliseconds', type=float, default=10)
    parser.add_argument('--seconds', type=float, default=2)
    parser.add_argument('--rounds', type=int, default=3)
    parser.add_argument('--nice', type=int, nargs='+', default=[0, 5, 10, 19])
    parser.add_argument('--out', type=Path)
    args = parser.parse_args()
    torch.set_num_threads(1)
    table = report(args)
    print(table)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(table)


if __name__ == '__main__':
    main()
