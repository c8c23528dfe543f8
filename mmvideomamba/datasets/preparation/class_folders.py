"""Videos sorted into a folder per class: found, named, split."""
import os
import stat
import zlib
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Sequence, Tuple

import numpy as np

from .annotation_files import EXTENSIONS

Videos = Dict[str, List[str]]
# Names of folders of splits, and of the lists written for them.
SPLITS = dict(train='train', training='train', val='val', valid='val',
              validation='val', test='test', testing='test')  # yapf: disable
LIST_ENDINGS = ('.txt', '.csv', '.tsv', '.json', '.jsonl')


class ClassFolders(NamedTuple):
    """The content of class folders.

    Args:
        videos (dict[str, list[str]]): Class names and the sorted paths of
            the videos below the root, with forward slashes.
        left_out (dict[str, str]): Path below the root of everything else,
            and the reason.
    """
    videos: Videos
    left_out: Dict[str, str]


def find_videos(root: Path,
                extensions: Sequence[str] = EXTENSIONS) -> ClassFolders:
    """List the videos of each class, and all other files.

    Hidden files and folders are left out, and links to folders below a class
    folder are not followed. Lists directly below ``root`` (.txt, .csv,
    .json) are not mentioned.

    Args:
        root (Path): Folder of class folders.
        extensions (Sequence[str]): File name endings of videos, lower case.
            Defaults to ``EXTENSIONS``.

    Returns:
        ClassFolders: Videos and the rest.

    Raises:
        FileNotFoundError: If ``root`` is not a folder.
    """
    if not root.is_dir():
        raise FileNotFoundError(f'{root} does not exist or is not a folder')
    found = ClassFolders({}, {})
    for entry in sorted(root.iterdir()):
        if not entry.is_dir():
            if entry.suffix.lower() not in LIST_ENDINGS:
                found.left_out[entry.name] = 'lies in no class folder'
        elif entry.name.startswith('.'):
            found.left_out[entry.name] = 'is a hidden folder'
        # Through a link upwards, the class would hold the videos of all
        # classes.
        elif root.resolve().is_relative_to(entry.resolve()):
            found.left_out[entry.name] = 'is a link to a folder above it'
        else:
            found.videos[entry.name] = _videos_below(root, entry, extensions,
                                                     found.left_out)
    return found


def _videos_below(root: Path, folder: Path, extensions: Sequence[str],
                  left_out: Dict[str, str]) -> List[str]:
    """List the videos of a class, and note all other files."""
    videos = []
    for path, reason in _walk(folder, extensions):
        name = path.relative_to(root).as_posix()
        if reason:
            left_out[name] = reason
        else:
            videos.append(name)
    return sorted(videos)


def _walk(folder: Path,
          extensions: Sequence[str]) -> Iterator[Tuple[Path, str]]:
    """Yield all files below a folder, and the reason to leave them out."""
    failures: List[OSError] = []
    # Else os.walk passes over an unreadable folder without a word.
    for place, folders, files in os.walk(folder, onerror=failures.append):
        here = Path(place)
        if not folders and not files:
            yield here, 'is an empty folder'
        for name in sorted(folders):
            if name.startswith('.'):
                yield here / name, 'is a hidden folder'
                # In place: os.walk enters the folders left in the list.
                folders.remove(name)
            elif (here / name).is_symlink():
                yield here / name, 'is a link to a folder, not followed'
        for name in sorted(files):
            yield here / name, _reason(here / name, extensions)
    for failure in failures:
        yield Path(failure.filename), f'cannot be read: {failure.strerror}'


def _reason(path: Path, extensions: Sequence[str]) -> str:
    """Say why a file cannot be a video of a class, '' if it can."""
    if path.name.startswith('.'):
        return 'is a hidden file'
    ending = path.suffix.lower()
    if not ending:
        return 'has no file name ending, by which videos are told apart'
    if ending not in extensions:
        return f'has the ending {ending}, not a known kind of video'
    try:
        mode = path.stat().st_mode
    except OSError as error:
        return f'cannot be reached: {error.strerror}'
    return '' if stat.S_ISREG(mode) else 'is not a regular file'


def split_folders(root: Path) -> Dict[str, Path]:
    """Find the folders of splits, each with class folders.

    Args:
        root (Path): A folder.

    Returns:
        dict[str, Path]: 'train', 'val' and 'test', as far as found, and
        the folders; empty if ``root`` holds class folders.

    Raises:
        ValueError: If some folders are named like splits and hold folders,
            and others are not; or two stand for a split.
    """
    folders = [
        f for f in sorted(root.iterdir())
        if f.is_dir() and not f.name.startswith('.')
    ] if root.is_dir() else []
    found: Dict[str, Path] = {}
    for folder in folders:
        split = SPLITS.get(folder.name.lower())
        # A class may be called train or test: a split holds folders.
        if split and any(f.is_dir() for f in folder.iterdir()):
            if split in found:
                raise ValueError(f'{found[split]} and {folder} both stand for '
                                 f'the split {split}; rename one')
            found[split] = folder
    others = [f.name for f in folders if f not in found.values()]
    if others and 'train' in found and len(found) > 1:
        raise ValueError(
            f'{root} holds {", ".join(f.name for f in found.values())}, which '
            f'look like splits of classes, next to {", ".join(others[:5])}. '
            'Move the others away, or pass --layout classes if all of them '
            'are classes.')
    if others:
        return {}
    return {s: found[s] for s in ('train', 'val', 'test') if s in found}


