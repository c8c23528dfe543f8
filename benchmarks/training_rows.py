"""Rows of training_data.py, and the table."""
import argparse
import shlex
import sys
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

from gpu_common import Entry, cell, page, table
from made_videos import KINETICS, SMALL, sizes
from recipe_parts import MIDDLE_8F, TINY_8F, Case

# Clips are two copies of half as many videos.
CASES: Dict[str, Case] = {
    'Tiny 8f, 64 clips': Case(TINY_8F, 64),
    'Middle 8f, 32 clips': Case(MIDDLE_8F, 32),
}
COPIES = 2
EAGER, DEFAULT = 'eager step, before', 'default settings, no data'
HOST = 'train.py, mmaction2 pipeline'


class Training(NamedTuple):
    """A training by tools/train.py.

    Args:
        files (str): 'originals' or 'prepared_copy'.
        augment (str): Where clips are augmented: 'workers', 'device', or ''
            for a checkout without a choice.
        before (bool): Whether the older checkout trains. Defaults to False.
    """
    files: str
    augment: str
    before: bool = False


ROWS: Dict[str, Optional[Training]] = {
    EAGER: None,
    DEFAULT: None,
    'train.py before, originals': Training('originals', '', True),
    'train.py, originals, workers': Training('originals', 'workers'),
    'train.py, originals, device': Training('originals', 'device'),
    'train.py, prepared copy, workers': Training('prepared_copy', 'workers'),
    'train.py, prepared copy, device': Training('prepared_copy', 'device'),
    HOST: Training('originals', 'workers'),
}
TINY, MIDDLE = CASES
# What decides comes first, should the time run out.
ORDER: List[Tuple[str, str]] = [
    (TINY, EAGER),
    (MIDDLE, EAGER),
    (TINY, 'train.py, prepared copy, device'),
    (MIDDLE, 'train.py, originals, device'),
    (TINY, 'train.py before, originals'),
    (TINY, 'train.py, originals, device'),
    (MIDDLE, 'train.py before, originals'),
    (TINY, 'train.py, prepared copy, workers'),
    (MIDDLE, 'train.py, prepared copy, device'),
    (TINY, 'train.py, originals, workers'),
    (MIDDLE, 'train.py, originals, workers'),
    (TINY, DEFAULT),
    (MIDDLE, DEFAULT),
    (MIDDLE, 'train.py, prepared copy, workers'),
    (TINY, HOST),
    (MIDDLE, HOST),
]

Lines = Dict[Tuple[str, str], Entry]


def sustained(entry: Entry) -> float:
    """Return milliseconds of an iteration, used up batches left out.

    A longer training could not live on batches that waited in the loader
    when the window began, and no more when the window ended.

    Args:
        entry (dict): With ``ms``, and of a training ``ready`` and ``timed``.
    """
    begin, end = entry.get('ready', (0, 0))
    used = max(begin - end, 0)
    timed = entry.get('timed', 1)
    return entry['ms'] * timed / max(timed - used, 1)


def rows_of(lines: Lines) -> Iterator[List[str]]:
    """Yield the lines of the table."""
    for name in CASES:
        eager = lines.get((name, EAGER), {}).get('ms')
        for row in ROWS:
            if (name, row) not in lines:
                continue
            e: Dict[str, Any] = dict(lines[name, row])
            if 'ms' in e:
                e['lasting'] = sustained(e)
                e['rate'] = 1e3 * e['clips'] / e['lasting']
            if 'ms' in e and eager:
                e['ratio'] = eager / e['lasting']
            if 'ready' in e:
                e['note'] = '{} to {}'.format(*e['ready'])
            yield [
                name, row,
                cell(e), *('' if key not in e else cell(e, key, digits)
                           for key, digits in (('lasting', 1), ('rate', 0),
                                               ('ratio', 3), ('waiting', 0))),
                e['note'] if 'ready' in e else '',
                *('' if key not in e else cell(e, key, digits)
                  for key, digits in (('workers', 0), ('cores', 1),
                                      ('host', 1), ('gib', 2))),
                e.get('said', '')
            ]


def report(args: argparse.Namespace, lines: Lines, folder: Path) -> str:
    """Return the page with the table."""
    command = shlex.join(sys.argv)
    for path in filter(None, (args.before, args.folder)):
        command = command.replace(str(path), path.name)
    old, new = (sizes(folder / x) for x in ('originals', 'prepared_copy'))
    kind = SMALL if args.tiny else KINETICS
    head = [
        'recipe', 'row', 'ms', 'lasting ms', 'clips/s', 'to eager',
        'in the loader %', 'ready', 'workers', 'cores', 'host GiB', 'GPU GiB',
        'the log says'
    ]
    about = (
        'Recipes of Kinetics-400 with random weights, bfloat16 on a GPU, two '
        f'clips of each video. {args.videos} videos, listed again and again '
        f'and therefore in the page cache: {kind.words()}, '
        f'{old["mb"]:.2f} MB each, in the prepared copy {new["mb"]:.2f} MB. '
        'Of a training: milliseconds of an iteration, mean of a window of '
        f'at least {args.timed} after a warm-up that uses up what the loader '
        'prepared while the first steps were slow; lasting: without batches '
        'that waited in the loader when the window began and no more when '
        'the window ended (ready); to eager: rate of steps, lasting, over '
        'that of the eager step; in the loader: share of the window that the '
        'host spent there; cores: processor time of training and workers '
        'over the window; host GiB: of both, shared pages divided.')
    return page('Training with its data', args.device, about,
                table(head, list(rows_of(lines))), command)
