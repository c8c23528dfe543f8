"""Time the wait before anything happens: imports and ``--help``.

    python benchmarks/imports.py --before FOLDER --out FILE.md

Each entry point runs in fresh processes. Taken is the processor time (user
and system, with children) of the best run: other load on the machine and a
slow disk do not show, and a first run fills the caches of the disk. FOLDER is
a checkout of another commit, timed in turns with the present files.
"""
import argparse
import importlib.metadata
import os
import platform
import resource
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, NamedTuple

ROOT = Path(__file__).parents[1]
HOSTS = 'mmvideomamba, mmaction.models, mmvideomamba.models'
TOOLS = ('tools/train.py', 'tools/test.py', 'tools/deployment/export.py',
         'tools/data/check_videos.py', 'demo/demo_recognizer.py')
# Title in the table, and the arguments of Python.
ENTRIES: Dict[str, List[str]] = {
    'python alone': ['-c', 'pass'],
    'import torch': ['-c', 'import torch'],
    'import mmvideomamba': ['-c', 'import mmvideomamba'],
    'import mmvideomamba, mmengine.runner':
    ['-c', 'import mmvideomamba, mmengine.runner'],
    f'import {HOSTS}': ['-c', f'import {HOSTS}'],
    **{
        f'{tool} --help': [tool, '--help']
        for tool in TOOLS
    },
    'python -m mmvideomamba.doctor --help':
    ['-m', 'mmvideomamba.doctor', '--help'],
}
PACKAGES = ('torch', 'mmengine', 'mmaction2', 'mmpretrain', 'transformers')


class Cost(NamedTuple):
    """Cost of an entry point.

    Args:
        seconds (float): Processor time.
        modules (int): Modules in memory at the end.
    """
    seconds: float
    modules: int


def _environment(folder: Path) -> Dict[str, str]:
    return dict(os.environ, PYTHONPATH=str(folder), OMP_NUM_THREADS='1')


def seconds_of(folder: Path, arguments: List[str]) -> float:
    """Run an entry point in a fresh process.

    Args:
        folder (Path): Checkout with the package and the tools.
        arguments (list[str]): Of Python.

    Returns:
        float: Processor time.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, '-W', 'ignore', *arguments],
                   cwd=folder,
                   env=_environment(folder),
                   stdout=subprocess.DEVNULL,
                   stderr=subprocess.DEVNULL,
                   check=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime -
            before.ru_stime)


def count_modules(folder: Path, arguments: List[str]) -> int:
    """Count the modules that an entry point imports."""
    done = subprocess.run(
        [sys.executable, '-W', 'ignore', '-X', 'importtime', *arguments],
        cwd=folder,
        env=_environment(folder),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        check=True)
    return sum(
        line.startswith('import time:')
        for line in done.stderr.splitlines()) - 1


def measure(folders: List[Path], runs: int) -> Dict[str, List[Cost]]:
    """Measure all entry points, the folders in turns."""
    table = {}
    for name, arguments in ENTRIES.items():
        modules = [count_modules(folder, arguments) for folder in folders]
        best = [float('inf')] * len(folders)
        for _ in range(runs):
            for place, folder in enumerate(folders):
                best[place] = min(best[place], seconds_of(folder, arguments))
        table[name] = [Cost(*pair) for pair in zip(best, modules)]
        sys.stderr.write(f'{name}: {table[name]}\n')
    return table


def processor() -> str:
    """Name the processor."""
    info = Path('/proc/cpuinfo')
    lines = info.read_text().splitlines() if info.exists() else []
    names = [x.split(':')[1].strip() for x in lines if 'model name' in x]
    return names[0] if names else platform.processor()


def report(table: Dict[str, List[Cost]], titles: List[str],
           command: str) -> str:
    """Lay the table out as Markdown."""
    head = ''.join(f' {title}: s | modules |' for title in titles)
    lines = [f'| entry point |{head}', '|---|' + '---:|---:|' * len(titles)]
    for name, costs in table.items():
        cells = ''.join(f' {c.seconds:.2f} | {c.modules} |' for c in costs)
        lines.append(f'| `{name}` |{cells}')
    found = ', '.join(f'{name} {importlib.metadata.version(name)}'
                      for name in PACKAGES)
    return '\n'.join([
        '# Seconds of imports', '',
        'Processor time of a fresh process, the best of several, and the '
        'modules in it.', '', *lines, '',
        f'`{command}` on {processor()}, Python {platform.python_version()}, '
        f'{found}.', ''
    ])


def main() -> None:
    """Measure and write the table."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('--before', type=Path, help='another checkout')
    parser.add_argument('--runs', type=int, default=5, help='processes (5)')
    parser.add_argument('--out', type=Path, help='file of the table')
    args = parser.parse_args()
    folders, titles = [ROOT], ['now']
    if args.before:
        folders, titles = [args.before.resolve(), ROOT], ['before', 'now']
    command = 'python benchmarks/imports.py' + (
        ' --before FOLDER' if args.before else '') + f' --runs {args.runs}'
    text = report(measure(folders, args.runs), titles, command)
    if args.out:
        args.out.write_text(text)
    print(text)


if __name__ == '__main__':
    main()
