"""Train on videos of noise, whose classes only motion tells.

    python benchmarks/motion_noise.py --minutes 9    # again until all is done
    python benchmarks/motion_noise.py --smoke        # on a CPU, tiny

The script makes the sets of tools/data/motion_noise, fits linear probes to
statistics of single frames and of files, runs the trainings of
motion_noise_rows.py through tools/train.py, tests each last checkpoint in
order and on shuffled frames, kills and resumes a training, and writes tables
and a figure. No checkpoint is chosen: the last weights are tested, once.

Finished rows are kept in the .json beside the page. When --minutes are over,
trainings save and end (up to a minute later); the page shows how far they
came, and the next call goes on with the rest. A failed row is reported, kept
as failed, and tried again by the next call; the exit code is 1.

Order of the rows: three seeds of the kinds of motion, one frame, trained on
shuffled frames, tubelets x scan orders and ViT, resumption, shapes after one
way, lengths, shapes at once and after motion, the quickstart's first weights,
further seeds, further curricula. --only picks parts, --rows rows.

Trainings side by side share the machine, and the page says how many they were;
--only speed --per-gpu 1 measures trainings alone.

Data path: a clip of 16 frames of 64 px is a file of 24 kB (AVI, ffvhuff). The
20,016 training clips have 0.5 GB and stay in the page cache. Opening, decoding
and sending a clip takes 2.3 ms of a core (worker_batches.py). Starts of a
process (imports, loaders, kernels) take many seconds, as do 600 steps:
--per-gpu 3 runs three trainings side by side, and the starts cost no time of
the GPU.
"""
import argparse
import json
import os
import shlex
import sys
import tempfile
import threading
import time
import traceback
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

import mmvideomamba  # isort: skip  # noqa: F401  heals the host, goes first
import torch
from gpu_common import device_name, made_here, versions
from motion_noise_page import write
from motion_noise_probes import probe
from motion_noise_rows import Plan, Row, cpu_plan, full_plan, smoke_plan
from motion_noise_runs import (OutOfTime, Place, equal_weights, run_row,
                               unfinished_row)

from mmvideomamba.atomic_file import write_file
from mmvideomamba.command_line import user_errors
from mmvideomamba.datasets.preparation import make_noise_set

# The last one is measured apart.
PARTS = ('table', 'control', 'resume', 'shapes', 'length', 'speed')
PROBED = 4000  # clips of training for a probe
WAIT = 0.2  # seconds between two looks for a row that can start


