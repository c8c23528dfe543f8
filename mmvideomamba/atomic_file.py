"""Files never seen in part: written as a draft, then renamed."""
import os
from pathlib import Path
from typing import Union

DRAFT = '.unfinished'  # ending of a draft


def draft_of(path: Union[str, Path]) -> Path:
    """Return the name of the draft of a file.

    Args:
        path (str | Path): Name of the complete file.

    Returns:
        Path: A name in the same folder.
    """
    path = Path(path)
    return path.with_name(path.name + DRAFT)


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    number = os.open(path, os.O_RDONLY)
    try:
        os.fsync(number)
    finally:
        os.close(number)


def finish_file(path: Union[str, Path], fsync: bool = True) -> None:
    """Rename the draft of a file into place.

    Whenever the process ends, the name stands for the old or the new file,
    complete.

    Args:
        path (str | Path): Name of the complete file; ``draft_of(path)`` is
            written and closed.
        fsync (bool): Wait for the disk, so a power cut does no harm either.
            Defaults to True.
    """
    path, draft = Path(path), draft_of(path)
    if fsync:
        # Ahead of the rename: after a power cut, the name could stand for an
        # empty file.
        _sync(draft)
    os.replace(draft, path)
    if fsync and os.name == 'posix':  # elsewhere folders cannot be opened
        # The new name is on the disk with the folder only.
        _sync(path.parent)


def drop_cache(path: Union[str, Path]) -> None:
    """Give the memory back in which the system keeps a file's content.

    Memory at hand is cheaper for the next file than new memory, above all in
    a virtual machine. The file itself is unchanged.

    Args:
        path (str | Path): A file, or nothing.
    """
    if not hasattr(os, 'posix_fadvise'):
        return
    try:
        number = os.open(path, os.O_RDONLY)
    except OSError:  # a folder, or no file
        return
    try:
        os.posix_fadvise(number, 0, 0, os.POSIX_FADV_DONTNEED)
    except OSError:  # an advice that the file system does not take
        pass
    finally:
        os.close(number)


def write_file(path: Union[str, Path],
               content: Union[str, bytes],
               fsync: bool = True) -> None:
    """Write a file that is never seen in part.

    Args:
        path (str | Path): The file, whether there already or not.
        content (str | bytes): Whole content; a str is written as UTF-8.
        fsync (bool): As in ``finish_file``. Defaults to True.

    Raises:
        OSError: If the file cannot be written; the file that was there is
            unchanged.
    """
    if isinstance(content, str):
        content = content.encode()
    draft = draft_of(path)
    try:
        draft.write_bytes(content)
        finish_file(path, fsync)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
