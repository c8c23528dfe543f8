"""Tables and figure of motion_noise.py."""
from pathlib import Path
from typing import Any, Dict, List, Sequence, Tuple

import numpy as np
from gpu_common import page, table
from motion_noise_rows import ORDERED, SHUFFLED, Plan
from scipy.stats import norm

from mmvideomamba.datasets.preparation.noise_motions import shuffled_bound

Found = Dict[str, Any]


def wilson(right: int, count: int) -> Tuple[float, float]:
    """Return Wilson's interval of 95 % of a share.

    Args:
        right (int): Right answers.
        count (int): All.

    Returns:
        tuple[float, float]: Bounds, from 0 to 1.
    """
    z = float(norm.ppf(0.975))
    share = right / count
    middle = share + z * z / (2 * count)
    reach = z * np.sqrt(share * (1 - share) / count + z * z / (4 * count**2))
    scale = 1 + z * z / count
    return (middle - reach) / scale, (middle + reach) / scale


def percent(right: int, count: int) -> str:
    """Write a share with the interval."""
    low, high = wilson(right, count)
    return f'{100 * right / count:.1f} ({100 * low:.1f} to {100 * high:.1f})'


def counts(found: Found, test: str) -> Tuple[int, int]:
    """Return right and all clips of a test."""
    matrix = np.array(found['tests'][test]['matrix'])
    return int(np.trace(matrix)), int(matrix.sum())


def mixed_up(found: Found, names: Sequence[str], most: int = 3) -> str:
    """Name the pairs of classes most confused by a model.

    Args:
        found (dict): A row.
        names (Sequence[str]): Of the classes.
        most (int): Pairs. Defaults to 3.

    Returns:
        str: True and predicted class with percent of the true class.
    """
    matrix = np.array(found['tests'][ORDERED]['matrix'], float)
    shares = matrix / np.maximum(1, matrix.sum(1, keepdims=True))
    np.fill_diagonal(shares, 0)
    order = np.argsort(shares, axis=None)[::-1][:most]
    places = [np.unravel_index(i, shares.shape) for i in order]
    return '; '.join(f'{names[a]} as {names[b]} {100 * shares[a, b]:.0f} %'
                     for a, b in places if shares[a, b] > 0)


def row_cells(found: Found, plan: Plan) -> List[str]:
    """Return the cells of a row."""
    names = plan.sets[found['data']].names
    cells = [
        found['name'] + (f' on {found["data"]}' * (found['part'] == 'shapes')),
        str(found['epochs']),
        str(found['seed'])
    ]
    for test in (ORDERED, SHUFFLED):
        cells.append(
            percent(*counts(found, test)) if test in found['tests'] else '')
    cells += [
        f'{found["clips"]:.0f}', f'{100 * found["waited"]:.1f}',
        f'{found["gib"]:.1f}',
        mixed_up(found, names)
    ]
    return cells


HEAD = [
    'model', 'epochs', 'seed', 'test, % (95 % interval)',
    'test, frames shuffled, %', 'clips a second', 'waited for data, %',
    'peak GiB', 'mixed up most'
]
TITLES = dict(
    table='Kinds of motion: tubelets, scan orders, ViT',
    control='Controls',
    shapes='Shapes from motion',
    length='Frames of long videos')


def chance_lines(plan: Plan) -> List[str]:
    """Describe the sets, chance, and the bound of shuffled frames."""
    lines = []
    for name, settings in plan.sets.items():
        words = (f'- `{name}`: {settings.task}, {len(settings.names)} '
                 f'classes, chance {100 / len(settings.names):.1f} %; '
                 f'{settings.train} training, {settings.val} validation, '
                 f'{settings.test} test clips of {settings.frames} frames of '
                 f'{settings.size} px, cells of {settings.cell} px, coherence '
                 f'{settings.coherence:g}')
        if settings.task == 'kinds':
            bound = 100 * shuffled_bound(settings.names)
            words += f'; pairs of shuffled frames allow {bound:.1f} %'
        else:
            words += f', ground {settings.ground}'
            words += f', white cells {settings.appearance:g}'
        lines.append(f'{words}.')
    return lines


def seed_lines(rows: Sequence[Found]) -> List[str]:
    """Return a table of means over seeds, of rows with several."""
    groups: Dict[Tuple[str, str, int], List[float]] = {}
    for found in rows:
        if ORDERED in found['tests']:
            right, count = counts(found, ORDERED)
            key = found['name'], found['data'], found['epochs']
            groups.setdefault(key, []).append(100 * right / count)
    several = {k: v for k, v in groups.items() if len(v) > 1}
    if not several:
        return []
    return [
        '## Over seeds', '',
        table(['model', 'epochs', 'seeds', 'mean, %', 'lowest, %'], [[
            k[0],
            str(k[2]),
            str(len(v)), f'{np.mean(v):.1f}', f'{min(v):.1f}'
        ] for k, v in several.items()]), ''
    ]


