"""Kill and preempt a training many times, and compare the last weights.

Three trainings of a config run at the same time: one without interruption, one
interrupted by SIGKILL, and one by SIGTERM and SIGUSR1, again and again at
moments drawn from a seed. Some of the moments lie within a save, some within a
validation. Each start goes on with --resume. The last checkpoints must hold
the same weights, optimizer and schedulers, bit by bit, and the best
checkpoints the same weights.

    python tests/faults/long_run.py --kills 50 --preemptions 20 \
        --report tests/faults/long_run.md
"""
import argparse
import json
import os
import platform
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Sequence

import torch

ROOT = Path(__file__).parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / 'tests')]

from nested import differences  # noqa: E402

import mmvideomamba  # noqa: E402, heals the reader of checkpoints
from mmvideomamba.atomic_file import DRAFT  # noqa: E402
from mmvideomamba.checkpoints import read_checkpoint  # noqa: E402
from mmvideomamba.exit_codes import PREEMPTED  # noqa: E402

CONFIG = 'configs/quickstart/videomamba-micro_1xb8-u8-25e_quickstart-rgb.py'
OPTIONS = [
    'default_hooks.checkpoint.by_epoch=False',
    'default_hooks.checkpoint.interval=20', 'train_cfg.val_interval=1'
]
# Sums of several threads depend on how a loaded machine divides the work.
ONE_THREAD = dict(OMP_NUM_THREADS='1', MKL_NUM_THREADS='1')
COMPARED = ('state_dict', 'optimizer', 'param_schedulers')
STAGES = ('anywhere', 'save', 'validation')


class Process(NamedTuple):
    """A started training.

    Args:
        pid (int): Process.
        running (Callable): Tells whether the training still runs.
        printed (Callable): Returns all output so far.
        wait (Callable): Returns the exit status, as of ``subprocess``.
    """
    pid: int
    running: Callable[[], bool]
    printed: Callable[[], str]
    wait: Callable[[], int]


def start_fresh(arguments: Sequence[str], folder: Path) -> Process:
    """Start a fresh interpreter in the root of the project.

    Args:
        arguments (Sequence[str]): Script and options.
        folder (Path): For the output.

    Returns:
        Process: The training.
    """
    output = folder.with_suffix('.log')
    with output.open('a') as file:
        process = subprocess.Popen([sys.executable, *arguments],
                                   cwd=ROOT,
                                   stdout=file,
                                   stderr=subprocess.STDOUT,
                                   env=dict(
                                       os.environ,
                                       PYTHONPATH=str(ROOT),
                                       **ONE_THREAD))
    begin = output.stat().st_size

    def printed() -> str:
        with output.open('rb') as file:
            file.seek(begin)
            return file.read().decode(errors='replace')

    return Process(process.pid, lambda: process.poll() is None, printed,
                   process.wait)


class Moment(NamedTuple):
    """When a signal is sent.

    Args:
        stage (str): Of ``STAGES``.
        delay (float): Seconds after the beginning of the stage.
        number (int): Saves or validations before the signal.
        signal (signal.Signals): The signal.
    """
    stage: str
    delay: float
    number: int
    signal: signal.Signals


def draw_moment(draws: random.Random,
                stage: str,
                span: float,
                signals: Sequence[signal.Signals],
                passed: int = 3) -> Moment:
    """Draw when and by which signal a training is interrupted.

    Args:
        draws (random.Random): Source.
        stage (str): Of ``STAGES``.
        span (float): Longest delay in training, seconds.
        signals (Sequence[signal.Signals]): To choose from.
        passed (int): Most saves or validations before the signal. Defaults to
            3.

    Returns:
        Moment: The moment.
    """
    limit = dict(anywhere=span, save=0.003, validation=1.)[stage]
    return Moment(stage, draws.uniform(0, min(limit, span)),
                  draws.randint(0, passed), draws.choice(list(signals)))


