"""Caption files with a JSON list."""
from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence, TypeVar, Union

from mmvideomamba.json_file import read_json
from ..annotation_faults import check_exist, read_all
from .record import REMEDY

T = TypeVar('T')


def read_json_entries(path: Union[str, Path], read: Callable[[int, Any],
                                                             T]) -> List[T]:
    """Read all entries of a JSON list; a single error reports all faults.

    Args:
        path (str | Path): The file.
        read (Callable): Gets number and content of an entry; returns the
            sample, or raises ValueError with a text naming the entry.

    Returns:
        list: A sample or more.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is not JSON, no list, or empty, or an entry
            cannot be read.
    """
    entries = read_json(path, 'caption file', REMEDY)
    if not isinstance(entries, list) or not entries:
        raise ValueError(f'caption file {path} must hold a list of dicts '
                         'with at least one entry')
    return read_all(
        list(enumerate(entries)),
        read,
        f'caption file {path}',
        remedy='Correct these entries, or leave them out.')


def check_videos(videos: Sequence[str],
                 path: Union[str, Path],
                 data_prefix: Dict[str, Any],
                 allowed: int = 0) -> None:
    """Check that the videos of a caption file exist.

    Args:
        videos (Sequence[str]): Paths of the videos.
        path (str | Path): The caption file, for the error.
        data_prefix (dict): Of the data set, for the error.
        allowed (int): Missing videos that are logged instead. Defaults to 0.

    Raises:
        FileNotFoundError: If more videos do not exist.
    """
    check_exist(
        videos,
        f'caption file {path}',
        f'Correct the file or data_prefix (now {dict(data_prefix)}), or '
        'leave the videos out.',
        allowed=allowed)
