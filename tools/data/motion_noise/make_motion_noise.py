#!/usr/bin/env python
"""Make videos of noise, whose classes only motion tells.

    python tools/data/motion_noise/make_motion_noise.py kinds
    python tools/data/motion_noise/make_motion_noise.py shapes

Each frame is pure noise: black and white cells of equal chance, independent of
each other, whatever the class. The class is in the motion:

- ``kinds``: 18 kinds of motion. Four directions at two speeds, two rotations,
  expansion and contraction, two shears, two reversals and two orders of two
  motions.
- ``shapes``: 20 letters. The noise within the letter moves, the noise around
  the letter moves in the opposite direction.

The files are lossless: no artefact of a codec tells the class.
The splits share neither noise nor centres, places and scales.
"""
import argparse
from pathlib import Path
from typing import Optional, Sequence

from mmvideomamba.command_line import user_errors

# Clips by task: multiples of the number of classes.
CLIPS = dict(kinds=(20016, 900, 1800), shapes=(20000, 1000, 2000))
OPTIONS = ('frames', 'size', 'cell', 'speed', 'coherence', 'ground',
           'appearance', 'codec', 'seed')


def parse_args(args: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n', maxsplit=1)[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    add = parser.add_argument
    add('task', choices=tuple(CLIPS))
    add('--out-dir', type=Path, help='data/motion_noise/TASK if left out')
    for i, split in enumerate(('train', 'val', 'test')):
        numbers = ' or '.join(str(counts[i]) for counts in CLIPS.values())
        add(f'--{split}', type=int, help=f'clips, {numbers} if left out')
    add('--classes', nargs='+', default=[], help='some of the classes')
    add('--frames', type=int, default=16, help='of a clip')
    add('--size', type=int, default=64, help='side of a frame in pixels')
    add('--cell', type=int, default=1, help='side of a cell in pixels')
    add('--speed', type=int, default=1, help='cells per frame')
    add('--coherence',
        type=float,
        default=1.,
        help='share of the cells that obey the motion')
    add('--ground',
        default='opposed',
        help='noise around a letter: opposed, still or flicker')
    add('--directions',
        nargs='+',
        default=[],
        help='ways of the noise within a letter: left, right, up, down; all '
        'if left out. One way is the start of a curriculum')
    add('--appearance',
        type=float,
        default=0.,
        help='share of white cells of a letter in training clips, for the '
        'start of a curriculum: single frames show the letter')
    add('--codec', default='ffvhuff', help='ffvhuff, ffv1 or rawvideo')
    add('--seed', type=int, default=0)
    add('--workers', type=int, default=1, help='processes')
    add('--overwrite',
        action='store_true',
        help='replace a set that is there, also one of other settings')
    return parser.parse_args(args)


def main(args: Optional[Sequence[str]] = None) -> None:
    """Make the set and name the folder."""
    found = parse_args(args)
    # Imported late: --help need not wait for PyAV.
    from mmvideomamba.datasets.preparation import NoiseSettings, make_noise_set
    out_dir = found.out_dir or Path('data/motion_noise', found.task)
    counts = [
        default if getattr(found, split) is None else getattr(found, split)
        for split, default in zip(('train', 'val', 'test'), CLIPS[found.task])
    ]
    options = {name: getattr(found, name) for name in OPTIONS}
    settings = NoiseSettings(
        found.task,
        *counts,
        classes=tuple(found.classes),
        directions=tuple(found.directions),
        **options)
    with user_errors(RuntimeError):
        made = make_noise_set(out_dir, settings, found.overwrite,
                              found.workers)
    state = 'made' if made else 'there already, nothing to do'
    words = ', '.join(f'{v} {k}' for k, v in settings.counts.items())
    print(f'\n{words} clips of {len(settings.names)} classes in {out_dir}: '
          f'{state}.')
    if settings.appearance:
        print('Single frames of the training clips show the letter '
              f'(--appearance {settings.appearance}).')


if __name__ == '__main__':
    main()
