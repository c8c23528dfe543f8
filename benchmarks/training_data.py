"""Time tools/train.py with data, from files to the trained batch.

    python benchmarks/training_data.py --before FOLDER --out FOLDER

Rows of a recipe: 'eager step', the hand-made loop of forward, loss, backward
and fused AdamW on a waiting batch, kernel by kernel, of an older checkout
(--before); 'default settings', the recipe's steps through the runner on clips
that cost nothing; and tools/train.py itself on videos: of the older checkout;
with the augmentation in the workers and on the device, on originals and on a
copy by tools/data/prepare_videos.py; and with mmaction2's UniFormerV2 data
pipeline, where pytorchvideo and decord are installed. Rows run in turn, the
most important first; the file is written after each row. A folder of a commit
comes from

    git archive COMMIT mmvideomamba configs benchmarks tools setup.cfg \
        | tar x -C FOLDER

The videos are encoded here. The training lists few videos many times: after
the first reading files come from the page cache, in all rows alike, so a disk
or network is not measured.
"""
import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

import mmvideomamba  # isort: skip  # noqa: F401  heals the hosts
from gpu_common import Entry
from made_videos import KINETICS, SMALL, make_videos, write_list
from mmengine.config import Config
from pipeline_kinds import NEEDED, prepared_copy, uniformer
from recipe_parts import TINY_SIDE, Case, add_options, load, make_short
from training_rows import (CASES, COPIES, DEFAULT, EAGER, HOST, ORDER, ROWS,
                           Lines, Training, report)

ROOT = Path(__file__).resolve().parents[1]


