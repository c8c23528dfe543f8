"""Time trainings on several GPUs, started by tools/dist_train.sh.

    python benchmarks/scaling.py [--middle-64f] [--gpus 1 2 4]

Each training is a recipe on clips that cost nothing, with as many clips on
every GPU. Efficiency: time of a step on a single GPU over the time on several.
Beside several GPUs of a node, '2 nodes' are two agents on this host, each
with half of the GPUs and a NODE_RANK (NNODES, MASTER_ADDR, PORT). Trainings
run in turn; the file is written after every training.
"""
import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
from itertools import count
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Sequence

import mmvideomamba  # isort: skip  # noqa: F401  heals the host, goes first
import torch
from gpu_common import Entry, cell, page, table
from recipe_parts import (MIDDLE_8F, MIDDLE_64F, TINY_8F, TINY_64F, Case,
                          Timing, add_options, has_graphs, load, messages,
                          set_graphs, timed, timed_training)

ROOT = Path(__file__).resolve().parents[1]
CASES: Dict[str, Case] = {
    'Tiny 8f, 64 clips': Case(TINY_8F, 64),
    'Tiny 64f, 8 clips': Case(TINY_64F, 8),
    'Middle 8f, 32 clips': Case(MIDDLE_8F, 32),
    'Middle 64f, 4 clips': Case(MIDDLE_64F, 4),
}
OPTIONAL = 'Middle 64f, 4 clips'
# Seconds until a training counts as hung.
PATIENCE = 150.


class Job(NamedTuple):
    """A training to be timed.

    Args:
        case (str): Of ``CASES``.
        graphs (str): Mode of the captured steps.
        nodes (int): Agents on this host.
        gpus (int): All processes.
    """
    case: str
    graphs: str
    nodes: int
    gpus: int

    @property
    def where(self) -> str:
        """Words for the table."""
        return f'{self.gpus}' + (f', {self.nodes} nodes' * (self.nodes > 1))


