"""Time the training data of Kinetics-400, on one core.

    python benchmarks/data_pipeline.py --before FOLDER --out results.md

All pipelines read the same videos, in turns on one core: the recipe's with
the augmentation in the workers, and what is left to a worker with the
augmentation on the device, on originals and on a copy by
tools/data/prepare_videos.py; with --before, the recipe of an older checkout in
another process; and mmaction2's UniFormerV2 config, where pytorchvideo and
decord are installed. A folder of a commit comes from

    git archive COMMIT mmvideomamba configs setup.cfg | tar x -C FOLDER

Counted are clips per second of processor time, and other load on the machine
does not show. For several copies of a video all pipelines decode
once. Joining clips to a batch and handing a batch to the training are not
counted.
"""
import argparse
import json
import os
import platform
import random
import shlex
import subprocess
import sys
import tempfile
import time
from collections import defaultdict
from importlib.util import find_spec
from pathlib import Path
from statistics import median
from typing import Any, Callable, Dict, Iterator, List, NamedTuple, Optional

from wrapped_page import wrapped

# Ahead, as what an older checkout puts in the place of a module of torchvision
# for pytorchvideo would load torchvision at a bad moment.
import torchvision.transforms.v2  # isort: skip  # noqa: F401
import mmvideomamba  # isort: skip  # heals the hosts, goes before them
import cv2
import mmaction
import numpy as np
import torch
from cpu_models import cpu_name
from gpu_common import table
from made_videos import KINETICS, SMALL, make_videos, sizes, write_list
from mmaction.registry import DATASETS
from mmengine.config import Config
from mmengine.registry import init_default_scope
from pipeline_kinds import NEEDED, on_device, prepared_copy, uniformer

RECIPE = ('recognition/kinetics400/'
          'videomamba-small_in1k-pre_8xb64-u8-50e_kinetics400-rgb.py')
BEFORE = 'before, augmentation in the workers'
WORKERS = 'augmentation in the workers'
DEVICE = 'augmentation on the device'
HOST = 'mmaction2 UniFormerV2'


class Row(NamedTuple):
    """A pipeline on some files.

    Args:
        pipeline (str): ``BEFORE``, ``WORKERS``, ``DEVICE`` or ``HOST``.
        files (str): 'originals' or 'prepared copy'.
        copies (int): Clips of a video.
    """
    pipeline: str
    files: str
    copies: int


ROWS = [
    Row(pipeline, files, copies)
    for pipeline, files in ((BEFORE, 'originals'), (WORKERS, 'originals'),
                            (DEVICE, 'originals'), (WORKERS, 'prepared copy'),
                            (DEVICE, 'prepared copy'), (HOST, 'originals'))
    for copies in (1, 2)
]


def build(row: Row, folder: Path) -> Any:
    """Build the data set of a row.

    Args:
        row (Row): The row; of ``BEFORE`` the package must be the older.
        folder (Path): With a folder of videos and ``train.csv`` and
            ``train.txt`` for each kind of files.

    Returns:
        Dataset: With the clips of a video as a sample.
    """
    init_default_scope('mmaction')
    root = str(folder / row.files.replace(' ', '_'))
    if row.pipeline == HOST:
        return DATASETS.build(uniformer(root, row.copies))
    configs = Path(mmvideomamba.__file__).resolve().parents[1] / 'configs'
    cfg = Config.fromfile(configs / RECIPE)
    data = cfg.train_dataloader.dataset
    data.update(
        data_root=root, data_prefix=dict(video=''), num_repeats=row.copies)
    found = DATASETS.build(data)
    if row.pipeline == DEVICE:
        on_device(found)
    return found


def clips_of(sample: Any) -> int:
    """Return the number of clips in a sample."""
    return len(sample) if isinstance(sample, list) else 1


def rate(data: Any) -> float:
    """Read all videos; clips per second of processor time."""
    start, clips = time.process_time(), 0
    for i in range(len(data)):
        clips += clips_of(data[i])
    return clips / (time.process_time() - start)


def timed(step: Callable, times: List[float]) -> Callable:
    """Wrap a step, to add the processor time to a list."""

    def run(results: dict) -> dict:
        start = time.process_time()
        results = step(results)
        times.append(time.process_time() - start)
        return results

    return run


