"""Measure memory and speed of trainings, by model, clip length and batch.

    python benchmarks/training_memory.py --device cpu
    python benchmarks/training_memory.py --device cuda

A case is MODEL-FRAMES-CLIPS-HOW-PRECISION, such as tiny-8-1-train-float32:
tiny, small, middle and base at 224 px, micro (the quickstart's) at 48 px. HOW
is 'train', the recipe for own videos through mmengine's runner with all hooks,
on clips without a cost; 'train-cp', with checkpoint_layers for all blocks;
'train-frozen', with frozen_stages for all blocks; or 'infer', a forward pass.

On a CPU each case has its own process, and memory is the peak of the resident
set. On a GPU one process runs all cases. Memory is the peak of the reserve of
the allocator, CUDA graphs included; the cache is emptied between cases. The
peak of allocated tensors, 'gib', is stored too. The first case of a model
compiles kernels.

Entries are kept in OUT/which_model_DEVICE.json; both files make the tables of
OUT/which_model.md. ``mmvideomamba.analysis.estimate_training_memory`` computes
sizes without a measurement; training_memory_fit.py fits the constants.
"""
import argparse
import gc
import json
import os
import subprocess
import sys
import tempfile
import time
from contextlib import redirect_stdout
from functools import partial
from io import StringIO
from itertools import count
from pathlib import Path
from statistics import median
from typing import Any, Iterator, List, Optional

import mmvideomamba  # isort: skip  # noqa: F401  heals the host, goes first
import torch
from cpu_models import cpu_name
from gpu_common import Entry, Results
from mmaction.structures import ActionDataSample
from mmengine.hooks import Hook
from mmengine.registry import HOOKS, MODELS, init_default_scope
from mmengine.runner import Runner
from recipe_parts import make_short
from synthetic_training import HighestPeaks, gaps, mark
from training_memory_cases import MODELS_ZOO, PRECISIONS, Case, recipe
from training_memory_table import paste, write

GIB = 2**30
CPU_CASES = ('micro-8-8-train-float32', 'micro-8-1-train-float32',
             'micro-64-8-train-float32', 'tiny-8-1-train-float32',
             'tiny-8-2-train-float32', 'tiny-32-1-train-float32',
             'tiny-8-2-train-cp-float32', 'tiny-8-2-train-frozen-float32',
             'small-8-1-train-float32', 'middle-8-1-train-float32',
             'base-8-1-train-float32', 'micro-8-1-infer-float32',
             'tiny-8-1-infer-float32', 'tiny-64-1-infer-float32',
             'small-8-1-infer-float32', 'middle-8-1-infer-float32',
             'base-8-1-infer-float32')


def gpu_cases() -> Iterator[str]:
    """Yield the cases of a GPU, the most needed of a fit first."""
    low_first = PRECISIONS[::-1]
    for size in ('8-8', '64-8', '8-1', '64-1'):
        yield from (f'tiny-{size}-train-{x}' for x in low_first)
    for how in ('64-8-train-cp', '8-8-train-cp', '64-8-train-frozen'):
        yield from (f'tiny-{how}-{precision}' for precision in low_first)
    others = [x for x in MODELS_ZOO if x != 'tiny']
    for precision in low_first:
        yield from (f'{x}-8-8-train-{precision}' for x in others)
    for precision in low_first:
        yield from (f'{x}-8-1-infer-{precision}' for x in MODELS_ZOO)
    yield from (f'{x}-64-1-train-bfloat16' for x in MODELS_ZOO[2:])
    for size in ('16-8', '32-8'):
        yield from (f'tiny-{size}-train-{x}' for x in low_first)


def timing(marks: List[Any], work: List[float]) -> Entry:
    """Return the times of steps; other programs only slow steps down.

    Args:
        marks (list): Moments of the device, before and after each step.
        work (list[float]): Seconds of all cores, at the same moments.

    Returns:
        dict: ``ms`` of the best step, ``median`` and ``core_seconds``.
    """
    times = gaps(marks)
    cores = [after - before for before, after in zip(work, work[1:])]
    return dict(ms=min(times), median=median(times), core_seconds=min(cores))


