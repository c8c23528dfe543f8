#!/usr/bin/env python
"""Write the annotation files of Kinetics-400.

Reads the official lists (columns ``label``, ``youtube_id``, ``time_start``,
``time_end``) and finds the clips ``ID_START_END.*``, times as six digits,
anywhere below ``DATA_ROOT/videos``. Writes ``train.csv`` and ``val.csv``, a
line ``path,label`` per clip, and ``classes.txt``. Labels are in alphabetical
order of the names, as in mmaction2's lists. Clips no longer
available are left out and counted.
"""
import argparse
from pathlib import Path

from mmvideomamba.command_line import data_root_parser, user_errors


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = data_root_parser(__doc__, 'data/kinetics400')
    for split in ('train', 'val'):
        parser.add_argument(
            f'--{split}-list',
            type=Path,
            required=True,
            help=f'official list of the {split} split, .csv')
    return parser


if __name__ == '__main__':
    # Answers --help and refuses wrong options first: the imports below take
    # seconds.
    build_parser().parse_args()

from mmvideomamba.datasets.preparation import (Listing, index_videos,
                                               number_names, read_table,
                                               write_lines)

COLUMNS = ('label', 'youtube_id', 'time_start', 'time_end')


def build(args: argparse.Namespace) -> None:
    """Write the files.

    Args:
        args (argparse.Namespace): See the parser.

    Raises:
        OSError: If a file is missing.
        ValueError: If a list has another form or there are no clips.
    """
    lists = dict(train=args.train_list, val=args.val_list)
    tables = {
        split: read_table(path, COLUMNS)
        for split, path in lists.items()
    }
    labels = number_names(row['label'] for row in tables['train'])
    unknown = {row['label'] for row in tables['val']} - labels.keys()
    if unknown:
        raise ValueError(f'{args.val_list} has classes that are not in '
                         f'{args.train_list}: {", ".join(sorted(unknown))}')
    videos = index_videos(args.data_root / 'videos')
    for split, rows in tables.items():
        listing = Listing(videos)
        for row in rows:
            start, end = (int(row[key]) for key in COLUMNS[2:])
            listing.add(f'{row["youtube_id"]}_{start:06d}_{end:06d}',
                        labels[row['label']])
        print(listing.write(args.data_root / f'{split}.csv'))
    write_lines(args.data_root / 'classes.txt', list(labels))


def main() -> None:
    """Parse the command line and build."""
    with user_errors():
        build(build_parser().parse_args())


if __name__ == '__main__':
    main()
