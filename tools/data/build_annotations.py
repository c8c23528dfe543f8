#!/usr/bin/env python
"""Write annotation files for videos that are sorted into class folders.

Expects ``VIDEO_ROOT/CLASS_NAME/**/VIDEO`` and writes ``train.txt``,
``val.txt`` (a line ``path label`` per video, the path below ``VIDEO_ROOT``)
and ``classes.txt`` (the names, in the order of the labels). Each class is
split on its own, the same way for the same seed. Each video is opened first;
if one cannot be read, all such files are named and nothing is written.
"""
import argparse
from pathlib import Path
from typing import Dict

from mmvideomamba.command_line import user_errors
from mmvideomamba.datasets.preparation import (EXTENSIONS, Videos,
                                               check_videos, find_videos,
                                               split_videos, write_lines)


def drop_or_refuse(videos: Videos, bad: Dict[str, str], root: Path,
                   skip_bad: bool) -> Videos:
    """Take bad videos out if the user asked for it, else refuse them.

    Args:
        videos (dict[str, list[str]]): Videos of each class.
        bad (dict[str, str]): Videos that cannot be used, and why.
        root (Path): Folder of class folders.
        skip_bad (bool): Whether to leave them out.

    Returns:
        dict[str, list[str]]: The videos that can be used.

    Raises:
        ValueError: If there are bad videos that may not be left out.
    """
    total = sum(len(paths) for paths in videos.values())
    report = '\n'.join(f'  {path}: {reason}' for path, reason in bad.items())
    if bad and not skip_bad:
        raise ValueError(
            f'{len(bad)} of {total} files in {root} cannot be used:\n{report}'
            '\nRepair or remove them, or pass --skip-bad to leave them out. '
            'Nothing was written.')
    if bad:
        print(f'left out {len(bad)} of {total} files:\n{report}')
    return {
        name: [path for path in paths if path not in bad]
        for name, paths in videos.items()
    }


def build(args: argparse.Namespace) -> None:
    """Check the videos and write the three files.

    Args:
        args (argparse.Namespace): From ``parse_args``.

    Raises:
        FileNotFoundError: If the folder is missing.
        ValueError: If something in it cannot be used.
    """
    if not 0 < args.val_ratio < 1:
        raise ValueError('--val-ratio must lie between 0 and 1, but is '
                         f'{args.val_ratio}')
    videos = find_videos(args.video_root, EXTENSIONS)
    paths = [path for group in videos.values() for path in group]
    bad = check_videos(args.video_root, paths, args.workers) if paths else {}
    print()
    videos = drop_or_refuse(videos, bad, args.video_root, args.skip_bad)
    train, val = split_videos(videos, args.val_ratio, args.seed)
    out_dir = args.out_dir or args.video_root
    out_dir.mkdir(parents=True, exist_ok=True)
    write_lines(out_dir / 'train.txt', train)
    write_lines(out_dir / 'val.txt', val)
    write_lines(out_dir / 'classes.txt', list(videos))
    print(f'{len(videos)} classes, {len(train)} training and {len(val)} '
          f'validation videos: train.txt, val.txt, classes.txt in {out_dir}')


def parse_args() -> argparse.Namespace:
    """Read the command line.

    Returns:
        argparse.Namespace: The arguments.
    """
    parser = argparse.ArgumentParser(
        description=__doc__.split('\n', maxsplit=1)[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter)
    parser.add_argument(
        'video_root', type=Path, help='folder with a folder per class')
    parser.add_argument(
        '--out-dir', type=Path, help='where to write; the video folder')
    parser.add_argument(
        '--val-ratio', type=float, default=0.2, help='share for validation')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--workers', type=int, default=1, help='processes that check videos')
    parser.add_argument(
        '--skip-bad',
        action='store_true',
        help='leave out videos that cannot be used instead of stopping')
    return parser.parse_args()


def main() -> None:
    """Build the files; an error of the user ends with a message."""
    with user_errors():
        build(parse_args())


if __name__ == '__main__':
    main()