@HOOKS.register_module()
class StepClock(Hook):
    """Note the beginning of each step, and end the training after the last.

    Args:
        warm_up (int): Steps before the timed steps.
        steps (int): Timed steps.
    """
    # Before the host's log, which resets the peaks of memory.
    priority = 'VERY_HIGH'
    # Of the last training of the process.
    found: Entry = {}

    def __init__(self, warm_up: int, steps: int) -> None:
        self.warm_up, self.steps = warm_up, steps
        self.marks: List[Any] = []
        self.work: List[float] = []
        self.peaks = HighestPeaks()

    def before_train_iter(self,
                          runner: Runner,
                          batch_idx: int,
                          data_batch: Any = None) -> None:
        """Note the time, and stop after the last step."""
        device = next(runner.model.parameters()).device
        if batch_idx >= self.warm_up:
            self.marks.append(mark(device))
            self.work.append(time.process_time())
        if batch_idx == self.warm_up + self.steps:
            if device.type == 'cuda':
                torch.cuda.synchronize()
            StepClock.found = dict(
                timing(self.marks, self.work), **self.peaks.found)

    def after_train_iter(self,
                         runner: Runner,
                         batch_idx: int,
                         data_batch: Any = None,
                         outputs: Optional[dict] = None) -> None:
        """Note the peaks of memory, outside of the timed steps."""
        if batch_idx < self.warm_up or batch_idx == (self.warm_up +
                                                     self.steps - 1):
            self.peaks.note()

    def after_train_epoch(self, runner: Runner) -> None:
        """End the training."""
        runner.train_loop.stop_training = True


def train(case: Case, args: argparse.Namespace, numbers: Iterator) -> Entry:
    """Train by the recipe's runner.

    Args:
        case (Case): The case.
        args (argparse.Namespace): Command line.
        numbers (Iterator): Names of working folders.
    """
    cfg = recipe(case, args.device)
    warm_up, steps = (1, args.steps) if args.device == 'cpu' else (10, 10)
    backbone = cfg.model.backbone
    for part in ('sampler', 'collate_fn', 'dataset'):
        cfg.train_dataloader.pop(part, None)
    cfg.train_dataloader.update(
        sampler=dict(type='DefaultSampler', shuffle=True),
        collate_fn=dict(type='pseudo_collate'),
        dataset=dict(
            type='SyntheticClips',
            length=(warm_up + steps + 1) * case.clips,
            frames=case.frames,
            side=backbone.img_size,
            classes=cfg.model.cls_head.num_classes))
    clock = dict(type='StepClock', warm_up=warm_up, steps=steps)
    with tempfile.TemporaryDirectory() as folder:
        make_short(cfg,
                   Path(folder) / f'{next(numbers)}', 'synthetic_training',
                   clock)
        cfg.default_hooks.pop('visualization', None)
        cfg.visualizer = dict(type='Visualizer')
        with redirect_stdout(StringIO()):  # the log
            Runner.from_cfg(cfg).train()
    return StepClock.found


def infer(case: Case, args: argparse.Namespace) -> Entry:
    """Predict the class of clips.

    Args:
        case (Case): The case.
        args (argparse.Namespace): Command line.
    """
    cfg = recipe(case, args.device)
    init_default_scope(cfg.default_scope)
    model = MODELS.build(cfg.model).to(args.device).eval()
    side = cfg.model.backbone.img_size
    clip = torch.randint(
        256, (1, 3, case.frames, side, side), dtype=torch.uint8)
    data = dict(
        inputs=[clip] * case.clips,
        data_samples=[ActionDataSample() for _ in range(case.clips)])
    marks, work = [], []
    steps = args.steps if args.device == 'cpu' else 10
    low = case.precision == 'bfloat16'
    autocast = torch.autocast(args.device, torch.bfloat16, enabled=low)
    device = torch.device(args.device)
    with torch.inference_mode(), autocast:
        for number in range(1 + steps):
            if number:
                marks.append(mark(device))
                work.append(time.process_time())
            model.test_step(data)
        marks.append(mark(device))
        work.append(time.process_time())
    if device.type == 'cuda':
        torch.cuda.synchronize()
    found = HighestPeaks()
    found.note()
    return dict(timing(marks, work), **found.found)


def resident_peak() -> float:
    """Return the peak of the resident set of the process, in GiB."""
    for line in Path('/proc/self/status').read_text().splitlines():
        if line.startswith('VmHWM:'):
            return int(line.split()[1]) * 1024 / GIB
    raise OSError('/proc/self/status has no VmHWM; the peak of resident '
                  'memory is read on Linux')


