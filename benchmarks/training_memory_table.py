"""Tables of memory and speed by model, clip length and device."""
import json
import math
from functools import lru_cache, partial
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

from gpu_common import table
from training_memory_cases import MODELS_ZOO, SIDE, Case, recipe
from wrapped_page import wrapped

from mmvideomamba.analysis.training_memory import (STEPS, step_memory,
                                                   training_sizes)

GIB = 2**30
FRAMES = (8, 16, 32, 64)
# GiB of cards and machines; the rest of a tenth is for other programs and the
# deviations of the fit.
CARDS = (4, 8, 16, 24, 80)
SHARE = 0.9
BATCHES = (1, 8)
# Cores of the measurement, and of a larger machine.
CORES = (2, 8)
MARK = '## Measured'
WORDS = dict(
    bfloat16='bfloat16 (`--amp`; float16 takes as much)', float32='float32')
HOW = {
    'train-cp': 'all blocks recomputed (`checkpoint_layers`)',
    'train-frozen': 'all blocks frozen (`frozen_stages`)'
}


def frames_of(model: str) -> Tuple[int, ...]:
    """Return the clip lengths of a model's rows."""
    return (8, 64) if model == 'micro' else FRAMES


@lru_cache(maxsize=None)
def computed_bytes(case: Case, device: str) -> float:
    """Return the computed bytes of a training."""
    sizes = training_sizes(recipe(case, device))
    assert sizes is not None
    kind = 'half' if case.precision == 'bfloat16' else case.precision
    return step_memory(sizes, STEPS[device, kind])


class Rows:
    """Rows of a device and a precision.

    Memory is the whole process's: on a CPU the resident set, on a GPU the
    reserve of the allocator and the context of the driver.

    Args:
        device (str): 'cpu' or 'cuda'.
        precision (str): 'float32' or 'bfloat16'.
        entries (dict): By case.
    """

    def __init__(self, device: str, precision: str,
                 entries: Dict[str, dict]) -> None:
        self.device, self.precision = device, precision
        self.entries = entries
        self.on_cpu = device == 'cpu'
        contexts = [e['context'] for e in entries.values() if 'context' in e]
        self.context = max(contexts, default=0.)

    def entry(self, *parts: Any) -> dict:
        """Return the entry of a model, frames, clips and how."""
        name = '-'.join(map(str, (*parts, self.precision)))
        return self.entries.get(name, {})

    def measured(self, entry: dict) -> Optional[float]:
        """Return the measured GiB of an entry, None without a figure."""
        found = entry.get('gib' if self.on_cpu else 'reserved')
        return None if found is None else found + self.context

    def computed(self, model: str, frames: int, clips: int) -> float:
        """Return the computed GiB of a training."""
        case = Case(model, frames, clips, 'train', self.precision)
        return computed_bytes(case, self.device) / GIB + self.context

    def memory(self, model: str, frames: int, clips: int) -> str:
        """Return the measured GiB, or the computed GiB, labelled."""
        found = self.measured(self.entry(model, frames, clips, 'train'))
        if found is not None:
            return f'{found:.2f}'
        return f'{self.computed(model, frames, clips):.1f} computed'

    def batch(self, card: int, frames: int, model: str) -> str:
        """Return the largest batch of a card or machine."""
        one, two = (self.computed(model, frames, n) for n in (1, 2))
        size = math.floor((SHARE * card - one) / (two - one)) + 1
        return str(size) if size > 0 else 'none'

    def _time(self, model: str, frames: int) -> Tuple[float, bool]:
        """Return the time of 8 clips, and whether a step took just so long.

        Otherwise the time is that of the longest measured clip, in
        proportion; 0 without any.
        """
        key = 'core_seconds' if self.on_cpu else 'ms'
        for length in (n for n in FRAMES[::-1] if n <= frames):
            for clips in (8, 2, 1):
                entry = self.entry(model, length, clips, 'train')
                if key in entry:
                    time = entry[key] * 8 / clips * frames / length
                    return time, (length, clips) == (frames, 8)
        return 0., False

    def times(self, model: str, frames: int) -> List[str]:
        """Return the time of a step of 8 clips, by cores on a CPU."""
        time, measured = self._time(model, frames)
        parts = [time / n for n in CORES] if self.on_cpu else [time]
        mark = '' if measured else ' computed'
        # On a CPU the measured time is that of the first column.
        marks = [mark, ' computed'] if self.on_cpu else [mark]
        return [
            f'{part:.{3 if part < 100 else 0}{"g" if part < 100 else "f"}}'
            f'{label}' if time else '' for part, label in zip(parts, marks)
        ]

    def fits(self) -> str:
        """Return the table of the largest batches."""
        models = [model for model in MODELS_ZOO if model != 'micro']
        return table(['memory, GiB', 'frames', *models], [[
            f'{card}', f'{frames}',
            *map(partial(self.batch, card, frames), models)
        ] for card in CARDS for frames in FRAMES])

    def needs(self) -> str:
        """Return the table of memory and time."""
        speed = [f's a step, {n} cores'
                 for n in CORES] if self.on_cpu else ['ms a step']
        return table(
            ['model', 'frames', *(f'GiB, batch {n}' for n in BATCHES), *speed],
            [[
                f'{model}, {SIDE[model]} px', f'{frames}',
                *map(partial(self.memory, model, frames), BATCHES),
                *self.times(model, frames)
            ] for model in MODELS_ZOO for frames in frames_of(model)])

    def others(self) -> str:
        """Return the table of measured trainings with less to learn."""
        return table(
            ['model', 'frames', 'batch', 'training', 'GiB', self.unit], [[
                case.model, f'{case.frames}', f'{case.clips}', HOW[case.how],
                *self.figures(entry)
            ] for case, entry in self.cases(*HOW)])

    def inference(self) -> str:
        """Return the table of measured inferences."""
        return table(['model', 'frames', 'GiB', self.unit],
                     [[case.model, f'{case.frames}', *self.figures(entry)]
                      for case, entry in self.cases('infer')])

    @property
    def unit(self) -> str:
        """Unit of a measured time."""
        return 'core seconds' if self.on_cpu else 'ms'

    def figures(self, entry: dict) -> List[str]:
        """Return GiB and time of an entry."""
        time = entry['core_seconds'] if self.on_cpu else entry['ms']
        return [f'{self.measured(entry):.2f}', f'{time:.3g}']

    def cases(self, *how: str) -> List[Tuple[Case, dict]]:
        """Return the measured cases of some ways, with the entries."""
        found = [(Case.parse(name), e) for name, e in self.entries.items()
                 if 'note' not in e]
        return sorted((case, e) for case, e in found
                      if case.how in how and case.precision == self.precision)

    def text(self) -> str:
        """Return all tables, with a line above each."""
        words = WORDS[self.precision]
        parts = [
            (f'Largest batch that trains in {words}, computed:', self.fits()),
            (f'Memory and time of a step of 8 clips in {words}:', self.needs())
        ]
        if self.cases(*HOW):
            parts.append((f'Trainings that keep less, {self.precision}:',
                          self.others()))
        if self.cases('infer'):
            parts.append((f'Inference, one view of one clip, '
                          f'{self.precision}:', self.inference()))
        return '\n\n'.join(f'{line}\n\n{rows}' for line, rows in parts)


