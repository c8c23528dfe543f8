"""Lists of videos for shards, and the names of videos within."""
import os
from pathlib import Path
from typing import Dict, List, NamedTuple, Tuple

from ..annotation_faults import check_exist, quote_line, read_all, read_lines
from ..captions.tar_shard import CAPTION_PARTS
from ..transforms.decode import video_path
from .list_lines import is_number


class Listed(NamedTuple):
    """A video of the list.

    Args:
        path (Path): The file.
        name (str): As in the list, with an ending.
        columns (tuple[str]): Labels, as in the list.
        size (int): In bytes.
        mtime (int): Time of the last change, in nanoseconds.
    """
    path: Path
    name: str
    columns: Tuple[str, ...]
    size: int
    mtime: int


def place_name(name: str) -> Tuple[str, str]:
    """Write a path for a sample whose parts stay together.

    A sample has the name up to the first dot of the file, and names with a
    dot in front are passed over. So ``%2E`` stands for a dot and ``%25`` for
    a per cent sign.

    Args:
        name (str): Path of a video, with an ending.

    Returns:
        tuple[str, str]: Path within the shard up to the dot, and the ending
        in lower case.
    """
    stem, ending = os.path.splitext(os.path.normpath(name))
    *folders, file = stem.replace('%', '%25').split('/')
    folders = [
        f'%2E{one[1:]}' if one.startswith('.') else one for one in folders
        if one
    ]
    return '/'.join([*folders, file.replace('.', '%2E')]), ending.lower()


def read_list(ann_file: Path, root: Path, delimiter: str) -> List[Listed]:
    """Read a list of videos, and look at the files.

    Args:
        ann_file (Path): Lines of a path and labels.
        root (Path): Folder of the videos.
        delimiter (str): Between the columns.

    Returns:
        list[Listed]: In the order of the list.

    Raises:
        FileNotFoundError: If the list or a video does not exist.
        ValueError: If the list is empty, has a line of another form, or a
            video twice.
    """
    lines = read_lines(str(ann_file), 'Correct the path of the list.')
    entries = [(number, line.strip()) for number, line in enumerate(lines, 1)
               if line.strip()]
    name = f'annotation file {ann_file}'
    if not entries:
        raise ValueError(f'{name} is empty; list the videos to pack')
    seen: Dict[str, int] = {}

    def read(number: int, line: str) -> Tuple[str, Tuple[str, ...]]:
        path, *columns = line.split(delimiter)
        path = video_path(path)
        # Two spellings of a path are the same video.
        place = os.path.abspath(root / path)
        first = seen.setdefault(place, number)
        ending = os.path.splitext(path)[1].lower()
        if first != number:
            fault = f'{path} is in line {first} already'
        elif not all(map(is_number, columns)):
            fault = f'{quote_line(line)} has a label that is not a number'
        # Within a shard, a .txt or .json passes for the labels.
        elif ending in CAPTION_PARTS or ending == '.':
            fault = f'{path} has the ending {ending!r}, not of a video'
        else:
            return path, tuple(columns)
        raise ValueError(f'line {number}: {fault}')

    found = read_all(
        entries, read, name, 'lines',
        f'A line is a path and labels, with {delimiter!r} '
        'between them. Correct the file or the delimiter.')
    paths = [root / path for path, _ in found]
    check_exist(
        list(map(str, paths)),
        name,
        f'Correct the list or root (now {root}).',
        labels=[f'line {number}' for number, _ in entries])
    return [
        _listed(path, file, columns)
        for path, (file, columns) in zip(paths, found)
    ]


def _listed(path: Path, name: str, columns: Tuple[str, ...]) -> Listed:
    """Look at a file."""
    if not path.is_file():
        raise ValueError(f'{path} is not a regular file; leave it out')
    state = path.stat()
    return Listed(path, name, columns, state.st_size, state.st_mtime_ns)