class Store:
    """Results in a JSON file, written after each row.

    Args:
        path (Path): The file.
        device (str): 'cuda' or 'cpu'.
        render (bool): Take kept results wherever they were made. Defaults to
            False.

    Raises:
        ValueError: If the file holds results of another device or of other
            versions.
    """

    def __init__(self, path: Path, device: str, render: bool = False) -> None:
        self.path = path
        self.lock = threading.Lock()
        made = dict(versions(), device=device_name(device))
        self.found: Dict[str, Any] = dict(
            rows={},
            partial={},
            failed={},
            probes={},
            data=[],
            resume=None,
            made=made,
            page=made_here(device),
            commands=[])
        if path.is_file():
            kept = json.loads(path.read_text())
            if kept['made'] != made and not render:
                raise ValueError(
                    f'{path} holds results of {kept["made"]}, but here are '
                    f'{made}: choose another --out, or move the file.')
            self.found.update(kept)

    def save(self) -> None:
        """Write the file."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        write_file(self.path, json.dumps(self.found, indent=1))

    def add(self, row: Row, found: Dict[str, Any]) -> None:
        """Keep a finished row."""
        with self.lock:
            self.found['rows'][row.key] = found
            for name in ('failed', 'partial'):
                self.found[name].pop(row.key, None)
            self.save()

    def add_partial(self, row: Row, found: Dict[str, Any]) -> None:
        """Keep what a row out of time has got, for the page."""
        with self.lock:
            self.found['partial'][row.key] = found
            self.save()

    def fail(self, row: Row, words: str) -> None:
        """Keep the reason of a failure."""
        with self.lock:
            self.found['failed'][row.key] = words
            self.save()


class Queue:
    """Unfinished rows, handed out in order.

    Args:
        rows (Sequence[Row]): In order of weight.
        store (Store): Of the finished rows.
    """

    def __init__(self, rows: Sequence[Row], store: Store) -> None:
        self.store = store
        self.waiting = [r for r in rows if r.key not in store.found['rows']]
        self.running: List[str] = []
        self.lock = threading.Lock()

    def take(self) -> Optional[Row]:
        """Return the next row whose first weights are present.

        Returns:
            Row: None if no remaining row can start.
        """
        while True:
            with self.lock:
                done = self.store.found['rows']
                for row in self.waiting:
                    if not row.start or row.start in done:
                        self.waiting.remove(row)
                        self.running.append(row.key)
                        return row
                coming = {*self.running, *(r.key for r in self.waiting)}
                if not any(r.start in coming for r in self.waiting):
                    return None
                if not self.running:
                    return None
            time.sleep(WAIT)

    def done(self, row: Row) -> None:
        """Note the end of a row."""
        with self.lock:
            self.running.remove(row.key)


def work_through(queue: Queue, plan: Plan, place: Place,
                 deadline: float) -> None:
    """Run rows until none is left or the time is up."""
    while time.time() < deadline:
        row = queue.take()
        if row is None:
            return
        print(f'{row.key}: begins', flush=True)
        try:
            queue.store.add(row, run_row(row, plan, place, deadline))
            print(f'{row.key}: done', flush=True)
        except OutOfTime:
            print(
                f'{row.key}: out of time, goes on with the next call',
                flush=True)
            if found := unfinished_row(row, plan, place):
                queue.store.add_partial(row, found)
        except Exception as error:
            # One row must not end the others; the reason is kept and told.
            traceback.print_exc()
            queue.store.fail(row, str(error))
        finally:
            queue.done(row)


def places(args: argparse.Namespace) -> List[Place]:
    """Return a place for each training that may run at the same time."""
    count = args.per_gpu * max(1, len(args.gpus))
    cores = max(1, len(os.sched_getaffinity(0)) // count)
    return [
        Place(args.work.resolve(), args.data.resolve(), cores, gpu, count)
        for _ in range(args.per_gpu) for gpu in args.gpus or ['']
    ]


def make_sets(plan: Plan, rows: Sequence[Row], data: Path,
              store: Store) -> None:
    """Make the sets of the rows, and note time and size."""
    workers = len(os.sched_getaffinity(0))
    for name in dict.fromkeys(row.data for row in rows):
        settings = plan.sets[name]
        begun = time.time()
        if not make_noise_set(data / name, settings, num_workers=workers):
            continue
        seconds = time.time() - begun
        files = [f for f in (data / name).glob('*/*/*') if f.is_file()]
        size = sum(f.stat().st_size for f in files) / len(files)
        store.found['data'] = [
            line for line in store.found['data'] if line[0] != name
        ] + [[
            name,
            str(len(files)), f'{seconds:.1f}',
            str(workers), f'{size:.0f}'
        ]]
        store.save()


def compare_resumed(plan: Plan, work: Path, store: Store) -> None:
    """Compare the killed and resumed training with the whole one."""
    pair = [r for r in plan.rows if r.part == 'resume']
    if len(pair) == 2 and all(r.key in store.found['rows'] for r in pair):
        one, other = (work / r.key for r in pair)
        if one.is_dir() and other.is_dir():
            store.found['resume'] = equal_weights(one, other)
            store.save()


def parse_args(args: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n', maxsplit=1)[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add = parser.add_argument
    add('--minutes', type=float, default=9., help='until trainings save')
    add('--epochs', type=int, default=4, help='kinds of motion')
    add('--shape-epochs', type=int, default=6, help='last stage of shapes')
    add('--only',
        nargs='+',
        choices=PARTS,
        help='parts to run; the rows they start from must be finished. speed '
        'alone needs its name here, and --per-gpu 1')
    add('--seeds', type=int, nargs='+', default=[0, 1, 2])
    add('--rows',
        nargs='+',
        help='names of rows as --list shows them, to run in this order; the '
        'other rows wait')
    add('--gpus', nargs='*', help='numbers; all if left out')
    add('--per-gpu', type=int, default=3, help='trainings at the same time')
    add('--work', type=Path, default=Path('work_dirs/motion_noise'))
    add('--data', type=Path, default=Path('data/motion_noise'))
    add('--out',
        type=Path,
        help='page; benchmarks/results/motion_noise.md, or with --cpu '
        'motion_noise_cpu.md there, if left out')
    add('--render', action='store_true', help='write the page again, no more')
    add('--list', action='store_true', help='list the rows, no more')
    add('--cpu',
        action='store_true',
        help='frames of long videos alone, with a micro model on a CPU: 15 '
        'minutes of two cores')
    add('--smoke',
        action='store_true',
        help='tiny sizes on a CPU, in a folder that is removed; prints the '
        'page')
    found = parser.parse_args(args)
    if found.gpus is None:
        numbers = os.environ.get('CUDA_VISIBLE_DEVICES', '')
        count = torch.cuda.device_count()
        found.gpus = numbers.split(',')[:count] if numbers else [
            str(i) for i in range(count)
        ]
    if 'speed' in (found.only or []) and (found.per_gpu > 1
                                          or len(found.only) > 1):
        parser.error('--only speed measures trainings alone: no other part, '
                     'and --per-gpu 1')
    name = 'motion_noise.md'
    if found.cpu:
        # Sets and rows have names of the plan for a GPU, and other contents.
        found.gpus, name = [], 'motion_noise_cpu.md'
        found.work, found.data = found.work / 'cpu', found.data / 'cpu'
    found.out = found.out or Path('benchmarks/results', name)
    if not (found.gpus or found.cpu or found.smoke or found.list
            or found.render):
        parser.error('there is no GPU; --smoke tries the script on a CPU')
    return found


def main(args: Optional[Sequence[str]] = None) -> int:
    """Run what is left, and write the page.

    Args:
        args (Sequence[str], optional): The command line. Defaults to None,
            the one of the process.

    Returns:
        int: 1 if a row failed, else 0.
    """
    found = parse_args(args)
    if found.cpu:
        return work_on(found, cpu_plan())
    if not found.smoke:
        return work_on(found, full_plan(found.epochs, found.shape_epochs))
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        found.gpus, found.per_gpu = [], 1
        found.work, found.data = folder / 'work', folder / 'data'
        found.out = folder / 'motion_noise.md'
        code = work_on(found, smoke_plan())
        if found.out.is_file():
            print(found.out.read_text())
        return code


def work_on(found: argparse.Namespace, plan: Plan) -> int:
    """Run what is left of a plan, and write the page.

    Args:
        found (argparse.Namespace): The command line.
        plan (Plan): The plan.

    Returns:
        int: 1 if a row failed, else 0.
    """
    begun = time.time()
    rows = [
        r for r in plan.rows
        if r.seed in found.seeds and r.part in (found.only or PARTS[:-1])
    ]
    if found.rows:
        rows = chosen_rows(rows, found.rows)
    if found.list:
        print('\n'.join(row.key for row in rows))
        return 0
    device = 'cuda' if torch.cuda.is_available() and found.gpus else 'cpu'
    store = Store(found.out.with_suffix('.json'), device, found.render)
    if not found.render:
        store.found['failed'] = {}
        store.found['commands'].append(shlex.join(sys.argv))
        run_all(found, plan, rows, store, begun)
    write(store.found, plan, found.out, device)
    done = [row for row in rows if row.key in store.found['rows']]
    print(f'{len(done)} of {len(rows)} rows are finished, see {found.out}')
    for key, words in store.found['failed'].items():
        print(f'failed: {key}: {words}', file=sys.stderr)
    return int(bool(store.found['failed']))


def chosen_rows(rows: Sequence[Row], keys: Sequence[str]) -> List[Row]:
    """Return rows in the order of their keys.

    Args:
        rows (Sequence[Row]): All rows.
        keys (Sequence[str]): Keys of some.

    Returns:
        list[Row]: The rows of the keys.

    Raises:
        ValueError: If no row has one of the keys.
    """
    by_key = {row.key: row for row in rows}
    unknown = [key for key in keys if key not in by_key]
    if unknown:
        raise ValueError(f'--rows must be names of rows, but {unknown} are '
                         'not: --list shows them.')
    return [by_key[key] for key in keys]


def run_all(args: argparse.Namespace, plan: Plan, rows: Sequence[Row],
            store: Store, begun: float) -> None:
    """Make the sets, run the probes and the rows."""
    deadline = begun + 60 * args.minutes
    queue = Queue(rows, store)
    make_sets(plan, queue.waiting, args.data, store)
    slots = places(args)
    with ThreadPoolExecutor(len(slots) + 1) as pool:
        jobs = [
            pool.submit(work_through, queue, plan, place, deadline)
            for place in slots
        ]
        if not store.found['probes'] and (args.data / plan.probe).is_dir():
            store.found['probes'] = probe(args.data / plan.probe,
                                          plan.sets[plan.probe], PROBED)
        for job in jobs:
            job.result()
    compare_resumed(plan, args.work.resolve(), store)
    store.found['minutes'] = store.found.get('minutes',
                                             0.) + (time.time() - begun) / 60
    store.save()


if __name__ == '__main__':
    with user_errors():
        sys.exit(main())