class Window(NamedTuple):
    """Iterations of a training.

    Args:
        warm_up (int): Before the timed ones.
        timed (int): Of the window.
        after (int): After the window, for the workers to work ahead.
    """
    warm_up: int
    timed: int
    after: int

    @classmethod
    def of(cls, workers: int, prefetch: int, timed: int) -> 'Window':
        """Choose a window for a loader.

        Args:
            workers (int): Of the loader.
            prefetch (int): Batches prepared ahead by a worker.
            timed (int): Iterations at least.
        """
        ahead, burst = workers * prefetch, max(workers, 1)
        # Slow first steps let the loader work ahead, before the steady state.
        return cls(10 + ahead, burst * -(-timed // burst), ahead + 1)


def set_data(cfg: Config, case: Case, row: Training, folder: Path) -> None:
    """Let a recipe read the made videos, in place.

    Args:
        cfg (Config): The recipe.
        case (Case): With the clips of a step.
        row (Training): With the files.
        folder (Path): Of the kinds of files.
    """
    loader = cfg.train_dataloader
    loader.batch_size = case.clips // COPIES
    loader.dataset.update(
        data_root=str(folder / row.files),
        ann_file='long.csv',
        data_prefix=dict(video=''),
        num_repeats=COPIES)


def set_host_data(cfg: Config, folder: Path) -> None:
    """Let a recipe read the made videos by mmaction2's pipeline, in place."""
    data = uniformer(str(folder / 'originals'), COPIES)
    del cfg.train_dataloader['dataset']  # an update would join both
    cfg.train_dataloader.dataset = dict(data, ann_file='long.txt')


def make_tiny(cfg: Config) -> None:
    """Let a recipe read small clips, few at a time, in place."""
    cfg.train_dataloader.update(batch_size=2, num_workers=1)
    for step in cfg.train_dataloader.dataset.pipeline:
        if step.type == 'mmvideomamba.ClipRandomResizedCrop':
            step.scale = TINY_SIDE
        elif step.type == 'Resize' and not step.get('keep_ratio', True):
            step.scale = (TINY_SIDE, TINY_SIDE)


class Bench:
    """Measure rows, each in a process of its own.

    Args:
        args (argparse.Namespace): Command line.
        folder (Path): Of the videos, and of what trainings write.
    """

    def __init__(self, args: argparse.Namespace, folder: Path) -> None:
        self.args, self.folder = args, folder
        self.names: List[str] = []
        self.copied: List[str] = []

    def make_files(self) -> None:
        """Make the videos, a prepared copy, and the lists."""
        originals = self.folder / 'originals'
        self.names = make_videos(originals, self.args.videos,
                                 SMALL if self.args.tiny else KINETICS,
                                 self.args.encoders)
        write_list(originals / 'train.csv', self.names)
        copy = self.folder / 'prepared_copy'
        prepared_copy(originals, copy, self.args.encoders)
        lines = (copy / 'train.csv').read_text().splitlines()
        self.copied = [line.rpartition(',')[0] for line in lines]

    def config(self, name: str, row: str, work_dir: Path) -> Config:
        """Return the config of a training.

        Args:
            name (str): Of ``CASES``.
            row (str): Of ``ROWS``.
            work_dir (Path): Of the training; an existing folder.
        """
        training, case, args = ROWS[row], CASES[name], self.args
        assert training is not None
        root = args.before if training.before else ROOT
        cfg = load(case, args.device, args.tiny, root / 'configs')
        set_data(cfg, case, training, self.folder)
        loader = cfg.train_dataloader
        if row == HOST:
            set_host_data(cfg, self.folder)
        if args.tiny:
            make_tiny(cfg)
        if args.workers is not None:
            loader.num_workers = args.workers
            loader.persistent_workers = args.workers > 0
        if training.augment:
            cfg.default_hooks.clip_augment = dict(
                type='mmvideomamba.ClipAugmentHook', on=training.augment)
        window = Window.of(loader.num_workers,
                           loader.get('prefetch_factor', 2), args.timed)
        if args.tiny:
            window = Window(1, 2, 1)
        length = sum(window) * loader.batch_size
        for place, names in (('originals', self.names), ('prepared_copy',
                                                         self.copied)):
            write_list(self.folder / place / 'long.csv', names, length=length)
        write_list(self.folder / 'originals' / 'long.txt', self.names, ' ',
                   length)
        clock = dict(
            type='LoaderClock',
            file=str(work_dir / 'clock.json'),
            warm_up=window.warm_up,
            timed=window.timed)
        make_short(cfg, work_dir, 'loader_clock', clock)
        return cfg

    def row(self, name: str, row: str) -> Entry:
        """Measure a row; an error becomes a note."""
        missing = [x for x in NEEDED if row == HOST and find_spec(x) is None]
        if missing:
            return dict(note=f'not installed: {", ".join(missing)}')
        if 'before' in row and self.args.before is None:
            return dict(note='no older checkout given')
        if row == EAGER:
            return self._step(self.args.before, name, 'bare loop')
        if row == DEFAULT:
            return self._step(ROOT, name, 'default settings')
        return self._train(name, row)

    def _step(self, root: Path, name: str, row: str) -> Entry:
        """Run a row of benchmarks/training_step.py of a checkout."""
        command = [
            sys.executable,
            str(root / 'benchmarks' / 'training_step.py'), '--lines',
            '--device', self.args.device, '--only', name, '--rows', row,
            '--compiled', name, *['--tiny'] * self.args.tiny
        ]
        job = subprocess.run(
            command,
            env=environment(root),
            stdout=subprocess.PIPE,
            text=True,
            timeout=self.args.patience)
        for line in job.stdout.splitlines():
            if line.startswith('["'):
                entry = json.loads(line)[2]
                # A tiny case has fewer clips there.
                return dict(entry, clips=CASES[name].clips)
        return dict(note=f'exit code {job.returncode}')

    def _train(self, name: str, row: str) -> Entry:
        """Train by tools/train.py."""
        training = ROWS[row]
        assert training is not None
        root = self.args.before if training.before else ROOT
        work_dir = Path(tempfile.mkdtemp(dir=self.folder))
        cfg = self.config(name, row, work_dir)
        config, clock = work_dir / 'recipe.py', work_dir / 'clock.json'
        cfg.dump(str(config))
        log = work_dir / 'output.log'
        with open(log, 'w') as output:
            job = subprocess.Popen([
                sys.executable,
                str(root / 'tools' / 'train.py'),
                str(config), '--work-dir',
                str(work_dir)
            ],
                                   cwd=root,
                                   env=environment(root),
                                   stdout=output,
                                   stderr=subprocess.STDOUT,
                                   start_new_session=True)
            wait_for(job, clock, self.args.patience)
        if not clock.exists():
            lines = log.read_text().strip().splitlines() or ['no output']
            print('\n'.join(lines[-20:]), file=sys.stderr)
            return dict(note=lines[-1][:160])
        entry = json.loads(clock.read_text())
        said = [x for x in log.read_text().splitlines() if 'data: the ' in x]
        if said:
            entry['said'] = said[-1].partition('data: ')[2]
        return dict(entry, clips=cfg.train_dataloader.batch_size * COPIES)


def environment(root: Path) -> Dict[str, str]:
    """Return the environment for a checkout's programs.

    Args:
        root (Path): Of the checkout.
    """
    paths = [
        str(root.resolve()),
        str(Path(__file__).resolve().parent),
        os.environ.get('PYTHONPATH', '')
    ]
    return dict(os.environ, PYTHONPATH=os.pathsep.join(filter(None, paths)))


def wait_for(job: subprocess.Popen, file: Path, patience: float) -> None:
    """Wait until a training wrote the times, then end the training.

    Args:
        job (Popen): The training, leader of its session.
        file (Path): Written when all is measured.
        patience (float): Seconds until the training counts as hung.
    """
    end = time.monotonic() + patience
    while job.poll() is None and time.monotonic() < end:
        if file.exists():
            # For the line of the log.
            end = min(end, time.monotonic() + 1)
        time.sleep(0.1)
    # Workers would finish their batches first, while the next row runs.
    try:
        os.killpg(job.pid, signal.SIGKILL)
    except ProcessLookupError:
        pass
    job.wait()


def measure(args: argparse.Namespace, folder: Path) -> str:
    """Measure the rows; the page is written after each."""
    start = time.monotonic()
    bench = Bench(args, folder)
    lines: Lines = {}
    bench.make_files()
    print(f'files made in {time.monotonic() - start:.0f} s', flush=True)
    for name, row in ORDER:
        if name not in args.only or row not in args.rows:
            continue
        entry: Entry = dict(note='not run: no time left')
        if time.monotonic() - start < args.budget:
            try:
                entry = bench.row(name, row)
            except Exception as error:
                # A failure must not cost the other rows.
                entry = dict(note=f'{type(error).__name__}: {error}'[:160])
        lines[name, row] = entry
        spent = time.monotonic() - start
        print(f'{spent:.0f} s: {name}, {row}: {entry}', flush=True)
        if not args.tiny:
            args.out.mkdir(parents=True, exist_ok=True)
            (args.out / 'training_data.md').write_text(
                report(args, lines, folder))
    return report(args, lines, folder)


def main(arguments: Optional[List[str]] = None) -> None:
    """Parse the command line, measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--before', type=Path, help='folder of an older checkout')
    parser.add_argument(
        '--only', nargs='+', choices=list(CASES), default=list(CASES))
    parser.add_argument(
        '--rows', nargs='+', choices=list(ROWS), default=list(ROWS))
    parser.add_argument('--videos', type=int, default=96)
    parser.add_argument('--folder', type=Path, help='keeps the videos')
    parser.add_argument(
        '--encoders',
        type=int,
        default=os.cpu_count(),
        help='processes that make videos')
    parser.add_argument(
        '--workers', type=int, help='of loaders; default: of the recipes')
    parser.add_argument(
        '--timed',
        type=int,
        default=160,
        help='iterations of a window: batches that waited at its ends are '
        'counted, but not batches half made')
    parser.add_argument(
        '--patience',
        type=float,
        default=90.,
        help='seconds until a row counts as hung')
    add_options(parser, 400., 'row')
    args = parser.parse_args(arguments)
    if args.before is not None:
        args.before = args.before.resolve()
    with tempfile.TemporaryDirectory() as temporary:
        folder = (args.folder or Path(temporary)).resolve()
        folder.mkdir(parents=True, exist_ok=True)
        print('\n' + measure(args, folder))


if __name__ == '__main__':
    main()
