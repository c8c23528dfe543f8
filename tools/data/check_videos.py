#!/usr/bin/env python
"""Check lists of videos, and the videos, before a training meets the faults.

    python tools/data/check_videos.py data/custom/train.txt data/custom/val.txt

Takes annotation files (``PATH LABEL``, several labels, numbers, windows),
JSON files of captions or questions, or a folder of lists, or a folder with a
folder per class. Opens each file once and decodes the first and the last
frame, with ``--whole`` all frames; looks for faults of the lines, videos in
two splits, labels out of range and classes without samples.

Results go into a report (JSON). An interrupted check goes on from the report;
files changed since are checked again. ``--write-clean DIR`` writes the
lists without the faulty lines. Exit status: 0 without faults, 1 with faults,
2 if the check could not run, 130 if interrupted.
"""
import argparse
import functools
import sys
from pathlib import Path
from typing import Optional

from mmvideomamba.command_line import user_errors
from mmvideomamba.datasets.preparation.options import (add_check_options,
                                                       add_list_options,
                                                       positive,
                                                       print_any_names)
from mmvideomamba.exit_codes import INTERRUPTED


def parse_args() -> argparse.Namespace:
    """Read the command line.

    Returns:
        argparse.Namespace: The arguments.
    """
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter)
    add = parser.add_argument
    add('lists', type=Path, nargs='+', help='lists, or a folder')
    add_list_options(parser)
    add_check_options(parser)
    add('--num-classes', type=positive, help='labels lie below it')
    add('--classes',
        type=Path,
        help='names of the classes, instead of '
        '--num-classes; classes.txt next to the list, if any')
    add('--out',
        type=Path,
        default=Path('work_dirs/check_videos.json'),
        help='the report (work_dirs/check_videos.json)')
    add('--write-clean',
        type=Path,
        metavar='DIR',
        help='write the lists without faulty lines into this folder')
    return parser.parse_args()


if __name__ == '__main__':
    # Answers --help and refuses wrong options first: the imports below take
    # seconds.
    parse_args()

from mmvideomamba.datasets.class_names import read_class_names
from mmvideomamba.datasets.preparation import (check_files, make_settings,
                                               read_checks, summarize,
                                               write_report)
from mmvideomamba.datasets.preparation.check_report import (clean_paths,
                                                            only_faults,
                                                            write_clean)
from mmvideomamba.datasets.preparation.list_faults import (duplicate_faults,
                                                           label_faults,
                                                           media_faults)
from mmvideomamba.datasets.preparation.list_inputs import read_inputs
from mmvideomamba.datasets.preparation.media_check import add_digests
from mmvideomamba.datasets.preparation.media_list import describe


def count_classes(args: argparse.Namespace) -> Optional[int]:
    """Find the number of classes; None without any source of the number."""
    if args.num_classes is not None:
        return args.num_classes
    path = args.classes
    if path is None:
        first = args.lists[0]
        path = (first if first.is_dir() else first.parent) / 'classes.txt'
        if not path.is_file():
            return None
    count = len(read_class_names(path))
    print(f'{path}: {count} classes')
    return count


def check(args: argparse.Namespace) -> int:
    """Check the lists and their files, and report.

    Args:
        args (argparse.Namespace): From ``parse_args``.

    Returns:
        int: Exit status.

    Raises:
        FileNotFoundError: If a list is missing.
        ValueError: If an argument or a list cannot be used.
    """
    lists = read_inputs(args.lists, args.root, args.delimiter, args.form)
    num_classes = count_classes(args)
    targets = clean_paths(lists, args.write_clean) if args.write_clean else []
    for media in lists:
        print(describe(media))
    settings = make_settings(args.whole, args.reader, args.workers,
                             args.time_limit)
    files = {
        entry.file: entry.media
        for media in lists
        for entry in media.entries if '://' not in entry.file
    }
    save = functools.partial(write_report, args.out, settings)
    known = read_checks(args.out)
    save({path: known[path] for path in files if path in known})
    checks = check_files(files, settings, known, save)
    checks = add_digests(checks, settings)
    faults = [fault for media in lists for fault in media.faults]
    faults += media_faults(lists, checks, args.min_frames)
    faults += label_faults(lists, num_classes)
    faults += duplicate_faults(lists, checks)
    save(checks, lists, faults, True)
    if faults:
        print(summarize(faults))
    if targets:
        print('\n'.join(write_clean(lists, faults, targets)))
    count = len(only_faults(faults))
    how = 'every frame' if args.whole else 'first and last frame'
    print(f'{len(files)} files ({how}, {settings.version}), {count or "no"} '
          f'faults; report: {args.out}')
    return 1 if count else 0


def main() -> None:
    """Check; an error of the user ends with a message and status 2."""
    print_any_names()
    args = parse_args()
    try:
        with user_errors(ImportError, status=2):
            status = check(args)
    except KeyboardInterrupt:
        print(f'\ninterrupted; {args.out} keeps what was checked, and the '
              'same command goes on from there')
        status = INTERRUPTED
    sys.exit(status)


if __name__ == '__main__':
    main()