def render(results: Found, plan: Plan) -> str:
    """Write the page.

    Args:
        results (dict): ``rows``, ``probes``, ``resume``, ``data`` and
            ``minutes``.
        plan (Plan): Of the rows.

    Returns:
        str: Markdown.
    """
    rows = list(results['rows'].values())
    lines = [*chance_lines(plan), '']
    for part, title in TITLES.items():
        those = [row_cells(r, plan) for r in rows if r['part'] == part]
        if those:
            lines += [f'## {title}', '', table(HEAD, those), '']
    lines += seed_lines(rows)
    if results['probes']:
        lines += [
            '## Linear probes', '',
            'Logistic regression on statistics of the last frame of a clip, '
            'and on the size of the file.', '',
            table(['statistics', 'test, % (95 % interval)'],
                  [[k, percent(*v)] for k, v in results['probes'].items()]), ''
        ]
    if results['data']:
        lines += [
            '## The sets', '',
            table(['set', 'clips', 'seconds', 'processes', 'bytes a clip'],
                  results['data']), ''
        ]
    if results['resume'] is not None:
        word = 'equal' if results['resume'] else 'differ from'
        lines += [
            f'Killed in the second epoch and resumed: the weights {word} '
            'those of the whole training, bit by bit.', ''
        ]
    for key, words in results['failed'].items():
        lines += [f'Failed: {key}: {words.strip().splitlines()[-1]}', '']
    missing = [r.key for r in plan.rows if r.key not in results['rows']]
    if missing:
        lines += [f'Not run: {", ".join(missing)}.', '']
    return '\n'.join(lines)


def draw(results: Found, plan: Plan, path: Path) -> None:
    """Draw curves, accuracies and a confusion matrix.

    Args:
        results (dict): See ``render``.
        plan (Plan): Of the rows.
        path (Path): The picture.
    """
    import matplotlib
    matplotlib.use('Agg')
    import matplotlib.pyplot as plt
    rows = list(results['rows'].values())
    figure, axes = plt.subplots(1, 4, figsize=(22, 5.5), layout='constrained')
    kinds = [r for r in rows if r['part'] in ('table', 'control')]
    draw_curves(axes[0], kinds, 'Kinds of motion, validation')
    letters = [r for r in rows if r['part'] == 'shapes']
    draw_curves(axes[1], letters, 'Shapes, validation')
    draw_lengths(axes[2], [r for r in rows if r['part'] == 'length'])
    first = next((r for r in rows if r['part'] == 'table'), None)
    if first is not None:
        draw_matrix(axes[3], first, plan.sets[first['data']].names)
    figure.savefig(path, dpi=80)
    plt.close(figure)


def draw_curves(axis: Any, rows: Sequence[Found], title: str) -> None:
    """Draw the validation accuracy of rows of seed 0 over the steps."""
    for found in rows:
        if found['seed'] == 0 and found['accuracy']:
            steps, values = zip(*found['accuracy'])
            axis.plot(steps, 100 * np.array(values), '.-', label=found['name'])
    axis.set(title=title, xlabel='step', ylabel='top-1, %', ylim=(0, 100))
    if axis.lines:
        axis.legend(fontsize=7)


def draw_lengths(axis: Any, rows: Sequence[Found]) -> None:
    """Draw the test accuracy over the frames of a clip."""
    axis.set(
        title='Long videos', xlabel='frames', ylabel='top-1, %', ylim=(0, 100))
    if not rows:
        return
    points = sorted((r['frames'], *counts(r, ORDERED)) for r in rows)
    shares = [100 * right / count for _, right, count in points]
    bounds = [wilson(right, count) for _, right, count in points]
    errors = np.abs(100 * np.array(bounds) - np.array(shares)[:, None]).T
    axis.errorbar([p[0] for p in points], shares, errors, fmt='o-', capsize=3)
    axis.set_xscale('log', base=2)


def draw_matrix(axis: Any, found: Found, names: Sequence[str]) -> None:
    """Draw a confusion matrix."""
    matrix = np.array(found['tests'][ORDERED]['matrix'], float)
    axis.imshow(
        matrix / np.maximum(1, matrix.sum(1, keepdims=True)),
        vmin=0,
        vmax=1,
        cmap='viridis')
    axis.set(
        title=f'{found["name"]}, seed {found["seed"]}',
        xlabel='predicted',
        ylabel='true',
        yticks=range(len(names)))
    axis.set_yticklabels(names, fontsize=7)


def write(results: Found, plan: Plan, out: Path, device: str) -> None:
    """Write page and figure.

    Args:
        results (dict): See ``render``.
        plan (Plan): Of the rows.
        out (Path): The page; the figure gets the ending .png.
        device (str): 'cuda' or 'cpu'.
    """
    about = (f'{results.get("minutes", 0):.1f} minutes in all. The last '
             'weights of each training are tested, once; intervals are '
             "Wilson's.")
    picture = f'![Curves]({out.with_suffix(".png").name})\n\n'
    out.write_text(
        page('It sees time: videos of noise, whose classes only motion tells',
             device, about, picture + render(results, plan)))
    draw(results, plan, out.with_suffix('.png'))
