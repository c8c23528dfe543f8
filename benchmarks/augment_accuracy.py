"""Compare accuracies with clips augmented in the workers and on the device.

    python benchmarks/augment_accuracy.py --device cuda --jobs 3 --out FOLDER

Trains the quickstart's recipe and the small recipe of own videos by
tools/train.py with several seeds, for both settings of ClipAugmentHook, and
for an older checkout with --before. The clips are those of
tools/data/quickstart/make_quickstart_videos.py; as own videos, the training
clips in their class folders are listed by tools/data/build_annotations.py.
The file is written after each training.
"""
import argparse
import json
import os
import shlex
import statistics
import subprocess
import sys
import tempfile
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional

import mmvideomamba  # isort: skip  # noqa: F401  heals the host, goes first
from gpu_common import page, table
from mmengine.config import Config

ROOT = Path(__file__).resolve().parents[1]
RECIPES = {
    'quickstart':
    'configs/quickstart/videomamba-micro_1xb8-u8-25e_quickstart-rgb.py',
    'own videos':
    'configs/recognition/custom/videomamba-micro_1xb8-u8-25e_custom-rgb.py',
}
SWITCHES = ('before', 'workers', 'device')
HOOK = 'mmvideomamba.ClipAugmentHook'
PARTS = ('train', 'val', 'test')


class Job(NamedTuple):
    """A training: recipe, place of the augmentation, and seed."""
    recipe: str
    switch: str
    seed: int


def own_videos(clips: Path, folder: Path) -> None:
    """List the training clips of the quickstart as own videos.

    Args:
        clips (Path): Of the quickstart.
        folder (Path): To write the lists to, next to links to the classes.
    """
    folder.mkdir()
    for place in sorted((clips / 'train').iterdir()):
        (folder / place.name).symlink_to(place, target_is_directory=True)
    subprocess.run([
        sys.executable,
        str(ROOT / 'tools' / 'data' / 'build_annotations.py'),
        str(folder)
    ],
                   check=True,
                   stdout=subprocess.DEVNULL)


def config_of(job: Job, root: Path, data: Path,
              epochs: Optional[int]) -> Config:
    """Return the config of a training.

    Args:
        job (Job): The training.
        root (Path): Of the checkout.
        data (Path): Folder of the recipe's lists.
        epochs (int, optional): Fewer than the recipe's.
    """
    cfg = Config.fromfile(root / RECIPES[job.recipe])
    for part in PARTS:
        cfg[f'{part}_dataloader'].dataset.update(
            data_root=str(data),
            metainfo=dict(classes=str(data / 'classes.txt')))
    if job.switch != 'before':
        cfg.default_hooks.clip_augment = dict(type=HOOK, on=job.switch)
    if epochs:
        cfg.train_cfg.update(max_epochs=epochs, val_interval=1)
    # TensorBoard may be missing.
    cfg.visualizer.vis_backends = [dict(type='LocalVisBackend')]
    return cfg


def accuracies(work_dir: Path) -> List[float]:
    """Return the percentages of all validations of a training."""
    found = []
    for file in sorted(work_dir.glob('*/vis_data/scalars.json')):
        for line in file.read_text().splitlines():
            values = json.loads(line)
            if 'acc/top1' in values:
                found.append(100 * values['acc/top1'])
    return found


