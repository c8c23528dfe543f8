#!/usr/bin/env python
"""Write the annotation files of Breakfast.

Split and label come from the file names: the videos lie below
``DATA_ROOT/videos`` as ``PERSON/CAMERA/PERSON_ACTIVITY.avi``, for example
``P03/cam01/P03_cereals.avi``, or, flat, as ``P03-cam01-P03_cereals.avi``;
names of stereo recordings end in ``_ch0`` or ``_ch1``. Persons P03 to P46 are
for training, P47 to P54 for the test. Writes ``train.csv`` and ``test.csv``, a
line ``path,label`` per video.

The split of ViS4mer counts 1357 and 355 videos, a video per camera: of stereo
recordings the first channel is listed and ``_ch1`` is left out. Three further
videos are left out, as in ViS4mer.
"""
import argparse
import re
from typing import Dict, List

from mmvideomamba.command_line import data_root_parser, user_errors


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = data_root_parser(__doc__, 'data/breakfast')
    return parser


if __name__ == '__main__':
    # Answers --help and refuses wrong options first: the imports below take
    # seconds.
    build_parser().parse_args()

from mmvideomamba.datasets.preparation import EXTENSIONS, write_lines

CLASSES = ('cereals', 'coffee', 'tea', 'pancake', 'friedegg', 'scrambledegg',
           'sandwich', 'juice', 'milk', 'salat')
LEFT_OUT = ('P28-cam01-P28_cereals', 'P28-cam02-P28_cereals',
            'P27-stereo-P27_milk_ch0')
NAME = re.compile(r'P(?P<person>\d\d)[-_](?:.*[-_])?(?P<activity>[a-z]+)'
                  r'(?:_ch\d)?$')
LAST_OF_TRAINING = 46


def build(args: argparse.Namespace) -> None:
    """Write the files.

    Args:
        args (argparse.Namespace): See the parser.

    Raises:
        OSError: If the folder is missing.
        ValueError: If a video has another name, or a split is empty.
    """
    root = args.data_root / 'videos'
    if not root.is_dir():
        raise FileNotFoundError(f'{root} does not exist or is not a folder')
    lines: Dict[str, List[str]] = dict(train=[], test=[])
    for path in sorted(root.rglob('*')):
        if path.suffix.lower() not in EXTENSIONS:
            continue
        place = path.relative_to(root)
        skipped = '-'.join(place.with_suffix('').parts) in LEFT_OUT
        if skipped or path.stem.endswith('_ch1'):
            continue
        found = NAME.match(path.stem)
        if not found or found['activity'] not in CLASSES:
            raise ValueError(
                f'{path} is not named PERSON_ACTIVITY with an activity out '
                f'of {", ".join(CLASSES)}; rename it, or move it away')
        trains = int(found['person']) <= LAST_OF_TRAINING
        label = CLASSES.index(found['activity'])
        lines['train' if trains else 'test'].append(
            f'{place.as_posix()},{label}')
    for split, rows in lines.items():
        if not rows:
            raise ValueError(f'{root} holds no video of the {split} split '
                             f'(training is up to P{LAST_OF_TRAINING})')
    for split, rows in lines.items():
        write_lines(args.data_root / f'{split}.csv', rows)
        print(f'{args.data_root / split}.csv: {len(rows)} videos')
    write_lines(args.data_root / 'classes.txt', CLASSES)


def main() -> None:
    """Parse the command line and build."""
    with user_errors():
        build(build_parser().parse_args())


if __name__ == '__main__':
    main()
