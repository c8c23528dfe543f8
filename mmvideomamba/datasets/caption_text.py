"""Captions as the published model reads them, and the files that hold them."""
import json
from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence, Union

from mmaction.datasets.msrvtt_datasets import pre_text

from .checked_video_dataset import MAX_SHOWN, find_missing


def clean_caption(text: str) -> str:
    """Bring a caption to the form of the published training.

    Lower case, without ``, . ' ! ? " ( ) * # : ; ~``, with spaces for ``-``
    and ``/``, ``person`` for ``<person>``, single spaces.

    Args:
        text (str): A caption.

    Returns:
        str: The same, cleaned; may be empty.
    """
    return pre_text(text)


def captions_of(entry: Any, where: str) -> List[str]:
    """Read the captions of an entry, cleaned.

    Args:
        entry (Any): A dict with ``caption``, a text or a list of texts.
        where (str): What to call the entry in an error.

    Returns:
        list[str]: At least one; none is empty.

    Raises:
        ValueError: If the key is missing or a caption is no text or empty.
    """
    found = strings_of(entry, 'caption', where)
    captions = [clean_caption(text) for text in found]
    if not all(captions):
        raise ValueError(f'{where} has an empty caption: {found!r}')
    return captions


def strings_of(entry: Any, key: str, where: str) -> List[str]:
    """Read a text or a list of texts from an entry.

    Args:
        entry (Any): Should be a dict.
        key (str): The key.
        where (str): What to call the entry in an error.

    Returns:
        list[str]: At least one; none is empty.

    Raises:
        ValueError: If there is none, an empty one, or something else.
    """
    if not isinstance(entry, dict) or key not in entry:
        keys = sorted(entry) if isinstance(entry, dict) else entry
        raise ValueError(f'{where} has no {key!r}, only {keys!r}')
    found = entry[key]
    found = [found] if isinstance(found, str) else found
    if not isinstance(found, list) or not found or not all(
            isinstance(text, str) for text in found):
        raise ValueError(f'{where} has {key!r}: {entry[key]!r}, neither a '
                         'text nor a list of texts')
    if '' in found:
        raise ValueError(f'{where} has an empty {key}: {found!r}')
    return found


def one_text(entry: Any, key: str, where: str) -> str:
    """Read one text from an entry.

    Args:
        entry (Any): Should be a dict.
        key (str): The key.
        where (str): What to call the entry in an error.

    Returns:
        str: The text.

    Raises:
        ValueError: If there is none, or several.
    """
    found = strings_of(entry, key, where)
    if len(found) > 1:
        raise ValueError(f'{where} has {len(found)} of {key!r}, not one')
    return found[0]


def check_file(path: Union[str, Path]) -> None:
    """Check that there is a caption file.

    Args:
        path (str | Path): The file.

    Raises:
        FileNotFoundError: If there is no such file.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'caption file {path} does not exist; correct '
                                'ann_file and data_root, or write it first')


def read_json_list(path: Union[str, Path]) -> list:
    """Read a file that holds a JSON list.

    Args:
        path (str | Path): The file.

    Returns:
        list: At least one entry.

    Raises:
        FileNotFoundError: If there is no such file.
        ValueError: If it is no JSON, no list, or empty.
    """
    check_file(path)
    try:
        entries = json.loads(Path(path).read_text(encoding='utf-8-sig'))
    except ValueError as error:
        raise ValueError(f'caption file {path} is no JSON: {error}') from error
    if not isinstance(entries, list) or not entries:
        raise ValueError(f'caption file {path} must hold a list of '
                         'dicts with at least one entry')
    return entries


def check_all(entries: Sequence[Any], check: Callable[[int, Any], Any],
              path: Union[str, Path]) -> list:
    """Read all entries, and report the faults of all at once.

    Args:
        entries (Sequence): Entries of a file.
        check (Callable): Takes number and entry, and returns what was read
            or raises ValueError.
        path (str | Path): The file, for the error.

    Returns:
        list: What was read.

    Raises:
        ValueError: If one entry or more cannot be read.
    """
    found, faults = [], []
    for number, entry in enumerate(entries):
        try:
            found.append(check(number, entry))
        except ValueError as error:
            faults.append(str(error))
    if faults:
        shown = faults[:MAX_SHOWN]
        if len(faults) > MAX_SHOWN:
            shown.append(f'and {len(faults) - MAX_SHOWN} more')
        raise ValueError('\n  '.join([
            f'caption file {path}: {len(faults)} of {len(entries)} entries '
            'cannot be used', *shown
        ]))
    return found


def check_videos(videos: Sequence[str], path: Union[str, Path],
                 data_prefix: Dict[str, Any]) -> None:
    """Check that the videos of a caption file exist.

    Args:
        videos (Sequence[str]): Their paths.
        path (str | Path): The caption file, for the error.
        data_prefix (dict): Of the data set, for the error.

    Raises:
        FileNotFoundError: If one or more do not.
    """
    missing = find_missing(videos)
    if missing:
        shown = [videos[i] for i in missing[:MAX_SHOWN]]
        raise FileNotFoundError(
            f'caption file {path}: {len(missing)} of {len(videos)} videos do '
            f'not exist, such as {", ".join(shown)}. Correct the file or '
            f'data_prefix (now {dict(data_prefix)}), or leave them out.')
