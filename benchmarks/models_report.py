"""Tables and plots of the model benchmark."""
from pathlib import Path
from typing import Dict, List, NamedTuple, Optional

import matplotlib
from gpu_common import Entry, Results, cell, table
from wrapped_page import wrapped

matplotlib.use('Agg')

from matplotlib import pyplot as plt  # noqa: E402

KEYS = ('suite', 'model', 'frames', 'batch', 'how')


class Aim(NamedTuple):
    """A ratio of two entries that is to be reached.

    Attributes:
        what (str): Description.
        other (dict): Keys of the entry to compare with.
        ours (dict): Keys of our entry, as far as they differ.
        must (float): Ratio to reach, or 0 for none.
        aim (float): Ratio to aim at.
        field (str): 'ms' or 'gib'.
    """
    what: str
    other: dict
    ours: dict
    must: float
    aim: float
    field: str = 'ms'


def _aims() -> List[Aim]:
    """Return the table of aims: other / ours is to be that large."""
    aims = []
    for arch, frames, batch in (('M', 8, 32), ('Ti', 64, 8)):
        ours = dict(model=f'VideoMamba-{arch}, triton')
        for how in ('train', 'inference'):
            other = dict(
                suite='models',
                model=f'VideoMamba-{arch}, mamba_ssm',
                frames=frames,
                batch=batch,
                how=how)
            place = f'{arch} {frames}f b{batch}'
            aims.append(
                Aim(f'{how}, {place}, against mamba_ssm', other, ours, 3, 4))
            if how == 'train':
                aims.append(
                    Aim(
                        f'peak memory of training, {place}, against '
                        'mamba_ssm', other, ours, 2, 3, 'gib'))
    other = dict(
        suite='batch1',
        model='VideoMamba-M, mamba_ssm',
        frames=8,
        batch=1,
        how='inference')
    for how in ('graph', 'graph, bfloat16 weights'):
        aims.append(
            Aim(f'M 8f b1 as a {how}, against mamba_ssm as it comes', other,
                dict(model='VideoMamba-M, triton', how=how), 5, 10))
    for suite, batch in (('batch1', 1), ('models', 4)):
        for how in ('inference', 'train'):
            other = dict(
                suite=suite,
                model='VideoMamba-M, mamba_ssm',
                frames=64,
                batch=batch,
                how=how)
            aims.append(
                Aim(f'{how}, M 64f b{batch}, against mamba_ssm', other,
                    dict(model='VideoMamba-M, triton'), 1, 3))
    for how, first in (('inference', 16), ('train', 32)):
        for frames in (8, 16, 32, 64):
            other = dict(
                suite='models',
                model='ViT-Ti',
                frames=frames,
                batch=512 // frames,
                how=how)
            aims.append(
                Aim(f'{how}, Ti {frames}f, against ViT-Ti', other,
                    dict(model='VideoMamba-Ti, triton'), float(frames == 64),
                    float(frames >= first)))
    return aims


def aims_table(results: Results) -> str:
    """Compare what was measured with what was aimed at."""
    rows = []
    for aim in _aims():
        other = results.find(**aim.other)
        ours = results.find(**{**aim.other, **aim.ours})
        if aim.field not in other or aim.field not in ours:
            continue
        ratio = other[aim.field] / ours[aim.field]
        rows.append([
            aim.what,
            cell(other, aim.field),
            cell(ours, aim.field), f'{ratio:.2f}',
            *(_held(ratio, bound) for bound in (aim.must, aim.aim))
        ])
    return table(['what', 'other', 'ours', 'ratio', 'must', 'aim'], rows)


def _held(ratio: float, bound: float) -> str:
    if not bound:
        return ''
    return f'{bound:g}: {"yes" if ratio >= bound else "no"}'


def _suite(results: Results, suite: str) -> List[Entry]:
    return [e for e in results.entries if e['suite'] == suite]


def _column(entries: List[Entry], name: str) -> list:
    return list(dict.fromkeys(e[name] for e in entries))


def models_table(results: Results, suite: str, columns: Dict[str, str]) -> str:
    """Return a table with a line per model and length.

    Args:
        results (Results): What was measured.
        suite (str): 'models', 'batch1' or 'length'.
        columns (dict[str, str]): Values of ``how`` and their headings.
    """
    entries = _suite(results, suite)
    rows = []
    places = [(e['model'], e['frames'], e['batch']) for e in entries]
    for place in dict.fromkeys(places):
        keys = dict(zip(('model', 'frames', 'batch'), place), suite=suite)
        row = [place[0], f'{place[1]} ({place[2]})']
        for how in columns:
            e = results.find(how=how, **keys)
            row += [cell(e), cell(e, 'gib', 2) if 'ms' in e else '']
        rows.append(row)
    head = ['model', 'frames (batch)']
    for name in columns.values():
        head += [f'{name} ms', 'GiB']
    return table(head, rows)


