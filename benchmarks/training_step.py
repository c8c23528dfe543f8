"""Time training steps as users get them against a CUDA graph made by hand.

    python benchmarks/training_step.py [--before FOLDER]

Rows of a recipe: 'hand-made graph', model, loss and fused AdamW on a waiting
batch, captured whole; 'default settings', the recipe through mmengine's
runner with all hooks, on clips without a cost; 'graphs off', likewise without
captured steps; 'bare loop', the hand-made step launched kernel by kernel;
'compiled', the bare loop with the backbone under torch.compile, in turn with
the eager loop; and with --before, 'default settings' and 'bare loop' of an
older checkout, in another process. The file is written after each row: a
stopped run leaves a table.
"""
import argparse
import gc
import json
import logging
import os
import shlex
import subprocess
import sys
import tempfile
import threading
import time
from contextlib import redirect_stdout
from io import StringIO
from itertools import count
from pathlib import Path
from statistics import median, quantiles
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Tuple

import mmvideomamba  # isort: skip  # noqa: F401  heals the host, goes first
import torch
from bare_step import BareStep
from device_work import profiled
from gpu_common import Entry, cell, page, table
from mmengine.config import Config
from mmengine.logging import MMLogger
from mmengine.runner import Runner
from recipe_parts import (MIDDLE_8F, TINY_8F, TINY_64F, Case, Timing,
                          add_options, has_graphs, load, messages, set_graphs,
                          timed, timed_training)
from synthetic_training import gaps, mark, peaks

from mmvideomamba.models.backbones import VideoMamba

CASES: Dict[str, Case] = {
    'Tiny 8f, 8 clips':
    Case(TINY_8F, 8, 2),
    'Tiny 8f, 64 clips':
    Case(TINY_8F, 64),
    'Tiny 64f, 8 clips':
    Case(TINY_64F, 8),
    'Middle 8f, 32 clips':
    Case(MIDDLE_8F, 32),
    'Tiny 8f, 1 clip':
    Case(TINY_8F, 1, 2),
    # Last: an operation unfit for graphs may spoil later captures.
    'masked pretraining, Tiny 8f, 64 clips':
    Case(
        'pretraining/umt-videomamba-tiny_clip-b16_32xb64-u8-800e_'
        'kinetics400-rgb', 64),
}
ROWS = ('default settings', 'graphs off', 'bare loop', 'hand-made graph',
        'compiled')
# Names of the rows of an older checkout.
BEFORE = {
    'default settings': 'default settings, before',
    'bare loop': 'bare loop, before'
}
# Whose step alone is compared with the older checkout, besides the training.
ALONE = 'Middle 8f, 32 clips'
# Seconds of the older checkout beyond its share: imports, and a last row.
PATIENCE = 90.
# Steps of a hand-made loop: warm-up, and a timed window.
WARM_UP, LOOP = 3, 10
# Windows of a compiled step, each next to a window of the eager step.
TURNS = 15


