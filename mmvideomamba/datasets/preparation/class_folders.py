"""Videos sorted into a folder per class: found, checked, split."""
import functools
from pathlib import Path
from typing import Dict, List, Sequence, Tuple

import numpy as np
from mmengine.utils import track_parallel_progress, track_progress

from mmvideomamba.datasets.transforms.decode import open_whole_video
from .annotation_files import EXTENSIONS

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
    """Look for faults of a video.

    Args:
        path (str): Path below ``root``.
        root (Path): Folder of class folders.

    Returns:
        str: Empty for a usable video, else the fault.
    """
    if any(c.isspace() for c in path):
        return ('white space in the path, which separates the fields of an '
                'annotation file: rename it, for example with underscores')
    try:
        open_whole_video(str(root / path))
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
        dict[str, str]: The unusable videos, and the faults.
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