def _section(device: str, about: dict, entries: Dict[str, dict]) -> str:
    """Return the part of a device."""
    versions = ', '.join(f'{k} {v}' for k, v in about['versions'].items())
    place = about['device']
    if device == 'cpu':
        place = f'{about["processor"]}, {about["threads"]} threads of torch'
    lines = [f'## {"CPU" if device == "cpu" else "GPU"}', '']
    for precision in WORDS:
        if any(name.endswith(precision) for name in entries):
            lines += [Rows(device, precision, entries).text(), '']
    return '\n'.join([
        *lines, 'Measured by', '',
        *(f'    {command}' for command in about['commands']), '',
        f'{place}, {about["processors"]} processors; {versions}; '
        f'{", ".join(about["dates"])}. Cases without a row were left out by '
        'the budget.', ''
    ])


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
        'clips without a cost, random weights.', '',
        '- **GiB**: of the whole process. On a GPU: the reserve of the '
        'allocator after 20 steps, CUDA graphs included, and about 0.8 GiB '
        'for the context of the driver, so about as `nvidia-smi` shows it. '
        'The peak of allocated tensors is smaller and no guide. On a CPU: the '
        'peak of the resident memory, with about 1.1 GiB of libraries, '
        'without workers (about 0.1 GiB each).',
        '- **computed**: by `mmvideomamba.analysis.estimate_training_memory`, '
        'fitted to the measured cases: to 5 % on the CPU and 9 % on the GPU. '
        'A case of the GPU left out of the fit is met to 14 %; recomputed and '
        'frozen blocks were measured on a GPU with Tiny alone. Batches: '
        'computed for nine tenths of the memory; **none**: not even one '
        'clip.',
        '- **Time**: the best of the timed steps, of 8 clips. On a CPU in '
        'processor time of all threads over the cores, since other programs '
        'shared the machine: a step takes at least so long. A computed time '
        'is in proportion to frames and clips of a measured case, on a GPU '
        'an upper bound, since more tokens at once use a GPU better.', ''
    ]
    for device in ('cuda', 'cpu'):
        about, entries = stored(out, device)
        if entries:
            lines.append(_section(device, about, entries))
    text = wrapped('\n'.join(lines).rstrip() + '\n')
    (out / 'which_model.md').write_text(text)
    return text


def paste(text: str, page: Path) -> None:
    """Put a page of results, without the title, after the mark of a page.

    Args:
        text (str): The results.
        page (Path): With a line ``MARK``.
    """
    head = page.read_text().partition(MARK)[0]
    page.write_text(head + MARK + '\n' + text.partition('\n')[2])