class Bench:
    """Measure rows, each on a new model.

    Args:
        args (argparse.Namespace): Command line.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self.args = args
        self.device = torch.device(args.device)
        self.folder = Path(tempfile.mkdtemp())
        self.numbers = count()

    def row(self, case: Case, row: str) -> Entry:
        """Measure a row; an error becomes a note."""
        if row == 'hand-made graph' and self.device.type != 'cuda':
            return dict(note='no GPU')
        self._clear()
        try:
            if row in ('default settings', 'graphs off'):
                return self._training(case, row)
            if row == 'compiled':
                return self._compiled(case)
            return self._bare(case, row)
        except torch.OutOfMemoryError:
            return dict(note='out of memory')
        except (Exception, SystemExit) as error:
            # A failure must not cost the other rows.
            logging.getLogger('training_step').exception(row)
            return dict(
                note=f'{type(error).__name__}: {error}'.splitlines()[0][:120])
        finally:
            self._clear()

    def _recipe(self, case: Case) -> Config:
        """Load the recipe of a case, maybe with fewer layers."""
        cfg = load(case, self.args.device, self.args.tiny)
        if self.args.layers:
            backbone = cfg.model.backbone
            arch = backbone.arch
            if isinstance(arch, str):
                arch = VideoMamba.arch_zoo[arch]
            backbone.arch = dict(arch, num_layers=self.args.layers)
        return cfg

    def _clear(self) -> None:
        """Forget a model and its kernels' memory."""
        if 'torch._dynamo' in sys.modules:
            torch._dynamo.reset()
        gc.collect()
        if self.device.type == 'cuda':
            torch.cuda.empty_cache()
            torch.cuda.reset_peak_memory_stats()

    def _training(self, case: Case, row: str) -> Entry:
        """Train by the recipe's runner."""
        if row == 'graphs off' and not has_graphs():
            return dict(note='no captured steps here')
        cfg = self._recipe(case)
        set_graphs(cfg, 'default' if row == 'default settings' else 'off')
        # Without graphs a step takes longer, and needs less of a warm-up.
        timing = Timing(4)
        if row == 'default settings' and has_graphs():
            timing = Timing(windows=case.windows)
        if self.args.tiny:
            timing = Timing(2, 1, 1)
        work_dir = self.folder / f'{next(self.numbers)}'
        file = timed_training(
            cfg, case, timing, work_dir, workers=self.args.workers)
        with redirect_stdout(StringIO()):  # the log, which is in work_dir
            Runner.from_cfg(cfg).train()
        for line in messages(work_dir, 'graph'):
            print(line, file=sys.stderr)
        return timed(file)

    def _bare(self, case: Case, row: str) -> Entry:
        """Run a hand-made step."""
        step = BareStep(self._recipe(case), case, self.device)
        run: Callable[[], None] = step
        for _ in range(WARM_UP):
            step()
        if row == 'hand-made graph':
            run = step.capture()
            run()
        marks = []
        for number in range(1 + LOOP * case.windows):
            if number % LOOP == 0:
                marks.append(mark(self.device))
            run()
        if self.device.type == 'cuda':
            torch.cuda.synchronize()
        entry = dict(ms=median(gaps(marks)) / LOOP, **peaks())
        entry.update(profiled(run, device=self.device))
        return entry

    def _compiled(self, case: Case) -> Entry:
        """Run a compiled step and the eager one in turn.

        The host's speed changes within seconds, and bounds both steps.
        """
        step = BareStep(self._recipe(case), case, self.device, True)
        for _ in range(WARM_UP):
            step()
        entry = dict(peaks(), **profiled(step, device=self.device))
        eager = BareStep(self._recipe(case), case, self.device)
        for _ in range(WARM_UP):
            eager()
        found: List[Tuple[float, float]] = []
        for _ in range(TURNS):
            found.append((self._loop(step), self._loop(eager)))
        entry.update(
            ms=median(x for x, _ in found),
            ratio=median(x / y for x, y in found))
        low, _, high = quantiles((x / y for x, y in found), n=4)
        breaks = sum(torch._dynamo.utils.counters['graph_break'].values())
        return dict(
            entry,
            remark=f'{breaks} graph breaks; in turn with the bare loop, '
            f'{median(y for _, y in found):.2f} ms, {TURNS} times: ratios '
            f'{low:.3f} to {high:.3f} (quartiles)')

    def _loop(self, step: Callable[[], None]) -> float:
        """Return the milliseconds of a step in a window."""
        marks = [mark(self.device)]
        for _ in range(LOOP):
            step()
        marks.append(mark(self.device))
        if self.device.type == 'cuda':
            torch.cuda.synchronize()
        return gaps(marks)[0] / LOOP


class Line(NamedTuple):
    """A line of the table.

    Args:
        case (str): Of ``CASES``.
        row (str): Of ``ROWS``, or of ``BEFORE``.
        entry (dict): What was measured.
    """
    case: str
    row: str
    entry: Entry


def older(args: argparse.Namespace, names: List[str],
          seconds: float) -> List[Line]:
    """Measure an older checkout in another process.

    Args:
        args (argparse.Namespace): Command line.
        names (list[str]): Cases.
        seconds (float): After which no row is begun there.
    """
    command = [sys.executable, __file__, '--lines', '--device', args.device]
    # The comparison of the larger model counts most, and comes first.
    names = sorted(names, key=lambda x: not x.startswith('Middle'))
    command += ['--budget', str(seconds), '--rows', *BEFORE, '--only', *names]
    command += ['--compiled', '--workers', str(args.workers)]
    command += ['--tiny'] * args.tiny
    paths = [str(args.before.resolve()), os.environ.get('PYTHONPATH', '')]
    environment = dict(
        os.environ, PYTHONPATH=os.pathsep.join(filter(None, paths)))
    with subprocess.Popen(
            command, env=environment, stdout=subprocess.PIPE,
            text=True) as job:
        # The last row may begin when the time is up.
        clock = threading.Timer(seconds + PATIENCE, job.kill)
        clock.start()
        assert job.stdout is not None
        found = [
            Line(*json.loads(line)) for line in job.stdout
            if line.startswith('["')
        ]
    clock.cancel()
    if job.returncode:
        note = dict(note=f'ended with exit code {job.returncode}')
        found.append(Line(names[-1], 'default settings', note))
    return [Line(x.case, BEFORE[x.row], x.entry) for x in found]