def _lines(axes: plt.Axes, entries: List[Entry], field: str) -> None:
    """Draw a line per model over its number of frames."""
    for model in _column(entries, 'model'):
        points = sorted((e['frames'], e[field], e['batch'] * e['frames'])
                        for e in entries if e['model'] == model and field in e)
        if not points:
            continue
        x = [frames for frames, _, _ in points]
        y = [
            1e3 * total / value if field == 'ms' else value
            for _, value, total in points
        ]
        style = '-' if model.startswith('VideoMamba') else '--'
        axes.plot(x, y, style, marker='o', markersize=4, label=model)
    axes.set_xscale('log', base=2)
    axes.set_yscale('log', base=2)
    axes.xaxis.set_major_formatter('{x:g}')
    axes.yaxis.set_major_formatter('{x:g}')
    axes.set_xlabel('frames of a clip')
    axes.set_ylabel('frames a second' if field == 'ms' else 'peak GiB')
    axes.grid(alpha=0.3)


def _figure(path: Path, title: str, panels: Dict[str, tuple]) -> None:
    """Draw panels of (entries, field) in a row."""
    panels = {k: v for k, v in panels.items() if v[0]}
    if not panels:
        return
    figure, rows = plt.subplots(
        1,
        len(panels),
        figsize=(4 * len(panels), 3.6),
        layout='constrained',
        squeeze=False)
    for axes, (name, (entries, field)) in zip(rows[0], panels.items()):
        _lines(axes, entries, field)
        axes.set_title(name)
    handles, labels = rows[0][0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc='outside lower center', ncols=4, fontsize=8)
    figure.suptitle(title)
    figure.savefig(path, dpi=110)
    plt.close(figure)


def plots(results: Results, folder: Path) -> None:
    """Write the pictures of throughput and memory against frames."""
    device = results.about['device']
    ti = [e for e in _suite(results, 'models') if '-Ti' in e['model']]
    by_how: Dict[str, List[Entry]] = {
        how: [e for e in ti if e['how'] == how]
        for how in ('inference', 'train')
    }
    _figure(
        folder / 'models_gpu.png',
        f'{device}, bfloat16, as many frames a batch at every length', {
            'inference': (by_how['inference'], 'ms'),
            'training step': (by_how['train'], 'ms'),
            'memory of training': (by_how['train'], 'gib')
        })
    length = _suite(results, 'length')
    full = [e for e in length if e['batch'] * e['frames'] == _total(length)]
    single = [e for e in length if e['batch'] == 1]
    _figure(
        folder / 'length_gpu.png', f'{device}, bfloat16, inference', {
            f'{_total(length)} frames a batch': (full, 'ms'),
            'one clip': (single, 'ms'),
            'memory, one clip': (single, 'gib')
        })


def _total(entries: List[Entry]) -> Optional[int]:
    return max((e['batch'] * e['frames'] for e in entries), default=None)


SUITES = dict(
    models=('Batches of as many frames',
            dict(inference='inference', train='training step')),
    batch1=('One clip', {
        'inference': 'inference',
        'graph': 'graph',
        'graph, bfloat16 weights': 'graph, bfloat16 weights',
        'train': 'training step'
    }),
    length=('Many frames', dict(inference='inference')))


def write(results: Results, folder: Path) -> str:
    """Write tables and pictures; return the tables as markdown."""
    parts = [
        '# Models', '',
        results.head(),
        'bfloat16 autocast, 224 x 224 pixels, medians. Training step: forward '
        'and backward. GiB: peak of allocated memory, weights and input '
        'included. mamba_ssm: the stock kernels, two one-directional scans '
        'per mixer on flipped copies, channel-first. ViT: 12 layers, joint '
        "attention through SDPA. TimeSformer: mmaction2's, divided attention.",
        '', '## Aims', '',
        aims_table(results)
    ]
    for suite, (title, columns) in SUITES.items():
        if _suite(results, suite):
            parts += [
                '', f'## {title}', '',
                models_table(results, suite, columns)
            ]
    text = '\n'.join(parts) + '\n'
    (folder / 'models_gpu.md').write_text(wrapped(text))
    plots(results, folder)
    return text
