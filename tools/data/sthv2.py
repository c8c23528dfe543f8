#!/usr/bin/env python
"""Write the annotation files of Something-Something V2.

Reads the official ``labels.json``, ``train.json`` and ``validation.json``
(also under the long names ``something-something-v2-...``) and finds the
videos ``ID.webm`` below ``DATA_ROOT/videos``. Writes ``train.csv`` and
``val.csv``, a line ``path label`` per video, ``pretraining.csv``, the
training videos once more with ``path,label``, and ``classes.txt``. Labels are
the official numbers.
"""
import argparse
from pathlib import Path
from typing import Any

from mmvideomamba.command_line import data_root_parser, user_errors


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = data_root_parser(__doc__, 'data/sthv2')
    parser.add_argument(
        '--annotations',
        type=Path,
        required=True,
        help='folder of the official .json files')
    return parser


if __name__ == '__main__':
    # Answers --help and refuses wrong options first: the imports below take
    # seconds.
    build_parser().parse_args()

from mmvideomamba.datasets.preparation import (Listing, index_videos,
                                               write_lines)
from mmvideomamba.json_file import read_json

# List, official file, and delimiter of the columns: the published runs read
# spaces for fine-tuning and commas for pretraining.
LISTS = (('train', 'train', ' '), ('val', 'validation', ' '), ('pretraining',
                                                               'train', ','))


def read_list(folder: Path, name: str) -> Any:
    """Read an official file.

    Args:
        folder (Path): Folder of the official files.
        name (str): 'labels', 'train' or 'validation'.

    Returns:
        Any: Content of the JSON file.

    Raises:
        FileNotFoundError: If the folder holds neither the short nor the long
            name.
    """
    names = (f'{name}.json', f'something-something-v2-{name}.json')
    for path in (folder / one for one in names):
        if path.is_file():
            return read_json(path, 'list', 'take the official file')
    raise FileNotFoundError(f'{folder} holds neither {" nor ".join(names)}')


def build(args: argparse.Namespace) -> None:
    """Write the files.

    Args:
        args (argparse.Namespace): See the parser.

    Raises:
        OSError: If a file is missing.
        ValueError: If a file has another form or there are no videos.
    """
    labels = {
        name: int(label)
        for name, label in read_list(args.annotations, 'labels').items()
    }
    videos = index_videos(args.data_root / 'videos')
    for target, name, separator in LISTS:
        listing = Listing(videos, separator)
        for entry in read_list(args.annotations, name):
            # '[something]' stands for an object, the label has no brackets.
            template = entry['template'].replace('[', '').replace(']', '')
            if template not in labels:
                raise ValueError(f'the template {entry["template"]!r} of '
                                 f'video {entry["id"]} is not in labels.json')
            listing.add(entry['id'], labels[template])
        print(listing.write(args.data_root / f'{target}.csv'))
    write_lines(args.data_root / 'classes.txt',
                sorted(labels, key=labels.__getitem__))


def main() -> None:
    """Parse the command line and build."""
    with user_errors():
        build(build_parser().parse_args())


if __name__ == '__main__':
    main()
