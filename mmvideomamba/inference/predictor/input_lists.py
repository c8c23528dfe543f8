"""Files named on a command line: folders, lists, standard input."""
import os
import sys
from pathlib import Path
from typing import Any, Iterable, List, Sequence

from mmvideomamba.datasets.preparation import EXTENSIONS
from ..image_inference import EXTENSIONS as IMAGE_EXTENSIONS
from ..image_inference import list_images
from ..inputs import list_inputs

LISTS = ('.txt', '.lst', '.list')
STDIN = '-'


def _listed(lines: Iterable[str], folder: Path) -> List[str]:
    """Return the paths in the lines of a list.

    A line is a path, or a line of an annotation file: a path and numbers.
    """
    found = []
    for line in lines:
        # Editors of Windows begin a file with the mark U+FEFF.
        text = line.strip('\ufeff \t\r\n')
        if not text:
            continue
        path, rest = text, text.split()
        # Numbers come off only while no file is found, as a name can end in a
        # number.
        while rest and not _existing(path, folder):
            if len(rest) < 2 or not rest[-1].lstrip('-').isdigit():
                path = text
                break
            path = path[:-len(rest.pop())].rstrip()
        if path.lower().endswith(LISTS):
            raise ValueError(f'a list names another list, {path!r}; give both '
                             'by themselves')
        found.append(_existing(path, folder) or path)
    return found


def _existing(path: str, folder: Path) -> str:
    """Return a path seen from here or from the folder of the list, or ''."""
    if os.path.exists(path):
        return path
    other = folder / path
    return str(other) if other.exists() else ''


def media_of(folder: str, endings: Sequence[str]) -> List[str]:
    """List the files of a folder and of the folders inside.

    Args:
        folder (str): The folder.
        endings (Sequence[str]): Endings of names, in lower case.

    Returns:
        list[str]: Paths, sorted.
    """
    found = []
    for root, _, names in os.walk(folder, followlinks=True):
        found += [
            os.path.join(root, name) for name in names
            if os.path.splitext(name)[1].lower() in endings
        ]
    return sorted(found)


def _expand_path(path: str, images: bool) -> List[Any]:
    """Return the inputs of a path."""
    if path == STDIN:
        return _listed(sys.stdin, Path())
    if path.lower().endswith(LISTS):
        try:
            lines = Path(path).read_text(encoding='utf-8').splitlines()
        except UnicodeDecodeError as error:
            raise ValueError(f'the list {path} is not UTF-8 text: '
                             f'{error}') from error
        except FileNotFoundError as error:
            raise FileNotFoundError(f'the list {path} does not '
                                    'exist') from error
        return _listed(lines, Path(path).parent)
    if not os.path.isdir(path):
        return [path]
    endings = IMAGE_EXTENSIONS if images else EXTENSIONS
    found = media_of(path, endings)
    if found:
        return list(found)
    pictures = not images and any(
        os.path.splitext(name)[1].lower() in IMAGE_EXTENSIONS
        for name in os.listdir(path))
    if pictures:  # frames of one video
        return [path]
    kind = 'image' if images else 'video'
    raise ValueError(f'the folder {path} holds no {kind} '
                     f'({" ".join(sorted(endings))}), nor do the folders '
                     'inside')


def expand_inputs(inputs: Any, images: bool = False) -> List[Any]:
    """Turn what a user gives into single inputs.

    Args:
        inputs (Any): An input or a list of inputs: a file; a folder, with the
            folders inside; a text file (.txt) with a path a line; '-', lines
            from the standard input; a folder of frames; an array. A
            path in a list is seen from here, else from the folder of the
            list.
        images (bool): Whether images are wanted. Defaults to False.

    Returns:
        list: See ``list_inputs``, for images ``list_images``.

    Raises:
        FileNotFoundError: If a list does not exist.
        ValueError: If a folder or list holds nothing, or an input is of
            another kind.
    """
    several = isinstance(inputs, (list, tuple))
    found: List[Any] = []
    for item in inputs if several else [inputs]:
        if isinstance(item, os.PathLike):
            item = os.fspath(item)
        if not isinstance(item, str):
            found += list_images(item) if images else list_inputs(item)
            continue
        paths = _expand_path(item, images)
        if not paths:
            name = 'the standard input' if item == STDIN else item
            raise ValueError(f'{name} lists no file; write a path a line')
        found += paths
    if not found:
        raise ValueError('no input is given: the list is empty')
    return found