class Bench:
    """Run trainings, each in a process of its own.

    Args:
        args (argparse.Namespace): Command line.
        folder (Path): For what trainings write.
    """

    def __init__(self, args: argparse.Namespace, folder: Path) -> None:
        self.args, self.folder = args, folder
        self.start = time.monotonic()
        clips = args.data.resolve()
        self.data = {'quickstart': clips, 'own videos': folder / 'own'}
        own_videos(clips, self.data['own videos'])

    def run(self, job: Job) -> Dict[str, Any]:
        """Train; a failure becomes a note."""
        args = self.args
        if time.monotonic() - self.start > args.budget:
            return dict(note='not run: no time left')
        root = args.before.resolve() if job.switch == 'before' else ROOT
        work_dir = self.folder / '-'.join(map(str, job)).replace(' ', '_')
        config = self.folder / f'{work_dir.name}.py'
        config_of(job, root, self.data[job.recipe],
                  args.epochs).dump(str(config))
        command = [
            sys.executable,
            str(root / 'tools' / 'train.py'),
            str(config), '--work-dir',
            str(work_dir), '--seed',
            str(job.seed)
        ]
        paths = [str(root), os.environ.get('PYTHONPATH', '')]
        environment = dict(
            os.environ, PYTHONPATH=os.pathsep.join(filter(None, paths)))
        if args.device == 'cpu':
            environment['CUDA_VISIBLE_DEVICES'] = ''
        began = time.monotonic()
        done = subprocess.run(
            command,
            cwd=root,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True)
        found = accuracies(work_dir)
        if done.returncode or not found:
            last = done.stdout.strip().splitlines()[-1:]
            return dict(note=f'exit code {done.returncode}: {last}')
        return dict(
            last=found[-1], best=max(found), seconds=time.monotonic() - began)


def rows_of(found: Dict[Job, Dict[str, Any]]) -> List[List[str]]:
    """Return the lines of the table, by recipe and switch."""
    rows = []
    for recipe, switch in dict.fromkeys(job[:2] for job in found):
        runs = {
            job.seed: x
            for job, x in found.items() if job[:2] == (recipe, switch)
        }
        done = [x for x in runs.values() if 'last' in x]
        cells = [recipe, switch]
        cells.append(', '.join(f'{x["last"]:.1f}' if 'last' in x else x['note']
                               for _, x in sorted(runs.items())))
        for key in ('last', 'best', 'seconds'):
            values = [x[key] for x in done]
            cells.append(f'{statistics.mean(values):.1f}' if values else '')
        rows.append(cells)
    return rows


def report(args: argparse.Namespace, found: Dict[Job, Dict[str, Any]]) -> str:
    """Return the page with the table."""
    command = shlex.join(sys.argv)
    for path in filter(None, (args.before, args.data)):
        command = command.replace(str(path), path.name)
    head = [
        'recipe', 'augmentation', 'top-1 % by seed, last epoch', 'mean',
        'mean of the best epochs', 'seconds'
    ]
    about = (f'Validation of trainings with seeds {args.seeds}, '
             f'{args.jobs} trainings at a time; seconds of one.')
    return page('Accuracy with both places of augmentation', args.device,
                about, table(head, rows_of(found)), command)


def main(arguments: Optional[List[str]] = None) -> None:
    """Train, and write and print the table."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('--data', type=Path, default=ROOT / 'data' / 'quickstart')
    add('--before', type=Path, help='folder of an older checkout')
    add('--recipes', nargs='+', choices=list(RECIPES), default=list(RECIPES))
    add('--switches', nargs='+', choices=SWITCHES, default=SWITCHES[1:])
    add('--seeds', nargs='+', type=int, default=[0, 1, 2])
    add('--epochs', type=int, help='fewer than those of the recipes')
    add('--jobs', type=int, default=1, help='trainings at a time')
    add('--device', default='cuda', choices=['cuda', 'cpu'])
    add('--budget',
        type=float,
        default=1e9,
        help='seconds after which no training is begun')
    add('--out', type=Path, default=Path('benchmarks/results'))
    args = parser.parse_args(arguments)
    if 'before' in args.switches and args.before is None:
        parser.error('--switches before needs --before')
    jobs = [
        Job(recipe, switch, seed) for seed in args.seeds
        for recipe in args.recipes for switch in args.switches
    ]
    found: Dict[Job, Dict[str, Any]] = {}
    with tempfile.TemporaryDirectory() as temporary:
        bench = Bench(args, Path(temporary).resolve())
        with ThreadPoolExecutor(args.jobs) as pool:
            for job, entry in zip(jobs, pool.map(bench.run, jobs)):
                found[job] = entry
                print(job, entry, flush=True)
                args.out.mkdir(parents=True, exist_ok=True)
                (args.out / 'augment_accuracy.md').write_text(
                    report(args, found))
    print('\n' + report(args, found))


if __name__ == '__main__':
    main()