def name_fault(name: str, delimiter: str) -> str:
    """Find the fault that keeps a name out of an annotation file.

    Args:
        name (str): Name of a file or a folder.
        delimiter (str): Between the columns of the annotation file.

    Returns:
        str: The fault, '' for none.
    """
    if delimiter == ' ' and any(c.isspace() for c in name):
        return ('white space in the name, which separates the columns: '
                'rename, or pass another --delimiter, such as ","')
    if delimiter in name:
        return (f'{delimiter!r} in the name, which separates the columns: '
                'rename, or pass another --delimiter')
    if name.strip() != name or any(c in name for c in '\n\r'):
        return 'a line break, or white space at an end of the name: rename'
    try:
        name.encode()
    except UnicodeEncodeError:
        return 'a name that is not UTF-8: rename'
    return ''


def name_faults(paths: Sequence[str],
                delimiter: str) -> Tuple[Dict[str, str], Dict[str, str]]:
    """Find the paths not fit for an annotation file.

    Args:
        paths (Sequence[str]): Paths with forward slashes.
        delimiter (str): Between the columns of the annotation file.

    Returns:
        tuple[dict, dict]: Path and fault; and the faults to be told, each
        faulty folder once, with the number of files in the folder.
    """
    bad: Dict[str, str] = {}
    counts: Dict[str, int] = {}
    for path in paths:
        parts = path.split('/')
        for depth, part in enumerate(parts, 1):
            fault = name_fault(part, delimiter)
            if fault:
                bad[path] = fault
                end = '/' if depth < len(parts) else ''
                place = '/'.join(parts[:depth]) + end
                counts[place] = counts.get(place, 0) + 1
                break
    told = {}
    for place, count in counts.items():
        fault = name_fault(place.strip('/').split('/')[-1], delimiter)
        files = f' ({count} files in this folder)'
        told[place] = fault + (files if place.endswith('/') else '')
    return bad, told


def format_line(path: str, label: int, delimiter: str = ' ') -> str:
    """Format a line of an annotation file."""
    return f'{path}{delimiter}{label}'


def split_videos(videos: Videos,
                 val_ratio: float,
                 seed: int,
                 delimiter: str = ' ') -> Tuple[List[str], List[str]]:
    """Split each class and format the annotation lines.

    Args:
        videos (dict[str, list[str]]): Videos of each class, in the order of
            the labels; a class may be empty.
        val_ratio (float): Share of each class for validation; at least one
            video stays on each side.
        seed (int): Seed of the choice.
        delimiter (str): Between path and label. Defaults to ' '.

    Returns:
        tuple[list[str], list[str]]: Lines of the training and of the
        validation split.

    Raises:
        ValueError: If a class has a single video.
    """
    small = [name for name, paths in videos.items() if len(paths) == 1]
    if small:
        raise ValueError('each class needs a video for training and one for '
                         f'validation: {", ".join(small)}')
    train: List[str] = []
    val: List[str] = []
    for label, paths in enumerate(videos.values()):
        # A source per class: a new class does not change the split of others.
        rng = np.random.default_rng([seed, len(paths)])
        num_val = min(max(1, round(val_ratio * len(paths))), len(paths) - 1)
        chosen = set(rng.permutation(len(paths))[:max(0, num_val)].tolist())
        for index, path in enumerate(paths):
            lines = val if index in chosen else train
            lines.append(format_line(path, label, delimiter))
    return train, val


def fold_videos(videos: Videos,
                folds: int,
                seed: int,
                delimiter: str = ' ') -> List[Tuple[List[str], List[str]]]:
    """Divide each class into folds; each fold validates once.

    Args:
        videos (dict[str, list[str]]): Videos of each class, in the order of
            the labels.
        folds (int): Number of folds, at least 2.
        seed (int): Seed of the choice.
        delimiter (str): Between path and label. Defaults to ' '.

    Returns:
        list[tuple[list[str], list[str]]]: Lines of the training and of the
        validation split of each fold.
    """
    found: List[Tuple[List[str], List[str]]] = [([], []) for _ in range(folds)]
    for label, (name, paths) in enumerate(videos.items()):
        rng = np.random.default_rng([seed, len(paths)])
        # Surplus videos of small classes should not all be in fold 0.
        # crc32, as Python's hash of a text changes with each process.
        start = zlib.crc32(name.encode(errors='replace')) % folds
        places = (rng.permutation(len(paths)) + start) % folds
        for path, place in zip(paths, places.tolist()):
            for fold, (train, val) in enumerate(found):
                lines = val if fold == place else train
                lines.append(format_line(path, label, delimiter))
    return found
