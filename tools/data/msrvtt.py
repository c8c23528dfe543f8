#!/usr/bin/env python
"""Write the caption files of MSRVTT.

Reads the official captions, ``MSRVTT_data.json`` or the two parts
``train_val_videodatainfo.json`` and ``test_videodatainfo.json``, and the
lists of videos ``MSRVTT_train.9k.csv``, ``MSRVTT_train.7k.csv`` and
``MSRVTT_JSFUSION_test.csv``, each if it exists. Finds the videos
``video0.mp4`` ... below ``DATA_ROOT/videos``. Writes
``msrvtt_ret_train9k.json``, ``msrvtt_ret_train7k.json`` and
``msrvtt_ret_test1k.json``.
"""
import argparse
from pathlib import Path

from mmvideomamba.command_line import data_root_parser, user_errors


def build_parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    parser = data_root_parser(__doc__, 'data/msrvtt')
    parser.add_argument(
        '--annotations',
        type=Path,
        required=True,
        help='folder of the official .json and .csv files')
    return parser


if __name__ == '__main__':
    # Answers --help and refuses wrong options first: the imports below take
    # seconds.
    build_parser().parse_args()

from mmvideomamba.datasets.preparation import build_msrvtt


def build(args: argparse.Namespace) -> None:
    """Write the files.

    Args:
        args (argparse.Namespace): See the parser.

    Raises:
        OSError: If a file is missing.
        ValueError: If a file has another form or there are no videos.
    """
    for line in build_msrvtt(args.data_root, args.annotations):
        print(line)


def main() -> None:
    """Parse the command line and build."""
    with user_errors():
        build(build_parser().parse_args())


if __name__ == '__main__':
    main()