def chosen(args: argparse.Namespace, names: List[str]) -> List[Tuple]:
    """Return case and row of what is measured, in order.

    Args:
        args (argparse.Namespace): Command line.
        names (list[str]): Cases.
    """
    loops = (ALONE, *args.compiled)
    found = [(name, row) for name in names for row in args.rows
             if row != 'compiled' and (row != 'bare loop' or name in loops)]
    # The compiled rows last: the time of a compilation varies most.
    if 'compiled' in args.rows:
        found += [(name, 'compiled') for name in args.compiled
                  if name in names]
    return found


def against(line: Line, lines: List[Line]) -> List[str]:
    """Return ratios to the graph, to before, and of compiled to bare.

    Args:
        line (Line): The line.
        lines (list[Line]): All lines.
    """
    ms = {x.row: x.entry.get('ms') for x in lines if x.case == line.case}
    others = ('hand-made graph', BEFORE.get(line.row, ''))
    mine, found = line.entry.get('ms'), []
    for name in others:
        other: Optional[float] = ms.get(name)
        found.append(f'{mine / other:.3f}' if mine and other else '')
    if 'ratio' in line.entry:
        found[1] = f'{line.entry["ratio"]:.3f}'
    return found


def report(args: argparse.Namespace, lines: List[Line]) -> str:
    """Return the page with the table."""
    rows, command = [], shlex.join(sys.argv)
    if args.before is not None:
        command = command.replace(str(args.before), args.before.name)
    for line in sorted(lines, key=lambda x: list(CASES).index(x.case)):
        e: Dict[str, Any] = dict(line.entry)
        if 'busy' in e:
            e['share'] = 100 * e['busy'] / e['ms']
        rows.append([
            line.case, line.row,
            cell(e, digits=2), *against(line, lines),
            *('' if key not in e else cell(e, key, digits)
              for key, digits in (('share', 0), ('kernels', 0), ('copies', 0),
                                  ('launches', 0), ('gib', 2),
                                  ('reserved', 2))),
            e.get('remark', '')
        ])
    head = [
        'training', 'row', 'ms', 'to the graph', 'to before, or to bare',
        'GPU busy %', 'kernels', 'copies', 'launches', 'peak GiB',
        'reserved GiB', ''
    ]
    return page(
        'Training steps', args.device,
        'Recipes with random weights, bfloat16, drop path and mixed clips as '
        'they say; data that costs nothing. Hand-made: forward, loss, '
        'backward and fused AdamW on one waiting batch, the median of windows '
        f'of {LOOP} steps; through the runner: everything between two steps, '
        'the median of windows of 20, each with a line of the log. Per step '
        'of a profile besides: kernels and copies on the GPU, and launches by '
        'the host, a graph counted as one. GPU busy: time with a kernel or '
        'copy under way. Reserved: by the allocator, graphs included.',
        table(head, rows), command)


def main(arguments: Optional[List[str]] = None) -> None:
    """Measure the rows, and write and print the table."""
    start = time.monotonic()
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument(
        '--before',
        type=Path,
        help='folder of an older checkout, best named by the commit')
    parser.add_argument('--only', nargs='+', choices=list(CASES))
    parser.add_argument(
        '--compare',
        nargs='+',
        choices=list(CASES),
        help='cases of the older checkout; default: all')
    parser.add_argument('--rows', nargs='+', choices=ROWS, default=ROWS)
    parser.add_argument(
        '--compiled',
        nargs='*',
        choices=list(CASES),
        default=list(CASES)[:2],
        help='cases that are compiled, which takes long')
    parser.add_argument('--workers', type=int, default=0, help='of loaders')
    parser.add_argument(
        '--layers',
        type=int,
        help='of each model, fewer than in the recipe: compilations take '
        'minutes')
    add_options(parser, 200., 'row')
    parser.add_argument(
        '--lines', action='store_true', help='print rows as JSON, no table')
    args = parser.parse_args(arguments)
    MMLogger.get_instance('training_step', log_level='ERROR')
    names = args.only or list(CASES)
    bench, lines = Bench(args), []

    def note(line: Line) -> None:
        lines.append(line)
        print(json.dumps(line) if args.lines else line, flush=True)
        if not (args.lines or args.tiny):
            args.out.mkdir(parents=True, exist_ok=True)
            (args.out / 'training_step.md').write_text(report(args, lines))

    if args.before is not None:
        for line in older(args, args.compare or names, 0.45 * args.budget):
            note(line)
    for name, row in chosen(args, names):
        entry: Entry = dict(note='not run: no time left')
        if time.monotonic() - start < args.budget:
            case = CASES[name]
            entry = bench.row(
                case._replace(clips=min(case.clips, 2)) if args.tiny else case,
                row)
        note(Line(name, row, entry))
    if not args.lines:
        print('\n' + report(args, lines))


if __name__ == '__main__':
    main()
