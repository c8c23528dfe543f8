"""Tables and figure of motion_noise.py."""
from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence, Tuple

import numpy as np
from gpu_common import page, table
from motion_noise_rows import ORDERED, SHUFFLED, Plan, Row
from scipy.stats import norm

from mmvideomamba.datasets.preparation import NoiseSettings
from mmvideomamba.datasets.preparation.noise_motions import shuffled_bound
from mmvideomamba.datasets.preparation.noise_set import draw_clip

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
        str(found['seed']),
        f'{100 * found["accuracy"][-1][1]:.1f}' if found['accuracy'] else ''
    ]
    for test in (ORDERED, SHUFFLED):
        cells.append(
            percent(*counts(found, test)) if test in found['tests'] else '')
    known = ORDERED in found['tests']
    return [
        *cells,
        mixed_up(found, names) if known else '',
        found.get('remark', '')
    ]


HEAD = [
    'model', 'epochs', 'seed', 'last validation, %', 'test, % (95 % interval)',
    'test, frames shuffled, %', 'mixed up most', 'remark'
]


def shown_rows(results: Found, plan: Plan) -> List[Found]:
    """Return finished and unfinished rows, in the order of the plan."""
    kept = {**results.get('partial', {}), **results['rows']}
    order = [row.key for row in plan.rows]
    others = [key for key in kept if key not in order]
    return [kept[key] for key in [*order, *others] if key in kept]