def jobs(names: Sequence[str], modes: Sequence[str],
         gpus: Sequence[int]) -> Iterator[Job]:
    """Yield the trainings in order of weight.

    Args:
        names (Sequence[str]): Of ``CASES``.
        modes (Sequence[str]): Of the captured steps.
        gpus (Sequence[int]): Numbers of processes.
    """
    for mode in modes:
        for number in gpus:
            for name in names:
                yield Job(name, mode, 1, number)
        # Two nodes need a process each; how a step runs changes nothing.
        if max(gpus) >= 2 and mode == modes[0]:
            yield Job(names[0], mode, 2, max(gpus) // 2 * 2)


def free_port() -> int:
    """Return a free port of this machine."""
    with socket.socket() as free:
        free.bind(('127.0.0.1', 0))
        return free.getsockname()[1]


def commands(job: Job, config: Path, device: str) -> List[tuple]:
    """Return command and environment of each agent.

    Args:
        job (Job): The training.
        config (Path): Of the training.
        device (str): 'cuda' or 'cpu'.

    Returns:
        list[tuple[list[str], dict[str, str]]]: For each node.
    """
    each, port = job.gpus // job.nodes, str(free_port())
    path = os.pathsep.join(
        filter(None, [
            str(Path(__file__).resolve().parent),
            os.environ.get('PYTHONPATH', '')
        ]))
    visible = os.environ.get('CUDA_VISIBLE_DEVICES') or ','.join(
        map(str, range(job.gpus)))
    cards = visible.split(',') if device == 'cuda' else []
    # The script starts `python`: let the interpreter be the same.
    programs = os.pathsep.join(
        [str(Path(sys.executable).parent), os.environ['PATH']])
    found = []
    for rank in range(job.nodes):
        mine = ','.join(cards[rank * each:(rank + 1) * each])
        environment = dict(
            os.environ,
            PATH=programs,
            PYTHONPATH=path,
            CUDA_VISIBLE_DEVICES=mine,
            NNODES=str(job.nodes),
            NODE_RANK=str(rank),
            MASTER_ADDR='127.0.0.1',
            PORT=port)
        command = ['bash', str(ROOT / 'tools' / 'dist_train.sh')]
        found.append(([*command, str(config), str(each)], environment))
    return found


class Bench:
    """Run trainings in turn.

    Args:
        args (argparse.Namespace): Command line.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.folder = Path(tempfile.mkdtemp())
        self.numbers = count()

    def run(self, job: Job) -> Entry:
        """Time a training; a failure becomes a note.

        Args:
            job (Job): The training.
        """
        if job.graphs == 'off' and not has_graphs():
            return dict(note='no captured steps here')
        args, case = self.args, CASES[job.case]
        if args.tiny:
            case = case._replace(clips=2)
        cfg = load(case, args.device, args.tiny)
        set_graphs(cfg, 'default' if job.graphs == 'auto' else job.graphs)
        work_dir = self.folder / f'{next(self.numbers)}'
        work_dir.mkdir()
        timing = Timing(2, 1, 0) if args.tiny else Timing(profiled=0)
        file = timed_training(cfg, case, timing, work_dir, job.gpus)
        config = work_dir / 'training.py'
        cfg.dump(config)
        statuses = self._train(job, config, work_dir)
        for line in messages(work_dir, 'graph'):
            print(line, file=sys.stderr)
        if any(statuses) or not file.exists():
            for log in sorted(work_dir.glob('*.out')):
                print(log.read_text()[-2000:], file=sys.stderr)
            return dict(note=f'ended with exit codes {statuses}')
        return timed(file)

    def _train(self, job: Job, config: Path,
               work_dir: Path) -> List[Optional[int]]:
        """Start the agents, wait, and return the exit codes."""
        agents = []
        for rank, (command, environment) in enumerate(
                commands(job, config, self.args.device)):
            with open(work_dir / f'{rank}.out', 'w') as out:
                agents.append(
                    subprocess.Popen(
                        command,
                        env=environment,
                        stdout=out,
                        stderr=subprocess.STDOUT))
        end = time.monotonic() + PATIENCE
        for agent in agents:
            try:
                agent.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                # The ranks end with the agent.
                agent.kill()
                agent.wait()
        return [agent.returncode for agent in agents]


def report(args: argparse.Namespace, found: Dict[Job, Entry]) -> str:
    """Return the page of results.

    Args:
        args (argparse.Namespace): Command line.
        found (dict[Job, dict]): Measurements.
    """
    rows, order = [], list(CASES)

    def place(job: Job) -> tuple:
        return order.index(job.case), job.graphs, job.nodes, job.gpus

    for job in sorted(found, key=place):
        e = found[job]
        alone = found.get(job._replace(nodes=1, gpus=1), {})
        share = ''
        if 'ms' in alone and 'ms' in e:
            share = f'{alone["ms"] / e["ms"]:.3f}'
        rows.append([
            job.case, job.graphs, job.where,
            cell(e, digits=2), share,
            cell(e, 'reserved', 2) if 'reserved' in e else ''
        ])
    head = [
        'training, each GPU', 'graphs', 'GPUs', 'ms a step', 'efficiency',
        'reserved GiB'
    ]
    return page(
        'Scaling', args.device,
        '`tools/dist_train.sh` with recipes at default settings, random '
        'weights, bfloat16 and data that costs nothing; the mean of a window '
        'of 20 steps with a line of the log, after 10. Efficiency: the time '
        'on one GPU over the time on several, with as many clips on each. '
        '2 nodes: two agents on this host.', table(head, rows))


def main(arguments: Optional[List[str]] = None) -> None:
    """Time the trainings, and write and print the table."""
    start = time.monotonic()
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--gpus', nargs='+', type=int, help='default: 1, 2, 4')
    parser.add_argument('--only', nargs='+', choices=list(CASES))
    parser.add_argument(
        '--middle-64f', action='store_true', help=f'also {OPTIONAL}')
    parser.add_argument(
        '--graphs',
        nargs='+',
        choices=['auto', 'off'],
        default=['auto', 'off'])
    add_options(parser, 230., 'training')
    args = parser.parse_args(arguments)
    visible = torch.cuda.device_count() if args.device == 'cuda' else 2
    gpus = args.gpus or [n for n in (1, 2, 4) if n <= visible]
    if not gpus or max(gpus) > visible:
        parser.error(f'--gpus {gpus}: {visible} are visible')
    names = args.only or [n for n in CASES if n != OPTIONAL or args.middle_64f]
    bench = Bench(args)
    found: Dict[Job, Entry] = {}
    for job in jobs(names, args.graphs, gpus):
        found[job] = dict(note='not run: no time left')
        if time.monotonic() - start < args.budget:
            found[job] = bench.run(job)
        print(job, found[job], flush=True)
        if not args.tiny:
            args.out.mkdir(parents=True, exist_ok=True)
            (args.out / 'scaling.md').write_text(report(args, found))
    print('\n' + report(args, found))


if __name__ == '__main__':
    main()
