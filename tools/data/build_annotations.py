#!/usr/bin/env python
"""Write annotation files for videos that are sorted into class folders.

Expects ``VIDEO_ROOT/CLASS_NAME/**/VIDEO`` and writes ``train.txt``,
``val.txt`` (a line ``path label`` per video, the path below ``VIDEO_ROOT``)
and ``classes.txt`` (the names, in the order of the labels). Each class is
split on its own, the same way for the same seed. Each video is opened first;
if one cannot be read, all such files are named and nothing is written.
"""
import argparse
import functools
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

import mmvideomamba  # isort: skip  # noqa: F401  heals the host, goes first
import numpy as np
from mmengine.utils import track_parallel_progress, track_progress

from mmvideomamba.datasets.transforms import DecodeFrames, OpenVideo

EXTENSIONS = ('.mp4', '.avi', '.mkv', '.mov', '.webm', '.m4v', '.mpg', '.wmv',
              '.flv', '.3gp')

Videos = Dict[str, List[str]]


def find_videos(root: Path, extensions: Sequence[str]) -> Videos:
    """List the videos of each class.

    Args:
        root (Path): Folder of class folders.
        extensions (Sequence[str]): File name endings of videos, lower case.

    Returns:
        dict[str, list[str]]: Class names and the sorted paths of their
        videos below ``root``, with forward slashes.

    Raises:
        FileNotFoundError: If ``root`` is no folder.
        ValueError: If there are fewer than two classes.
    """
    if not root.is_dir():
        raise FileNotFoundError(f'{root} does not exist or is no folder')
    videos = {
        folder.name:
        sorted(
            path.relative_to(root).as_posix() for path in folder.rglob('*')
            if path.suffix.lower() in extensions and path.is_file())
        for folder in sorted(root.iterdir())
        if folder.is_dir() and not folder.name.startswith('.')
    }
    if len(videos) < 2:
        raise ValueError(
            f'{root} must hold one folder of videos per class, at least two, '
            f'but holds {sorted(videos) or "no folder"}')
    return videos


def check_video(path: str, root: Path) -> str:
    """Tell what is wrong with a video.

    Args:
        path (str): Path below ``root``.
        root (Path): Folder of class folders.

    Returns:
        str: Empty if it can be used, else the reason.
    """
    if any(c.isspace() for c in path):
        return ('white space in the path, which separates the fields of an '
                'annotation file: rename it, for example with underscores')
    try:
        sample = OpenVideo()(dict(filename=str(root / path)))
        # The last frame shows a file that was cut off.
        ends = np.array([0, sample['total_frames'] - 1])
        DecodeFrames()(dict(sample, frame_inds=ends))
    except ValueError as error:
        return str(error)
    return ''


def check_videos(root: Path, paths: List[str],
                 num_workers: int) -> Dict[str, str]:
    """Check all videos, with a progress bar.

    Args:
        root (Path): Folder of class folders.
        paths (list[str]): Paths below ``root``.
        num_workers (int): Number of processes.

    Returns:
        dict[str, str]: The videos that cannot be used, and why.
    """
    check = functools.partial(check_video, root=root)
    if num_workers > 1:
        reasons = track_parallel_progress(check, paths, num_workers)
    else:
        reasons = track_progress(check, paths)
    return {path: reason for path, reason in zip(paths, reasons) if reason}


def split_videos(videos: Videos, val_ratio: float,
                 seed: int) -> Tuple[List[str], List[str]]:
    """Split each class and format the annotation lines.

    Args:
        videos (dict[str, list[str]]): Videos of each class.
        val_ratio (float): Share of each class for validation; at least one
            video stays on each side.
        seed (int): Seed of the choice.

    Returns:
        tuple[list[str], list[str]]: Lines of the training and of the
        validation split.

    Raises:
        ValueError: If a class has fewer than two videos.
    """
    small = [name for name, paths in videos.items() if len(paths) < 2]
    if small:
        raise ValueError(
            'each class needs a video for training and one for validation, '
            f'but these have fewer than two: {", ".join(small)}; known file '
            f'name endings are {" ".join(EXTENSIONS)}')
    train: List[str] = []
    val: List[str] = []
    for label, paths in enumerate(videos.values()):
        # A source per class: a new class does not change the split of others.
        rng = np.random.default_rng([seed, len(paths)])
        num_val = min(max(1, round(val_ratio * len(paths))), len(paths) - 1)
        chosen = set(rng.permutation(len(paths))[:num_val].tolist())
        for index, path in enumerate(paths):
            lines = val if index in chosen else train
            lines.append(f'{path} {label}')
    return train, val


def write_lines(path: Path, lines: Sequence[str]) -> None:
    """Write a text file.

    Args:
        path (Path): The file.
        lines (Sequence[str]): Its lines.
    """
    path.write_text(''.join(f'{line}\n' for line in lines))


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
    """Build the files; an error of the user ends it with its message."""
    try:
        build(parse_args())
    except (OSError, ValueError) as error:
        raise SystemExit(f'error: {error}') from error


if __name__ == '__main__':
    main()
