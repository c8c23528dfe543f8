"""Deletion and insertion curves of relevance maps, on the quickstart.

    python benchmarks/relevance.py --runs work_dirs/relevance \
        --out benchmarks/results/relevance.md

Trains a model of the quickstart for each seed, unless the folder of the runs
holds the best checkpoint already, ``seed-N/best_*.pth``. Patches of
validation clips are removed, or brought back, in the order of their relevance
for the most probable class. The area under the curve of the probability of
the class tells whether the patches mattered. Needs ``data/quickstart``.
"""
import argparse
import platform
import subprocess
import sys
from datetime import date
from pathlib import Path
from typing import Any, Dict, List, NamedTuple

from wrapped_page import wrapped

import mmvideomamba  # isort: skip  # noqa: F401  heals the hosts, goes first
import torch
from cpu_models import cpu_name
from torch import Tensor
from torchvision.transforms.functional import gaussian_blur

from mmvideomamba.inference.inputs import list_inputs
from mmvideomamba.inference.pipeline import VideoPipeline
from mmvideomamba.inference.recognize import test_data_set
from mmvideomamba.inference.relevance import METHODS, relevance, to_frames
from mmvideomamba.inference.relevance.scores import class_scores, normalised

ROOT = Path(__file__).parents[1]
CONFIG = 'videomamba-micro_1xb8-u8-25e_quickstart-rgb.py'
DATA = Path('data/quickstart')
BLUR = 8.  # standard deviation, in pixels
BATCH = 16
BASELINES = ('random', 'centre')
CURVES = ('deletion', 'insertion', 'insertion, blurred')

Areas = Dict[str, Dict[str, float]]


class Run(NamedTuple):
    """Results of one seed.

    Attributes:
        seed (int): Of the training.
        accuracy (float): Top-1 of the scored clips, one view each.
        epoch (int): Of the checkpoint.
        areas (dict): Area under each curve, by order and curve.
    """
    seed: int
    accuracy: float
    epoch: int
    areas: Areas


def train(folder: Path, seed: int, epochs: int) -> Path:
    """Return the best checkpoint of a seed, trained if there is none."""
    found = sorted(folder.glob('best_*.pth'))
    if found:
        return found[-1]
    options = [
        f'train_cfg.max_epochs={epochs}', f'param_scheduler.1.end={epochs}',
        f'param_scheduler.1.T_max={epochs - 2}'
    ]
    subprocess.run([
        sys.executable,
        str(ROOT / 'tools/train.py'), CONFIG, '--work-dir',
        str(folder), '--seed',
        str(seed), '--cfg-options', *options
    ],
                   check=True)
    return sorted(folder.glob('best_*.pth'))[-1]


def read_clips(model: Any, every: int) -> tuple:
    """Read one view of validation clips, (n, 3, t, h, w), and the labels."""
    data_set = test_data_set(model.cfg)
    read = VideoPipeline(data_set['pipeline'], 'one', data_set)
    lines = (DATA / 'val.txt').read_text().splitlines()[::every]
    rows = [line.split() for line in lines]
    clips = [
        read(list_inputs(str(DATA / name))[0])['inputs'] for name, _ in rows
    ]
    return torch.cat(clips), torch.tensor([int(label) for _, label in rows])


def centre_map(grid: tuple) -> Tensor:
    """Return minus the distance to the middle of a frame, shape of a grid.

    Among equal ones the middle of the clip comes first.
    """
    t, i, j = torch.meshgrid(
        *(torch.arange(n) - (n - 1) / 2 for n in grid), indexing='ij')
    return -(i**2 + j**2 + 1e-3 * t**2)


def mask_of(maps: Tensor, count: int, shape: tuple) -> Tensor:
    """Mark the pixels of the first patches, (m, 1, t, h, w)."""
    rank = maps.flatten(1).argsort(1, descending=True).argsort(1)
    first = (rank < count).float().view_as(maps)
    t, h, w = shape
    return to_frames(first, t, h, w, smooth=False).unsqueeze(1)


def blur(x: Tensor) -> Tensor:
    """Blur the frames of clips, shape (m, 3, t, h, w)."""
    size = 4 * int(BLUR) - 1
    frames = x.transpose(1, 2).flatten(0, 1)
    frames = gaussian_blur(frames, [size, size], [BLUR, BLUR])
    return frames.unflatten(0, (len(x), -1)).transpose(1, 2)


@torch.no_grad()
def areas_of(model: Any, x: Tensor, blurred: Tensor, maps: Tensor,
             labels: Tensor, steps: int) -> Dict[str, float]:
    """Return the area under each curve of some clips, a sum over clips.

    Args:
        model (nn.Module): The model.
        x (Tensor): Normalised clips, shape (m, 3, t, h, w).
        blurred (Tensor): The clips blurred, same shape.
        maps (Tensor): Relevance of patches, shape (m, t', h', w').
        labels (Tensor): Classes, shape (m, ).
        steps (int): Points of a curve, less one.
    """
    grey = torch.zeros_like(x)
    fills = dict(zip(CURVES, (grey, grey, blurred)))
    found: Dict[str, float] = {}
    for curve, fill in fills.items():
        points = []
        for step in range(steps + 1):
            count = round(step * maps[0].numel() / steps)
            mask = mask_of(maps, count, x.shape[2:])
            shown = 1 - mask if curve == 'deletion' else mask
            scores = class_scores(model, x * shown + fill * (1 - shown))
            chosen = scores.softmax(-1).gather(1, labels.unsqueeze(-1))
            points.append(float(chosen.sum()))
        found[curve] = float(torch.trapezoid(torch.tensor(points))) / steps
    return found