def measure(case: Case, args: argparse.Namespace, numbers: Iterator) -> Entry:
    """Run a case in the present process.

    Args:
        case (Case): The case.
        args (argparse.Namespace): Command line.
        numbers (Iterator): Names of working folders.

    Returns:
        dict: ``ms`` of the best step, ``median``, and ``gib``; on a CPU
        ``start``, resident before the case, on a GPU ``reserved``, ``held``,
        reserved before the case, and ``context``, GiB of the device besides
        the allocator.
    """
    on_gpu = args.device != 'cpu'
    gc.collect()
    if on_gpu:
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
        start = dict(held=torch.cuda.memory_reserved() / GIB)
    else:
        start = dict(start=resident_peak())
    try:
        entry = (
            infer(case, args) if case.how == 'infer' else train(
                case, args, numbers))
    except torch.OutOfMemoryError:
        return dict(note='out of memory')
    if not on_gpu:
        return dict(entry, **start, gib=resident_peak())
    free, total = torch.cuda.mem_get_info()
    context = (total - free - torch.cuda.memory_reserved()) / GIB
    return dict(entry, **start, context=context)


def children(args: argparse.Namespace, cases: List[str],
             end: float) -> Iterator[Entry]:
    """Run each case in a process, and yield the entries in order.

    Args:
        args (argparse.Namespace): Command line.
        cases (list[str]): The cases.
        end (float): Moment of the last beginning of a case.
    """
    # Waiting threads that spin take turns on a busy machine.
    environment = dict(os.environ, OMP_WAIT_POLICY='PASSIVE')
    for case in cases:
        if time.monotonic() > end:
            return
        command = [
            sys.executable, __file__, '--device', args.device, '--steps',
            str(args.steps), '--child', '--cases', case
        ]
        job = subprocess.run(
            command, env=environment, stdout=subprocess.PIPE, text=True)
        lines = [x for x in job.stdout.splitlines() if x.startswith('{"case"')]
        if lines:
            yield json.loads(lines[0])
        else:
            note = f'ended with exit code {job.returncode}'
            yield dict(case=case, note=note)


def in_turn(args: argparse.Namespace, cases: List[str],
            end: float) -> Iterator[Entry]:
    """Run cases in the present process, and yield the entries in order.

    Args:
        args (argparse.Namespace): Command line.
        cases (list[str]): The cases.
        end (float): Moment of the last beginning of a case.
    """
    numbers = count()
    for case in cases:
        if time.monotonic() > end:
            return
        yield dict(case=case, **measure(Case.parse(case), args, numbers))


def parse_args(arguments: Optional[List[str]]) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--device', choices=('cpu', 'cuda'), default='cpu')
    parser.add_argument(
        '--cases',
        nargs='+',
        metavar='CASE',
        help='MODEL-FRAMES-CLIPS-HOW-PRECISION; default: cases of the table')
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('benchmarks/results'),
        help='folder of the results; entries of an earlier run are kept')
    parser.add_argument(
        '--budget',
        type=float,
        help='seconds after which no case is begun; default: 130 on a GPU, '
        '600 on a CPU')
    parser.add_argument(
        '--steps', type=int, default=3, help='timed steps of a case')
    parser.add_argument(
        '--render',
        action='store_true',
        help='measure nothing; write the table of stored results again')
    parser.add_argument(
        '--docs',
        type=Path,
        help='page that gets the table, such as docs/which_model.md')
    parser.add_argument('--child', action='store_true', help=argparse.SUPPRESS)
    args = parser.parse_args(arguments)
    on_cpu = args.device == 'cpu'
    args.cases = args.cases or (CPU_CASES if on_cpu else [*gpu_cases()])
    args.budget = args.budget or (600. if on_cpu else 130.)
    for text in args.cases:
        try:
            Case.parse(text)
        except ValueError as error:
            parser.error(f'--cases {error}')
    return args


def main(arguments: Optional[List[str]] = None) -> None:
    """Measure cases, and write and print the table."""
    args = parse_args(arguments)
    end = time.monotonic() + args.budget
    if args.child:
        for entry in in_turn(args, args.cases, end):
            print(json.dumps(entry), flush=True)
        return
    if not args.render:
        results = Results(args.out / f'which_model_{args.device}.json',
                          ('case', ), args.device)
        results.about.update(
            processor=cpu_name(),
            threads=torch.get_num_threads(),
            processors=os.cpu_count())
        run = children if args.device == 'cpu' else in_turn
        for entry in run(args, list(args.cases), end):
            case = entry.pop('case')
            results.run(partial(dict, entry), case=case)
    text = write(args.out)
    print(text)
    if args.docs is not None:
        paste(text, args.docs)


if __name__ == '__main__':
    main()
