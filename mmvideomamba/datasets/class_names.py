"""Names of classes, a line each, in the order of the labels."""
from pathlib import Path
from typing import Iterable, List, Union

from mmengine.fileio import list_from_file


def clean_class_names(lines: Iterable[str]) -> List[str]:
    """Take names out of the lines of a file.

    A byte order mark, blank lines, and white space around a name do not
    count and shift no label.

    Args:
        lines (Iterable[str]): The lines, with or without line ends.

    Returns:
        list[str]: The names; the position of a name is the label.
    """
    names = [line.strip('\ufeff \t\r\n') for line in lines]
    return [name for name in names if name]


def read_class_names(path: Union[str, Path]) -> List[str]:
    """Read the names of classes, see ``clean_class_names``.

    Args:
        path (str | Path): Text file in UTF-8 with a name a line.

    Returns:
        list[str]: The names; the position of a name is the label.

    Raises:
        FileNotFoundError: If the file is missing.
        ValueError: If the file names no class, or is not UTF-8.
    """
    try:
        names = clean_class_names(list_from_file(str(path)))
    except UnicodeDecodeError as error:
        raise ValueError(f'{path} is not UTF-8 text: {error}') from error
    if not names:
        raise ValueError(f'{path} names no class; write a name a line')
    return names