def by_step(data: Any) -> Dict[str, float]:
    """Return the milliseconds of each step for a clip, mean of all videos."""
    times: Dict[str, List[float]] = defaultdict(list)
    steps, clips = data.pipeline.transforms, 0
    data.pipeline.transforms = [
        timed(step, times[type(step).__name__]) for step in steps
    ]
    for i in range(len(data)):
        clips += clips_of(data[i])
    data.pipeline.transforms = steps
    return {name: 1e3 * sum(t) / clips for name, t in times.items()}


class Reader:
    """Data sets of rows, measured when asked.

    Args:
        folder (Path): See ``build``.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.sets: Dict[Row, Any] = {}

    def ask(self, row: Row, what: str = 'rate', seed: int = 0) -> Any:
        """Measure a row.

        Args:
            row (Row): The row.
            what (str): 'rate' or 'steps'. Defaults to 'rate'.
            seed (int): Of the draws: some operations of RandAugment cost
                many times the processor time of others. Defaults to 0.

        Returns:
            float or dict: What ``rate`` or ``by_step`` finds.
        """
        if row not in self.sets:
            self.sets[row] = build(row, self.folder)
        random.seed(seed)
        np.random.seed(seed)
        torch.manual_seed(seed)
        return (rate if what == 'rate' else by_step)(self.sets[row])

    def serve(self) -> None:
        """Answer questions of the standard input, a line of JSON each."""
        for line in sys.stdin:
            row, *rest = json.loads(line)
            print('=' + json.dumps(self.ask(Row(*row), *rest)), flush=True)


class OlderReader:
    """A ``Reader`` of an older checkout, in another process.

    Args:
        checkout (Path): Folder of the checkout.
        folder (Path): See ``build``.
    """

    def __init__(self, checkout: Path, folder: Path) -> None:
        paths = [str(checkout.resolve()), os.environ.get('PYTHONPATH', '')]
        self.job = subprocess.Popen(
            [sys.executable, __file__, '--serve', '--folder',
             str(folder)],
            env=dict(
                os.environ, PYTHONPATH=os.pathsep.join(filter(None, paths))),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True)

    def ask(self, row: Row, what: str = 'rate', seed: int = 0) -> Any:
        """Measure a row, see ``Reader.ask``.

        Args:
            row (Row): The row.
            what (str): See ``Reader.ask``. Defaults to 'rate'.
            seed (int): See ``Reader.ask``. Defaults to 0.

        Raises:
            RuntimeError: If the process has ended.
        """
        assert self.job.stdin is not None and self.job.stdout is not None
        self.job.stdin.write(json.dumps([row, what, seed]) + '\n')
        self.job.stdin.flush()
        for line in self.job.stdout:
            if line.startswith('='):  # next to warnings of libraries
                return json.loads(line[1:])
        raise RuntimeError('the process of the older checkout ended')

    def close(self) -> None:
        """End the process, maybe ended already."""
        self.job.communicate()


class Turns:
    """Rows measured in turns.

    Args:
        now (Reader): Of this checkout.
        older (OlderReader, optional): Of an older checkout.
    """

    def __init__(self, now: Reader, older: Optional[OlderReader]) -> None:
        self.now, self.older = now, older
        self.rates: Dict[Row, List[float]] = {}
        self.steps: Dict[Row, Dict[str, float]] = {}
        self.notes: Dict[Row, str] = {}

    def _ask(self, row: Row, what: str = 'rate', seed: int = 0) -> Any:
        reader: Any = self.older if row.pipeline == BEFORE else self.now
        return reader.ask(row, what, seed)

    def run(self, rounds: int) -> None:
        """Measure all rows, after a round as a warm-up.

        Args:
            rounds (int): Turns of each row.
        """
        for row in ROWS:
            if row.pipeline == BEFORE and self.older is None:
                self.notes[row] = 'no older checkout given'
            missing = [x for x in NEEDED if find_spec(x) is None]
            if row.pipeline == HOST and missing:
                self.notes[row] = f'not installed: {", ".join(missing)}'
        for turn in range(rounds + 1):
            for row in [x for x in ROWS if x not in self.notes]:
                try:
                    found = self._ask(row, seed=turn)
                except Exception as error:
                    # A failure must not cost the other rows.
                    self.notes[row] = f'{type(error).__name__}: {error}'
                    continue
                if turn:
                    self.rates.setdefault(row, []).append(found)
        for row in self.rates:
            if row.copies > 1:
                self.steps[row] = self._ask(row, 'steps')

    def ratio(self, row: Row) -> str:
        """Return the median of the ratios to the older checkout's row."""
        base = self.rates.get(Row(BEFORE, 'originals', row.copies))
        if not base:
            return ''
        pairs = zip(self.rates[row], base)
        return f'{median(mine / other for mine, other in pairs):.2f}'

    def lines(self) -> Iterator[List[str]]:
        """Yield the lines of the table."""
        for row in ROWS:
            cells = [row.pipeline, row.files, str(row.copies)]
            if row not in self.rates:
                yield [*cells, self.notes.get(row, ''), '']
                continue
            x = self.rates[row]
            yield [
                *cells, f'{median(x):.2f} ({min(x):.2f}, {max(x):.2f})',
                self.ratio(row)
            ]

    def step_lines(self) -> Iterator[List[str]]:
        """Yield the lines of the table of steps."""
        names = list(dict.fromkeys(n for x in self.steps.values() for n in x))
        for name in names:
            yield [
                name, *(f'{x[name]:.1f}' if name in x else ''
                        for x in self.steps.values())
            ]