def measure(model: Any, clips: Tensor, truth: Tensor, steps: int) -> tuple:
    """Return the areas of all orders, and the accuracy."""
    draw = torch.Generator().manual_seed(0)
    sums: Areas = {}
    right = 0
    for part, label in zip(clips.split(BATCH), truth.split(BATCH)):
        x = normalised(model, part)
        with torch.no_grad():
            found = class_scores(model, x).argmax(-1)
        right += int((found == label).sum())
        orders = {
            method: relevance(model, part, found.tolist(), method)
            for method in METHODS
        }
        blurred = blur(x)
        shape = orders[METHODS[0]].shape
        orders['random'] = torch.rand(shape, generator=draw)
        orders['centre'] = centre_map(shape[1:]).expand(shape)
        for name, maps in orders.items():
            areas = areas_of(model, x, blurred, maps, found, steps)
            kept = sums.setdefault(name, dict.fromkeys(CURVES, 0.))
            for curve in CURVES:
                kept[curve] += areas[curve] / len(clips)
    return sums, right / len(clips)


def is_better(areas: Areas, method: str, curve: str) -> bool:
    """Tell whether a method beats both baselines on a curve."""
    others = [areas[name][curve] for name in BASELINES]
    own = areas[method][curve]
    return own < min(others) if curve == 'deletion' else own > max(others)


def verdict(runs: List[Run], method: str) -> str:
    """Say where a method is better than both baselines."""
    lost = [
        f'{curve}: seed {run.seed}' for run in runs for curve in CURVES
        if not is_better(run.areas, method, curve)
    ]
    if not lost:
        return f'`{method}` is better than both in all seeds, on all curves.'
    return f'`{method}` is NOT better than both in: {"; ".join(lost)}.'


def machine() -> str:
    """Name the processor, and the GPU that trains where there is one."""
    if not torch.cuda.is_available():
        return cpu_name()
    return (f'{cpu_name()}; trainings on one '
            f'{torch.cuda.get_device_name()}')


def report(runs: List[Run], args: argparse.Namespace, clips: int) -> str:
    """Write the page."""
    lines = [
        '# Deletion and insertion curves', '',
        f'    python benchmarks/relevance.py {" ".join(sys.argv[1:])}', '',
        f'{machine()}; torch {torch.__version__}, Python '
        f'{platform.python_version()}; {date.today()}.', '',
        f'Models of `{CONFIG}`, best checkpoints: ' + '; '.join(
            f'seed {run.seed}, epoch {run.epoch}, top-1 {run.accuracy:.1%}'
            for run in runs) + f'. Top-1 and curves are of {clips} validation '
        'clips, one view each. Explained is the class that the model finds.',
        '', 'Deletion: patches of 16 px turn grey, the most relevant first; '
        'the area under the curve of the probability of the class should be '
        f'small. Insertion: grey frames get the patches back; the area '
        f'should be large. Blurred: the same, from frames blurred by {BLUR:g}'
        f' px, which still show most of the classes. {args.steps} steps. '
        'centre: patches in the middle of the frames first.', '',
        '| order | ' + ' | '.join(f'{curve}: seed {run.seed}'
                                  for curve in CURVES for run in runs) + ' |',
        '|---' * (1 + len(CURVES) * len(runs)) + '|'
    ]
    for name in METHODS + BASELINES:
        cells = [
            f'{run.areas[name][curve]:.3f}' for curve in CURVES for run in runs
        ]
        lines.append(f'| {name} | ' + ' | '.join(cells) + ' |')
    lines += [''] + [f'- {verdict(runs, method)}' for method in METHODS]
    return wrapped('\n'.join(lines) + '\n')


def main() -> None:
    """Train, measure, and write the page."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--runs', type=Path, required=True)
    parser.add_argument('--out', type=Path, required=True)
    parser.add_argument('--seeds', type=int, nargs='+', default=[0, 1, 2])
    parser.add_argument('--epochs', type=int, default=25)
    parser.add_argument('--every', type=int, default=1, help='n: each n-th')
    parser.add_argument('--steps', type=int, default=9)
    args = parser.parse_args()
    runs = []
    for seed in args.seeds:
        path = train(args.runs / f'seed-{seed}', seed, args.epochs)
        model: Any = mmvideomamba.load(path)
        clips, truth = read_clips(model, args.every)
        areas, accuracy = measure(model, clips, truth, args.steps)
        epoch = int(path.stem.rsplit('_', 1)[-1])
        runs.append(Run(seed, accuracy, epoch, areas))
        text = report(runs, args, len(clips))
        args.out.write_text(text)
    print(text)


if __name__ == '__main__':
    main()
