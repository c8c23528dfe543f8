"""The table of memory and speed by model, clip length and device."""
import json
import math
from functools import partial
from pathlib import Path
from typing import Any, Dict, List, Tuple

from gpu_common import table
from training_memory_cases import MODELS_ZOO, SIDE, Case, recipe

from mmvideomamba.analysis.training_memory import (STEPS, step_memory,
                                                   training_sizes)

GIB = 2**30
FRAMES = (8, 16, 32, 64)
CARDS = (8, 16, 24, 80)
BATCHES = (1, 8)
MARK = '## Measured'
WORDS = dict(
    float32='float32', bfloat16='bfloat16 (`--amp`; float16 takes as much)')


class Rows:
    """Rows of a device and a precision.

    Args:
        device (str): 'cpu' or 'cuda'.
        precision (str): 'float32' or 'bfloat16'.
        entries (dict): By case.
    """

    def __init__(self, device: str, precision: str,
                 entries: Dict[str, dict]) -> None:
        self.device, self.precision = device, precision
        self.entries = entries
        # The peak that decides whether a training fits.
        self.key = 'gib' if device == 'cpu' else 'reserved'
        contexts = [e['context'] for e in entries.values() if 'context' in e]
        self.context = max(contexts, default=0.)

    def entry(self, *parts: Any) -> dict:
        """Return the entry of a model, frames, clips and how."""
        name = '-'.join(map(str, (*parts, self.precision)))
        return self.entries.get(name, {})

    def computed(self, model: str, frames: int, clips: int) -> float:
        """Return the GiB that a training should take."""
        case = Case(model, frames, clips, 'train', self.precision)
        sizes = training_sizes(recipe(case, self.device))
        assert sizes is not None
        kind = 'half' if self.precision == 'bfloat16' else self.precision
        found = step_memory(sizes, STEPS[self.device, kind])
        assert found is not None
        return found / GIB

    def memory(self, model: str, frames: int, clips: int) -> str:
        """Return the measured GiB, or the computed ones, labelled."""
        entry = self.entry(model, frames, clips, 'train')
        if self.key in entry:
            return f'{entry[self.key]:.2f}'
        return f'{self.computed(model, frames, clips):.1f} computed'

    def batches(self, model: str, frames: int) -> List[str]:
        """Return the largest batches by memory of a card or machine."""
        one, two = (self.computed(model, frames, n) for n in (1, 2))
        rest = one - (two - one) + self.context
        sizes = [math.floor((card - rest) / (two - one)) for card in CARDS]
        return [str(size) if size > 0 else 'none' for size in sizes]

    def speed(self, model: str, frames: int) -> str:
        """Return the speed of the trainings that were measured."""
        found = []
        for clips in BATCHES:
            entry = self.entry(model, frames, clips, 'train')
            if 'ms' in entry and self.device == 'cpu':
                found.append(f'{entry["core_seconds"] / clips:.2g} ({clips})')
            elif 'ms' in entry:
                found.append(f'{1e3 * clips / entry["ms"]:.3g} ({clips})')
        return ', '.join(found)

    def inference(self, model: str, frames: int) -> List[str]:
        """Return GiB and milliseconds of a clip."""
        entry = self.entry(model, frames, 1, 'infer')
        if 'ms' not in entry:
            return [entry.get('note', '')] * 2
        if self.device == 'cpu':
            return [f'{entry[self.key]:.2f}', f'{entry["core_seconds"]:.2g}']
        return [f'{entry[self.key]:.2f}', f'{entry["ms"]:.0f}']

    def row(self, model: str, frames: int) -> List[str]:
        """Return a row of the table."""
        return [
            f'{model}, {SIDE[model]} px', f'{frames}',
            *map(partial(self.memory, model, frames), BATCHES),
            *self.batches(model, frames),
            self.speed(model, frames), *self.inference(model, frames)
        ]

    def text(self) -> str:
        """Return the table."""
        on_cpu = self.device == 'cpu'
        head = [
            'model', 'frames', *(f'GiB, {n} at once' for n in BATCHES),
            *(f'batch in {n} GiB' for n in CARDS),
            'core seconds a clip (batch)' if on_cpu else 'clips/s (batch)',
            'GiB, inference',
            'core seconds, inference' if on_cpu else 'ms, inference'
        ]
        return table(head, [
            self.row(model, frames) for model in MODELS_ZOO
            for frames in (FRAMES if model != 'micro' else (8, 64))
        ])


def _section(device: str, about: dict, entries: Dict[str, dict]) -> str:
    """Return the part of a device."""
    versions = ', '.join(f'{k} {v}' for k, v in about['versions'].items())
    lines = [
        f'### {"CPU" if device == "cpu" else "GPU"}', '',
        *(f'    {command}' for command in about['commands']), '',
        f'{about["processor"] if device == "cpu" else about["device"]}, '
        f'{about["threads"]} threads of torch, {about["processors"]} '
        f'processors; {versions}; {", ".join(about["dates"])}.', ''
    ]
    for precision, words in WORDS.items():
        if any(name.endswith(precision) for name in entries):
            lines += [
                f'Training in {words}:', '',
                Rows(device, precision, entries).text(), ''
            ]
    return '\n'.join(lines)


def stored(out: Path, device: str) -> Tuple[dict, Dict[str, dict]]:
    """Read the measurements of a device.

    Args:
        out (Path): Folder of the results.
        device (str): 'cpu' or 'cuda'.

    Returns:
        tuple: About the run, and the entries by case; both empty without a
        file.
    """
    path = out / f'which_model_{device}.json'
    if not path.exists():
        return {}, {}
    found = json.loads(path.read_text())
    return found['about'], {e['case']: e for e in found['entries']}


def write(out: Path) -> str:
    """Write the page of all stored measurements.

    Args:
        out (Path): Folder of the results.

    Returns:
        str: The page.
    """
    lines = [
        '# Memory and speed by model', '',
        'Trainings by the recipes for own videos, with all hooks, AdamW and '
        'clips without a cost, random weights. GiB on a CPU: the resident '
        'memory of the process, with about 1.1 GiB of libraries, without '
        'workers (about 0.1 GiB each); on a GPU: what the allocator '
        'reserves, CUDA graphs included, without the context of the driver. '
        '"computed": from the fit to the measured rows, to 5 % on the CPU '
        'and 12 % on the GPU, '
        '`mmvideomamba.analysis.estimate_training_memory`, as are the '
        'largest batches. Speed: the best of the timed steps, on a CPU in '
        'processor time of all threads, since other programs shared the '
        'machine: a step takes at least that time over the cores. '
        'Inference: one view of one clip.', ''
    ]
    for device in ('cpu', 'cuda'):
        about, entries = stored(out, device)
        if entries:
            lines.append(_section(device, about, entries))
    text = '\n'.join(lines).rstrip() + '\n'
    (out / 'which_model.md').write_text(text)
    return text


def paste(text: str, page: Path) -> None:
    """Put a page of results, without its title, behind the mark of another.

    Args:
        text (str): The results.
        page (Path): With a line ``MARK``.
    """
    head = page.read_text().partition(MARK)[0]
    page.write_text(head + MARK + '\n' + text.partition('\n')[2])