class Interrupted:
    """A training that is started, interrupted and resumed until the end.

    Args:
        config (str): Path of the config.
        work_dir (Path): Working folder.
        options (Sequence[str]): For ``--cfg-options``.
        start (Callable): Starts a script, see ``start_fresh``.
    """

    def __init__(
            self,
            config: str,
            work_dir: Path,
            options: Sequence[str] = (),
            start: Callable[[Sequence[str], Path],
                            Process] = start_fresh) -> None:
        self.config, self.work_dir, self.start = config, work_dir, start
        self.options = list(options)
        self.rows: List[Dict[str, Any]] = []

    def begin(self) -> Process:
        """Start the training, or go on with it."""
        arguments = [
            str(ROOT / 'tools/train.py'), self.config, '--work-dir',
            str(self.work_dir), '--resume'
        ]
        if self.options:
            arguments += ['--cfg-options', *self.options]
        return self.start(arguments, self.work_dir)

    def finish(self) -> None:
        """Run to the end.

        Raises:
            RuntimeError: If the training ends with an error.
        """
        process = self.begin()
        status = process.wait()
        if status:
            raise RuntimeError(
                f'status {status}:\n{process.printed()[-4000:]}')

    def interrupt(self, moment: Moment) -> bool:
        """Start, interrupt at a moment, and note what happened.

        Args:
            moment (Moment): Stage, delay and signal.

        Returns:
            bool: False if the training ended before the moment.

        Raises:
            RuntimeError: If the training ends otherwise than by the signal.
        """
        process = self.begin()
        saving = False
        if self._await(process, moment):
            os.kill(process.pid, moment.signal)
            saving = self._begins(process, 'save')
        status = process.wait()
        if status == 0:
            return False
        killed = moment.signal == signal.SIGKILL
        if status != (-signal.SIGKILL if killed else PREEMPTED):
            raise RuntimeError(f'status {status} after {moment}:\n'
                               f'{process.printed()[-4000:]}')
        self.rows.append(
            dict(
                signal=moment.signal.name,
                aimed=moment.stage,
                hit='save' if saving else 'validation'
                if in_validation(process.printed()) else 'training',
                iteration=_last(r'iter(?:ation)?[_ s]*(\d+)',
                                process.printed())))
        return True

    def _await(self, process: Process, moment: Moment) -> bool:
        """Wait for the moment; tell whether the training still runs."""
        passed = 0
        while process.running():
            if self._begins(process, moment.stage):
                passed += 1
                if moment.stage == 'anywhere' or passed > moment.number:
                    time.sleep(moment.delay)
                    return process.running()
                while process.running() and self._begins(
                        process, moment.stage):
                    pass
            if moment.stage != 'save':
                time.sleep(0.01)
        return False

    def _begins(self, process: Process, stage: str) -> bool:
        """Tell whether a stage has begun."""
        if stage == 'save':
            return any(self.work_dir.glob(f'*{DRAFT}'))
        if stage == 'validation':
            return in_validation(process.printed())
        return 'Checkpoints will be saved to' in process.printed()


def in_validation(printed: str) -> bool:
    """Tell from the output whether a training is in its validation.

    Args:
        printed (str): Output so far.

    Returns:
        bool: Whether an epoch of training has ended, and no metrics came.
    """
    lines = re.findall(r'Epoch\((train|val)\)\s+\[\d+\]\[\s*(\d+)/(\d+)\](.*)',
                       printed)
    if not lines:
        return False
    kind, batch, size, rest = lines[-1]
    return (kind
            == 'train') == (batch
                            == size) and not (kind == 'val' and 'acc/' in rest)


def _last(pattern: str, text: str) -> Optional[int]:
    """Return the last number of a pattern in a text."""
    found = re.findall(pattern, text)
    return int(found[-1]) if found else None


def last_checkpoint(work_dir: Path) -> Dict[str, Any]:
    """Read the checkpoint of a training's end.

    Args:
        work_dir (Path): Working folder.

    Returns:
        dict: The checkpoint.
    """
    return read_checkpoint(work_dir / Path(
        (work_dir / 'last_checkpoint').read_text()).name)


def compare(work_dir: Path, whole: Path) -> List[str]:
    """List differences of two trainings at their ends.

    Args:
        work_dir (Path): Working folder.
        whole (Path): Working folder of the uninterrupted training.

    Returns:
        list[str]: Names of weights and states, empty for equal trainings.
    """
    one, other = last_checkpoint(work_dir), last_checkpoint(whole)
    found = [
        x for part in COMPARED
        for x in differences(one[part], other[part], part)
    ]
    best = [sorted(x.glob('best_*.pth')) for x in (work_dir, whole)]
    names = [[path.name for path in paths] for paths in best]
    found += differences(names[0], names[1], 'names of the best')
    for a, b in zip(*best):
        found += differences(
            read_checkpoint(a)['state_dict'],
            read_checkpoint(b)['state_dict'], a.name)
    return found