def report(turns: Turns, args: argparse.Namespace, originals: Path,
           copy: Path) -> str:
    """Return the page with the tables."""
    command = shlex.join(sys.argv)
    for path in filter(None, (args.before, args.folder, args.out)):
        command = command.replace(str(path), path.name)
    old, new = sizes(originals), sizes(copy)
    kind = SMALL if args.tiny else KINETICS
    columns = [f'{x.pipeline}, {x.files}' for x in turns.steps]
    return '\n'.join([
        '# Training data, by core', '', f'    python {command}', '',
        f'{cpu_name()}, one core; mmvideomamba {mmvideomamba.__version__}, '
        f'mmaction2 {mmaction.__version__}, torch {torch.__version__}, '
        f'OpenCV {cv2.__version__}, Python {platform.python_version()}; '
        f'{time.strftime("%Y-%m-%d")}. {args.videos} videos: {kind.words()}, '
        f'{old["mb"]:.2f} MB each; in the prepared copy '
        f'{new["mb"]:.2f} MB ({new["mb"] / old["mb"]:.2f} times). 8 frames '
        'of 224 px per clip. Clips per second of processor time, median of '
        f'{args.rounds} rounds in turns (least and most); ratio: median of '
        'the ratios of each round to the older checkout with as many copies '
        'of a video; rows of a round draw with the same seed.', '',
        table(['pipeline', 'files', 'copies', 'clips/s/core', 'ratio'],
              list(turns.lines())), '',
        'Processor time by step with 2 copies of a video, milliseconds for a '
        'clip:', '',
        table(['step', *columns], list(turns.step_lines())), ''
    ])


def measure(folder: Path, args: argparse.Namespace) -> str:
    """Make the videos, measure, and return the page."""
    originals, copy = folder / 'originals', folder / 'prepared_copy'
    names = make_videos(originals, args.videos,
                        SMALL if args.tiny else KINETICS, args.encoders)
    write_list(originals / 'train.csv', names)
    write_list(originals / 'train.txt', names, ' ')
    prepared_copy(originals, copy, args.encoders)
    if hasattr(os, 'sched_setaffinity'):
        os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
    older = OlderReader(args.before, folder) if args.before else None
    turns = Turns(Reader(folder), older)
    turns.run(args.rounds)
    if older is not None:
        older.close()
    return report(turns, args, originals, copy)


def main(arguments: Optional[List[str]] = None) -> None:
    """Parse the command line, measure and print."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--videos', type=int, default=8)
    parser.add_argument('--rounds', type=int, default=5)
    parser.add_argument('--folder', type=Path, help='keeps the videos')
    parser.add_argument(
        '--before', type=Path, help='folder of an older checkout')
    parser.add_argument(
        '--encoders', type=int, default=1, help='processes that make videos')
    parser.add_argument('--tiny', action='store_true', help='small videos')
    parser.add_argument('--out', type=Path, help='Markdown file to write')
    parser.add_argument('--serve', action='store_true', help='internal')
    args = parser.parse_args(arguments)
    cv2.setNumThreads(0)
    torch.set_num_threads(1)
    if args.serve:
        Reader(args.folder).serve()
        return
    with tempfile.TemporaryDirectory() as temporary:
        folder = (args.folder or Path(temporary)).resolve()
        page = wrapped(measure(folder, args))
    print(page)
    if args.out:
        args.out.parent.mkdir(parents=True, exist_ok=True)
        args.out.write_text(page)


if __name__ == '__main__':
    main()
