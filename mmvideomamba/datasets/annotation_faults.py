"""Faults of an annotation file, gathered into a single error."""
import logging
import math
import os
from typing import (Any, Callable, Dict, Iterable, List, Optional, Sequence,
                    Set, Tuple, TypeVar)

from mmengine.fileio import list_from_file
from mmengine.logging import print_log

MAX_SHOWN = 10  # faults listed in an error
T = TypeVar('T')


def fault_list(summary: str, faults: Sequence[str], remedy: str = '') -> str:
    """Write a message listing the first faults and counting the others.

    Args:
        summary (str): First line, with the file and the number of faults.
        faults (Sequence[str]): A text for each faulty entry.
        remedy (str): Last line. Defaults to '', none.

    Returns:
        str: A line for each of the first ``MAX_SHOWN`` faults, then 'and N
        more' if there are N others.
    """
    lines = [summary, *(f'  {fault}' for fault in faults[:MAX_SHOWN])]
    if len(faults) > MAX_SHOWN:
        lines.append(f'  and {len(faults) - MAX_SHOWN} more')
    return '\n'.join([*lines, remedy] if remedy else lines)


def read_lines(ann_file: str, remedy: str) -> List[str]:
    """Read an annotation file; a byte order mark is taken off.

    Args:
        ann_file (str): The file.
        remedy (str): For a missing file.

    Returns:
        list[str]: All lines.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is not UTF-8 text.
    """
    try:
        # Else a byte order mark is a part of the first path.
        return list_from_file(ann_file, encoding='utf-8-sig')
    except FileNotFoundError as error:
        raise FileNotFoundError(f'annotation file {ann_file} does not exist. '
                                f'{remedy}') from error
    except UnicodeDecodeError as error:
        raise ValueError(f'annotation file {ann_file} is not UTF-8 text: '
                         f'{error}') from error


def quote_line(line: str) -> str:
    """Quote a line, or the start of a long one.

    Args:
        line (str): Of an annotation file.

    Returns:
        str: In quotation marks, at most 100 characters.
    """
    return repr(line if len(line) <= 100 else line[:97] + '...')


def parse_number(text: str, name: str) -> float:
    """Read a finite number.

    Args:
        text (str): From an annotation file.
        name (str): What it is, for the error.

    Returns:
        float: The number.

    Raises:
        ValueError: If it is none, infinite or NaN.
    """
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f'{name} {text!r} is not a finite number')
    return value


def read_all(entries: Sequence[Tuple[int, Any]],
             read: Callable[[int, Any], T],
             name: str,
             unit: str = 'entries',
             remedy: str = '') -> List[T]:
    """Read all entries of a file; a single error reports all faults.

    Args:
        entries (Sequence[tuple[int, Any]]): Number and content of each.
        read (Callable): Gets number and content; returns the sample, or
            raises ValueError with a text naming the entry.
        name (str): Kind and path of the file, for the error.
        unit (str): Plural of an entry. Defaults to 'entries'.
        remedy (str): Last line of the error. Defaults to ''.

    Returns:
        list: The samples.

    Raises:
        ValueError: If an entry cannot be read.
    """
    found, faults = [], []
    for number, entry in entries:
        try:
            found.append(read(number, entry))
        except ValueError as error:
            faults.append(str(error))
    if faults:
        summary = (f'{name}: {len(faults)} of {len(entries)} {unit} cannot '
                   'be used')
        raise ValueError(fault_list(summary, faults, remedy))
    return found


def check_exist(paths: Sequence[str],
                name: str,
                remedy: str,
                labels: Optional[Sequence[str]] = None,
                kind: str = 'videos',
                allowed: int = 0) -> None:
    """Check that the videos of a file exist; a single error names the missing.

    Args:
        paths (Sequence[str]): Local paths; URLs count as existing.
        name (str): Kind and path of the file, for the error.
        remedy (str): Last line of the error.
        labels (Sequence[str], optional): Place of each path in the file, for
            the error. Defaults to None, none.
        kind (str): Word for the files, in the plural. Defaults to 'videos'.
        allowed (int): Most missing files to log instead of raising. Defaults
            to 0.

    Raises:
        FileNotFoundError: If more videos do not exist.
    """
    missing = find_missing(paths)
    if not missing:
        return
    faults = [(f'{labels[i]}: ' if labels else '') + paths[i] for i in missing]
    message = fault_list(
        f'{name}: {len(missing)} of {len(paths)} {kind} do not exist', faults,
        remedy)
    if len(missing) > allowed:
        limit = (f' bad_media and max_bad_share let {allowed} be missing.'
                 if allowed else '')
        raise FileNotFoundError(message + limit)
    print_log(message, 'current', logging.WARNING)


def find_missing(paths: Iterable[str]) -> List[int]:
    """Find the paths of missing files.

    Each folder is listed once, since asking a network file system for each
    of some 100 000 files takes minutes.

    Args:
        paths (Iterable[str]): Local paths; URLs count as existing.

    Returns:
        list[int]: Positions of the missing paths.
    """
    listed: Dict[str, Set[str]] = {}
    missing = []
    for index, path in enumerate(paths):
        if '://' in path:
            continue
        folder, name = os.path.split(path)
        if folder not in listed:
            listed[folder] = _names_in(folder)
        # A file system may list a known name in another spelling.
        if name not in listed[folder] and not os.path.exists(path):
            missing.append(index)
    return missing


def _names_in(folder: str) -> Set[str]:
    """List a folder; an unreadable folder has no names."""
    try:
        return set(os.listdir(folder or '.'))
    except OSError:
        return set()
