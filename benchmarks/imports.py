"""Time the wait before anything happens: imports, ``--help``, first results.

    python benchmarks/imports.py --before FOLDER --out FILE.md

Each entry point runs in fresh processes. Taken is the processor time (user
and system, with children) of the best run: other load on the machine and a
slow disk do not show, and a first run fills the caches of the disk. FOLDER is
a checkout of another commit, timed in turns with the present files.

Other commands do a little work, on clips of the quickstart with the micro
model: a training of one step without validation, a test of two clips, a demo,
a predictor. The work, a second, is in the time of a command. Clips and model
are made once, in a temporary folder.
"""
import argparse
import importlib.metadata
import os
import platform
import resource
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Dict, List, NamedTuple

from wrapped_page import wrapped

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
QUICKSTART = 'videomamba-micro_1xb8-u8-25e_quickstart-rgb'
CONFIG = f'configs/quickstart/{QUICKSTART}.py'
MAKER = 'tools/data/quickstart/make_quickstart_videos.py'
PACKAGES = ('torch', 'mmengine', 'mmaction2', 'mmpretrain', 'transformers')


class Cost(NamedTuple):
    """Cost of an entry point.

    Args:
        seconds (float): Processor time, nan for a command that fails, such
            as a command unknown to the other commit.
        modules (int): Modules in memory at the end.
    """
    seconds: float
    modules: int


def _options(split: str, clips: Path) -> List[str]:
    """Give the options of a tool for the clips of a folder."""
    loader = f'{split}_dataloader'
    return [
        '--cfg-options', f'{loader}.num_workers=0',
        f'{loader}.persistent_workers=False',
        f'{loader}.dataset.data_root={clips}',
        f'{loader}.dataset.metainfo.classes={clips}/classes.txt'
    ]


def commands(data: Path) -> Dict[str, List[str]]:
    """List the commands with work to do.

    Args:
        data (Path): Folder for clips and model, filled here.

    Returns:
        dict[str, list[str]]: Title, and arguments of Python.
    """
    clips = data / 'quickstart'
    _run(ROOT, [MAKER, '--out-dir', str(clips), '--train', '8', '--val', '8'])
    work = str(data / 'work')
    train = [
        'tools/train.py', CONFIG, '--no-validate', '--work-dir', work,
        *_options('train', clips), 'train_cfg.max_epochs=1'
    ]
    _run(ROOT, train)
    model, clip = str(data / 'work/epoch_1.pth'), str(
        sorted(clips.rglob('*.mp4'))[0])
    test = [
        'tools/test.py', CONFIG, model, '--work-dir', work,
        *_options('test', clips), 'test_dataloader.dataset.indices=2'
    ]
    demo = ['demo/demo_recognizer.py', clip, CONFIG, model, '--label-file']
    predictor = ('from mmvideomamba.inference.predictor import Predictor; '
                 f'print(*Predictor({model!r}).predict([{clip!r}]))')
    return {
        'tools/train.py, one step':
        train,
        'tools/test.py, two clips':
        test,
        'demo/demo_recognizer.py, one clip':
        [*demo, str(clips / 'classes.txt'), '--out-dir', work],
        'mmvideomamba predict, one clip':
        ['-m', 'mmvideomamba', 'predict', model, clip],
        'Predictor(...).predict, one clip': ['-c', predictor],
        'mmvideomamba doctor': ['-m', 'mmvideomamba.doctor'],
        'a worker of a loader, spawned':
        ['-c', 'import mmvideomamba.datasets.registered'],
    }


def _environment(folder: Path) -> Dict[str, str]:
    return dict(os.environ, PYTHONPATH=str(folder), OMP_NUM_THREADS='1')


def _run(folder: Path, arguments: List[str]) -> str:
    """Run an entry point in a fresh process; return the standard error."""
    done = subprocess.run([sys.executable, '-W', 'ignore', *arguments],
                          cwd=folder,
                          env=_environment(folder),
                          stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE,
                          text=True,
                          check=True)
    return done.stderr


def seconds_of(folder: Path, arguments: List[str]) -> float:
    """Run an entry point in a fresh process.

    Args:
        folder (Path): Checkout with the package and the tools.
        arguments (list[str]): Of Python.

    Returns:
        float: Processor time.
    """
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    _run(folder, arguments)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime - before.ru_utime -
            before.ru_stime)


def count_modules(folder: Path, arguments: List[str]) -> int:
    """Count the modules that an entry point imports."""
    lines = _run(folder, ['-X', 'importtime', *arguments]).splitlines()
    return sum(line.startswith('import time:') for line in lines) - 1


def _costs(folders: List[Path], arguments: List[str], runs: int) -> List[Cost]:
    """Measure an entry point, the folders in turns."""
    costs = []
    for folder in folders:
        try:
            costs.append(Cost(float('inf'), count_modules(folder, arguments)))
        except subprocess.CalledProcessError:
            costs.append(Cost(float('nan'), 0))
    for _ in range(runs):
        for place, (folder, cost) in enumerate(zip(folders, costs)):
            if cost.modules:
                seconds = min(cost.seconds, seconds_of(folder, arguments))
                costs[place] = cost._replace(seconds=seconds)
    return costs


def measure(folders: List[Path], runs: int,
            entries: Dict[str, List[str]]) -> Dict[str, List[Cost]]:
    """Measure all entry points."""
    table = {}
    for name, arguments in entries.items():
        table[name] = _costs(folders, arguments, runs)
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
        cells = ''.join(
            f' {c.seconds:.2f} | {c.modules} |' if c.modules else ' - | - |'
            for c in costs)
        lines.append(f'| `{name}` |{cells}')
    found = ', '.join(f'{name} {importlib.metadata.version(name)}'
                      for name in PACKAGES)
    return '\n'.join([
        '# Seconds of imports', '',
        'Processor time of a fresh process, the best of several, and the '
        'modules in it; - is a command that the other commit lacks.', '',
        *lines, '',
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
    with tempfile.TemporaryDirectory() as folder:
        entries = {**ENTRIES, **commands(Path(folder))}
        costs = measure(folders, args.runs, entries)
        text = wrapped(report(costs, titles, command))
    if args.out:
        args.out.write_text(text)
    print(text)


if __name__ == '__main__':
    main()