def interrupt_often(training: Interrupted,
                    count: int,
                    draws: random.Random,
                    signals: Sequence[signal.Signals],
                    span: float,
                    fresh: Callable[[], None],
                    passed: int = 3) -> int:
    """Interrupt until enough is counted, then finish.

    Args:
        training (Interrupted): The training.
        count (int): Interruptions.
        draws (random.Random): Source of the moments.
        signals (Sequence[signal.Signals]): To choose from.
        span (float): Longest delay in training, seconds.
        fresh (Callable): Checks a training that has ended and empties the
            working folder.
        passed (int): See ``draw_moment``. Defaults to 3.

    Returns:
        int: Trainings from the beginning to the end.
    """
    ended = 0
    kinds = [STAGES[i % 3] for i in range(count)]
    draws.shuffle(kinds)
    while kinds:
        moment = draw_moment(draws, kinds[-1], span, signals, passed)
        if training.interrupt(moment):
            kinds.pop()
            print(json.dumps(training.rows[-1]), flush=True)
            continue
        ended += 1
        fresh()
    training.finish()
    fresh()
    return ended + 1


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--config', default=CONFIG)
    parser.add_argument('--kills', type=int, default=50)
    parser.add_argument('--preemptions', type=int, default=20)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--span', type=float, default=25, help='longest delay, in seconds')
    parser.add_argument('--cfg-options', nargs='*', default=OPTIONS)
    parser.add_argument('--work-dir', type=Path, default='work_dirs/long_run')
    parser.add_argument('--report', type=Path)
    return parser.parse_args()


def report(args: argparse.Namespace, parts: Dict[str, Interrupted],
           ended: Dict[str, int]) -> str:
    """Write the findings down.

    Args:
        args (argparse.Namespace): Of the command line.
        parts (dict[str, Interrupted]): Trainings by name.
        ended (dict[str, int]): Complete trainings by name.

    Returns:
        str: Markdown.
    """
    options = ' '.join(args.cfg_options)
    lines = [
        '# Interrupted trainings end with the weights of uninterrupted ones',
        '', f'`python tests/faults/long_run.py --kills {args.kills} '
        f'--preemptions {args.preemptions} --seed {args.seed} --report '
        f'{args.report}`', '',
        f'{args.config} with `{options}`; torch {torch.__version__}, '
        f'mmvideomamba {mmvideomamba.__version__}, Python '
        f'{platform.python_version()}, {platform.machine()}, one thread; '
        f'{time.strftime("%Y-%m-%d")}.', '',
        '| interrupted by | times | in training | in a save | in a validation '
        '| trainings to the end | other bits at the end |', '|---' * 7 + '|'
    ]
    for name, part in parts.items():
        hits = Counter(row['hit'] for row in part.rows)
        lines.append(f'| {name} | {len(part.rows)} | {hits["training"]} | '
                     f'{hits["save"]} | {hits["validation"]} | {ended[name]} '
                     '| none |')
    lines += [
        '', 'Compared at the end of each training: weights, optimizer and '
        'schedulers of the last checkpoint, name and weights of the best one.'
        ' "In a save": a file was unfinished at the signal.', ''
    ]
    return '\n'.join(lines)


def main() -> None:
    """Run the whole, the killed and the preempted trainings."""
    args = parse_args()
    shutil.rmtree(args.work_dir, ignore_errors=True)
    args.work_dir.mkdir(parents=True)
    whole = args.work_dir / 'whole'
    parts, ended = {}, {}
    kinds = dict(SIGKILL=(args.kills, [signal.SIGKILL]))
    kinds['SIGTERM, SIGUSR1'] = (args.preemptions,
                                 [signal.SIGTERM, signal.SIGUSR1])
    with ThreadPoolExecutor(3) as threads:
        training = Interrupted(args.config, whole, args.cfg_options)
        complete = threads.submit(training.finish)
        for name, (count, signals) in kinds.items():
            work_dir = args.work_dir / name.split(',')[0].lower()

            def fresh(work_dir: Path = work_dir) -> None:
                complete.result()
                found = compare(work_dir, whole)
                if found:
                    raise SystemExit(f'{work_dir} differs: {found}')
                print(f'{work_dir}: the same bits', flush=True)
                shutil.rmtree(work_dir)

            parts[name] = Interrupted(args.config, work_dir, args.cfg_options)
            ended[name] = threads.submit(interrupt_often, parts[name], count,
                                         random.Random(f'{args.seed} {name}'),
                                         signals, args.span, fresh)
    text = report(args, parts, {k: v.result() for k, v in ended.items()})
    print(text)
    if args.report:
        args.report.write_text(text)


if __name__ == '__main__':
    main()
