"""Lists named on a command line."""
from pathlib import Path
from typing import List, Optional, Sequence

from .media_list import MediaList, find_lists, list_folders, read_list


def read_inputs(paths: Sequence[Path],
                root: Optional[Path] = None,
                delimiter: Optional[str] = None,
                form: str = 'auto') -> List[MediaList]:
    """Read the lists named on a command line.

    Args:
        paths (Sequence[Path]): Lists, folders with lists, or folders of
            classes.
        root (Path, optional): See ``read_list``.
        delimiter (str, optional): See ``read_list``.
        form (str): See ``read_list``.

    Returns:
        list[MediaList]: A list or more.

    Raises:
        FileNotFoundError: If a list is missing.
        ValueError: If a list cannot be read, a folder holds none, or
            ``root`` is not a folder.
    """
    if root is not None and not root.is_dir():
        raise ValueError(f'--root {root} does not exist or is not a folder')
    found = []
    for path in paths:
        lists = find_lists(path) if path.is_dir() else [path]
        if lists:
            found += [read_list(p, root, delimiter, form) for p in lists]
        else:
            found += list_folders(path)
            if not any(media.entries for media in found):
                raise ValueError(f'{path} holds neither lists, such as '
                                 'train.txt, nor class folders of videos')
    names = [Path(media.path).resolve() for media in found]
    if len(set(names)) < len(names):
        raise ValueError('a list is given twice')
    return found
