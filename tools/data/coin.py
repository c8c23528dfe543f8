#!/usr/bin/env python
"""Write the annotation files of COIN.

Reads the official ``COIN.json``: an entry of ``database`` holds a video's
``subset`` (training or testing) and ``recipe_type``, the label. Finds the
videos ``ID.*`` below ``DATA_ROOT/videos``. Writes ``train.csv`` and
``test.csv``, a line ``path,label`` per video. Two videos are left out, as in
ViS4mer.
"""
import argparse
from pathlib import Path

from mmvideomamba.command_line import data_root_parser, user_errors


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = data_root_parser(__doc__, 'data/coin')
    parser.add_argument(
        '--annotations', type=Path, required=True, help='COIN.json')
    return parser


if __name__ == '__main__':
    # Answers --help and refuses wrong options first: the imports below take
    # seconds.
    build_parser().parse_args()

from mmvideomamba.datasets.preparation import Listing, index_videos
from mmvideomamba.json_file import read_json

NUM_CLASSES = 180
SPLITS = dict(training='train', testing='test')
LEFT_OUT = ('AfiVmAjfTNs', 'cjwtcDKTQM8')


def build(args: argparse.Namespace) -> None:
    """Write the files.

    Args:
        args (argparse.Namespace): See the parser.

    Raises:
        OSError: If a file is missing.
        ValueError: If the list has another form or there are no videos.
    """
    content = read_json(args.annotations, 'annotation file',
                        'take the official COIN.json')
    if 'database' not in content:
        raise ValueError(f'{args.annotations} has no entry "database"; take '
                         'the official COIN.json')
    videos = index_videos(args.data_root / 'videos')
    listings = {split: Listing(videos) for split in SPLITS.values()}
    for name, entry in content['database'].items():
        label = int(entry['recipe_type'])
        if entry['subset'] not in SPLITS or not 0 <= label < NUM_CLASSES:
            raise ValueError(
                f'video {name} in {args.annotations} has subset '
                f'{entry["subset"]!r} and recipe_type {label}; subsets are '
                f'{", ".join(SPLITS)}, labels below {NUM_CLASSES}')
        if name not in LEFT_OUT:
            listings[SPLITS[entry['subset']]].add(name, label)
    for split, listing in listings.items():
        print(listing.write(args.data_root / f'{split}.csv'))


def main() -> None:
    """Parse the command line and build."""
    with user_errors():
        build(build_parser().parse_args())


if __name__ == '__main__':
    main()
