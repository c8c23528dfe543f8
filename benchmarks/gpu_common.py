"""What the GPU benchmarks share: timing, and results that survive a stop."""
import argparse
import gc
import importlib.metadata
import json
import os
import platform
import shlex
import statistics
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

import torch
from cpu_models import cpu_name
from wrapped_page import wrapped

import mmvideomamba

WARM_UP = 2
# A slow entry may end before all repeats, but not before these.
LEAST_RUNS = 3

Entry = Dict[str, Any]


def parse(parser: argparse.ArgumentParser) -> argparse.Namespace:
    """Add the common options to a parser and parse the command line."""
    parser.add_argument(
        '--out',
        type=Path,
        default=Path('benchmarks/results'),
        help='folder of the results; entries of an earlier run are kept')
    parser.add_argument('--repeat', type=int, default=10, help='timed runs')
    parser.add_argument(
        '--budget',
        type=float,
        default=3.,
        help=f'seconds of timed runs per entry; at least {LEAST_RUNS} runs')
    parser.add_argument('--device', default='cuda')
    parser.add_argument(
        '--tiny', action='store_true', help='tiny sizes, to try the script')
    parser.add_argument(
        '--backends', nargs='+', default=['triton', 'mamba_ssm'])
    parser.add_argument(
        '--render',
        action='store_true',
        help='measure nothing; write the tables of stored results again')
    return parser.parse_args()


class Clock:
    """Measure runs on a device.

    Args:
        args (argparse.Namespace): ``device``, ``repeat`` and ``budget``.
    """

    def __init__(self, args: argparse.Namespace) -> None:
        self.device = torch.device(args.device)
        self.repeat, self.budget = args.repeat, args.budget

    def once(self, run: Callable) -> float:
        """Return the milliseconds of one run."""
        if self.device.type != 'cuda':
            start = time.perf_counter()
            run()
            return 1e3 * (time.perf_counter() - start)
        events = [torch.cuda.Event(enable_timing=True) for _ in range(2)]
        events[0].record()
        run()
        events[1].record()
        torch.cuda.synchronize()
        return events[0].elapsed_time(events[1])

    def measure(self, run: Callable) -> Entry:
        """Return median milliseconds, their number, and peak memory."""
        for _ in range(WARM_UP):
            self.once(run)
        if self.device.type == 'cuda':
            torch.cuda.reset_peak_memory_stats()
        times: List[float] = []
        start = time.perf_counter()
        while len(times) < self.repeat and (len(times) < LEAST_RUNS
                                            or time.perf_counter() - start
                                            < self.budget):
            times.append(self.once(run))
        entry = dict(ms=statistics.median(times), runs=len(times))
        if self.device.type == 'cuda':
            entry['gib'] = torch.cuda.max_memory_allocated() / 2**30
        return entry

    def free(self) -> None:
        """Give freed memory back to the device."""
        gc.collect()
        if self.device.type == 'cuda':
            torch.cuda.empty_cache()


def device_name(device: str) -> str:
    """Return the name of a GPU or the kind of a processor."""
    if torch.device(device).type == 'cuda':
        return torch.cuda.get_device_name(device)
    return platform.machine()


def versions() -> Dict[str, str]:
    """Return the versions that results depend on."""
    found = dict(
        mmvideomamba=mmvideomamba.__version__,
        torch=torch.__version__,
        Python=platform.python_version())
    for name in ('triton', 'mamba_ssm', 'causal_conv1d', 'mmaction2'):
        try:
            found[name] = importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            pass
    return found


class Results:
    """Entries, written to a JSON file one by one.

    An entry is a dictionary; ``keys`` tell which one it replaces. Entries
    stored by an earlier run on the same device and versions are kept.

    Args:
        path (Path): The JSON file.
        keys (tuple[str]): Names of the identifying values.
        device (str): Device that is measured.
        render (bool): Take what is stored, wherever it was measured.
            Defaults to False.
    """

    def __init__(self,
                 path: Path,
                 keys: Tuple[str, ...],
                 device: str,
                 render: bool = False) -> None:
        self.path, self.keys = path, keys
        command = 'python ' + ' '.join(sys.argv)
        self.about: Entry = dict(device='', versions={}, dates=[], commands=[])
        if not render:
            self.about.update(device=device_name(device), versions=versions())
        self.entries: List[Entry] = []
        if path.exists():
            stored = json.loads(path.read_text())
            same = all(stored['about'][k] == self.about[k]
                       for k in ('device', 'versions'))
            if render or same:
                self.about, self.entries = stored['about'], stored['entries']
        if not render:
            for name, value in (('dates', time.strftime('%Y-%m-%d')),
                                ('commands', command)):
                if value not in self.about[name]:
                    self.about[name].append(value)

    def find(self, **keys: Any) -> Entry:
        """Return the entry of these keys, or an empty one."""
        for entry in self.entries:
            if all(entry[k] == v for k, v in keys.items()):
                return entry
        return {}

    def run(self, job: Callable[[], Entry], **keys: Any) -> None:
        """Measure an entry and store it; an error is stored as its note."""
        entry = dict(keys)
        try:
            entry.update(job())
        except torch.OutOfMemoryError:
            entry['note'] = 'OOM'
        except RuntimeError as error:
            # A backend that cannot run here, or a kernel that fails.
            entry['note'] = str(error).splitlines()[0]
        self.entries = [
            e for e in self.entries if any(e[k] != keys[k] for k in self.keys)
        ] + [entry]
        print(
            ' '.join(f'{k}={_short(v)}' for k, v in entry.items()), flush=True)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        self.path.write_text(
            json.dumps(dict(about=self.about, entries=self.entries), indent=1))

    def head(self) -> str:
        """Return the lines above a table: commands, device, versions."""
        about = self.about
        return '\n'.join([
            *(f'    {c}'
              for c in about['commands']), '', f'{about["device"]}; ' +
            ', '.join(f'{k} {v}' for k, v in about['versions'].items()) +
            f'; {", ".join(about["dates"])}.'
        ])


def _short(value: Any) -> str:
    return f'{value:.4g}' if isinstance(value, float) else str(value)


def cell(entry: Entry, field: str = 'ms', digits: int = 1) -> str:
    """Format a value of an entry for a table, or say why there is none."""
    if field in entry:
        return f'{entry[field]:.{digits}f}'
    return entry.get('note', '')


def table(head: List[str], rows: List[List[str]]) -> str:
    """Return a markdown table."""
    lines = [head, ['---'] * len(head), *rows]
    return '\n'.join('| ' + ' | '.join(line) + ' |' for line in lines)


def page(title: str,
         device: str,
         about: str,
         lines: str,
         command: str = '',
         made: str = '') -> str:
    """Return a page of results.

    Args:
        title (str): Heading.
        device (str): Measured device.
        about (str): How, in sentences.
        lines (str): The table.
        command (str): Without the interpreter. Defaults to '', for the
            command line of this process.
        made (str): Machine, versions and date. Defaults to '', those of this
            process.
    """
    return wrapped('\n'.join([
        f'# {title}', '', f'    python {command or shlex.join(sys.argv)}', '',
        f'{made or made_here(device)}. {about}', '', lines, ''
    ]))


def made_here(device: str) -> str:
    """Return machine, versions and date of this process.

    Args:
        device (str): Measured device.

    Returns:
        str: Part of a sentence.
    """
    found = ', '.join(f'{k} {v}' for k, v in versions().items())
    return (f'{device_name(device)}; host: {cpu_name()}, {os.cpu_count()} '
            f'processors; {found}; {time.strftime("%Y-%m-%d")}')