def speed_lines(rows: Sequence[Found]) -> List[str]:
    """Return the table of speeds and memory.

    Args:
        rows (Sequence[Found]): All rows.

    Returns:
        list[str]: Lines of the page.
    """
    if not rows:
        return []
    cells = [[
        f'{r["name"]}, seed {r["seed"]}',
        str(r.get('beside', 1)), f'{r["clips"]:.0f}',
        f'{100 * r["waited"]:.0f}', f'{r["gib"]:.1f}'
    ] for r in rows]
    return [
        '## Speed and memory', '',
        'Trainings side by side share the GPU and the cores of the machine. '
        'A training sees its own share: clips a second of the median step, '
        'share of the time without data for the GPU, peak memory.', '',
        table([
            'training', 'trainings side by side', 'clips a second',
            'waited for data, %', 'peak GiB'
        ], cells), ''
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
            words += f', noise of letters moves {" or ".join(settings.ways)}'
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
    rows = shown_rows(results, plan)
    lines = [*chance_lines(plan), '']
    for part, title in TITLES.items():
        those = [row_cells(r, plan) for r in rows if r['part'] == part]
        if those:
            lines += [f'## {title}', '', table(HEAD, those), '']
    # Memory is known of a GPU alone; other work shares a processor.
    lines += seed_lines(rows) + speed_lines([r for r in rows if r['gib']])
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
        lines += [f'Not finished: {", ".join(missing)}.', '']
    return '\n'.join(lines)


def draw(results: Found, plan: Plan, path: Path) -> List[str]:
    """Draw an overview of models and letters, and a picture of details.

    Args:
        results (dict): See ``render``.
        plan (Plan): Of the rows.
        path (Path): The page; the pictures have the name of the page, and
            '_detail' behind the name.

    Returns:
        list[str]: Names of the pictures; the overview is left out if only
        lengths were trained.
    """
    import matplotlib
    matplotlib.use('Agg')
    import matplotlib.pyplot as plt
    rows = shown_rows(results, plan)
    tested = [r for r in rows if ORDERED in r['tests']]
    kinds = [r for r in rows if r['part'] in ('table', 'control')]
    letters = [r for r in rows if r['part'] == 'shapes']
    lengths = [r for r in tested if r['part'] == 'length']
    names = []
    if kinds or letters:
        figure, axes = plt.subplot_mosaic(
            'abcd',
            figsize=(12.5, 3.9),
            width_ratios=[1, 1, 1.1, 1.3],
            layout='constrained')
        draw_clip_of_a_letter(axes['a'], axes['b'])
        draw_bars(axes['c'], kinds, len(plan.sets[plan.probe].names))
        draw_curves(axes['d'], letters, 'Letters: validation')
        names.append(f'{path.stem}.png')
        figure.savefig(path.with_name(names[-1]), dpi=128)
        plt.close(figure)
    matrix = next((r for r in tested if r in kinds or r in lengths), None)
    panels: List[Tuple[Callable, list]] = []
    if kinds:
        panels.append((draw_curves, [kinds, 'Kinds of motion: validation']))
    if lengths:
        frames = plan.sets[lengths[0]['data']].frames
        panels.append((draw_lengths, [lengths, frames]))
    if matrix:
        names_of = plan.sets[matrix['data']].names
        panels.append((draw_matrix, [matrix, names_of]))
    if panels:
        figure, found = plt.subplots(
            1,
            len(panels),
            figsize=(6 * len(panels), 5.5),
            layout='constrained',
            squeeze=False)
        for axis, (draw_panel, words) in zip(found[0], panels):
            draw_panel(axis, *words)
        names.append(f'{path.stem}_detail.png')
        figure.savefig(path.with_name(names[-1]), dpi=80)
        plt.close(figure)
    return names


def draw_clip_of_a_letter(frame_axis: Any, motion_axis: Any) -> None:
    """Draw a frame of a clip, and where the noise moves which way.

    Args:
        frame_axis (Axes): For the frame.
        motion_axis (Axes): For agreement with the frame before, moved to one
            side, less agreement with the frame moved to the other side.
    """
    settings = NoiseSettings('shapes', 20, 20, 20, directions=('right', ))
    frames, label = draw_clip(settings, 'test', 11)
    signs = np.where(frames > 0, 1., -1.)
    right = (signs[1:, :, 1:] * signs[:-1, :, :-1]).mean(0)
    left = (signs[1:, :, :-1] * signs[:-1, :, 1:]).mean(0)
    frame_axis.imshow(frames[-1], cmap='gray')
    frame_axis.set_title('A frame: noise')
    motion_axis.imshow(right - left, cmap='RdBu', vmin=-1, vmax=1)
    name = settings.names[label]
    motion_axis.set_title(f'Its motion: {name}')
    for axis in (frame_axis, motion_axis):
        axis.set(xticks=[], yticks=[])


def draw_bars(axis: Any, rows: Sequence[Found], classes: int) -> None:
    """Draw the accuracy of each model, the mean of its seeds.

    Args:
        axis (Axes): For the bars.
        rows (Sequence[Found]): Kinds of motion.
        classes (int): Number of kinds.
    """
    groups: Dict[str, List[Found]] = {}
    for found in rows:
        name = found['name'].replace('VideoMamba, ', '')
        groups.setdefault(name, []).append(found)
    names = list(groups)[::-1]
    for place, name in enumerate(names):
        tested = [r for r in groups[name] if ORDERED in r['tests']]
        if tested:
            values = [100 * np.divide(*counts(r, ORDERED)) for r in tested]
        else:  # no test: the last validation
            values = [100 * r['accuracy'][-1][1] for r in groups[name]]
        value = float(np.mean(values))
        axis.barh(
            place,
            value,
            color='tab:blue' if tested else 'none',
            edgecolor='tab:blue')
        inside = tested and value > 50
        axis.text(
            80 if value > 50 else value + 2,
            place,
            f'{value:.1f}',
            va='center',
            color='white' if inside else 'black')
    axis.axvline(100 / classes, color='black', linestyle=':', linewidth=1)
    axis.set(
        title=f'VideoMamba and ViT, {classes} motions: %',
        xlim=(0, 100),
        xlabel='dotted: chance; empty: validation')
    axis.set_yticks(range(len(names)), names, fontsize=9)


def draw_curves(axis: Any, rows: Sequence[Found], title: str) -> None:
    """Draw the validation accuracy of rows of seed 0 over the steps.

    A stage begins at the step at which the stage before ended.
    """
    from matplotlib import colormaps
    number = 10 if len(rows) <= 10 else 20
    axis.set_prop_cycle(color=list(colormaps[f'tab{number}'](range(number))))
    ends: Dict[str, int] = {}
    for found in rows:
        if found['seed'] == 0 and found['accuracy']:
            numbers, values = zip(*found['accuracy'])
            steps = np.array(numbers) + ends.get(found['start'], 0)
            ends[Row(**{k: found[k] for k in Row._fields}).key] = steps[-1]
            name = found['name'].replace('shapes, ', '')
            axis.plot(steps, 100 * np.array(values), '.-', label=name)
    axis.set(title=title, xlabel='step', ylabel='top-1, %', ylim=(0, 101))
    if axis.lines:
        axis.legend(fontsize=8)


def draw_lengths(axis: Any, rows: Sequence[Found], whole: int) -> None:
    """Draw the test accuracy over the frames of a clip.

    Args:
        axis (Axes): For the points.
        rows (Sequence[Found]): With tests.
        whole (int): Frames of a video.
    """
    axis.set(
        title=f'Test videos of {whole} frames, in parts of',
        xlabel='frames',
        ylabel='top-1, %',
        ylim=(0, 101))
    points = sorted((r['frames'], *counts(r, ORDERED)) for r in rows)
    shares = [100 * right / count for _, right, count in points]
    bounds = [wilson(right, count) for _, right, count in points]
    errors = np.abs(100 * np.array(bounds) - np.array(shares)[:, None]).T
    axis.errorbar([p[0] for p in points], shares, errors, fmt='o-', capsize=3)
    axis.set_xscale('log', base=2)
    axis.set_xticks([p[0] for p in points], [str(p[0]) for p in points])


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
        xticks=range(0, len(names), 1 + len(names) // 9),
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
    minutes = f'{results.get("minutes", 0):.0f} minutes in all.'
    about = (f'{minutes} The last weights of each training are tested, once; '
             "intervals of 95 % are Wilson's. " +
             results.get('about', '')).strip()
    pictures = [
        f'![Curves, accuracies and confusion of the rows below]({name})'
        for name in draw(results, plan, out)
    ]
    commands = [f'    python {c}' for c in results['commands'][1:]]
    more = ['Further calls:', '', *commands, ''] if commands else []
    out.write_text(
        page(
            'It sees time: videos of noise, whose classes only motion tells',
            device, about, '\n'.join([
                *more, '\n\n'.join(pictures), '',
                render(results, plan)
            ]), ''.join(results['commands'][:1]), results['page']))
