"""The folder of an index: lock, allowed content, room."""
import os
import shutil
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator, List

from mmvideomamba.atomic_file import DRAFT
from .index_lock import IndexLock
from .searchers import FOLDER, remove_drafts
from .settings import FILE, Settings
from .store import Store, copy_live, folder_name

# Rows of dropped videos, as a part of all rows, beyond which the matrix is
# copied without.
_DEAD_PART = .25


@contextmanager
def locked(folder: Path) -> Iterator[IndexLock]:
    """Hold the lock of an index.

    Args:
        folder (Path): The index.

    Yields:
        IndexLock: Taken.

    Raises:
        ValueError: If another process writes, or the folder is read-only.
    """
    lock = IndexLock(folder)
    lock.take()
    try:
        yield lock
    finally:
        lock.release()


def check_empty(folder: Path) -> None:
    """Refuse a folder with files other than of an unfinished creation.

    Args:
        folder (Path): For a new index.

    Raises:
        ValueError: If there are other files, or an index.
    """
    if (folder / FILE).exists():
        raise ValueError(f'{folder} is an index already; open it')
    if folder.exists() and not folder.is_dir():
        raise ValueError(f'{folder} is a file; name a folder for the index')
    known = (folder_name(1), FOLDER, IndexLock.name)
    names = os.listdir(folder) if folder.is_dir() else []
    other = [
        name for name in names
        if name not in known and not name.endswith(DRAFT)
    ]
    if other:
        raise ValueError(f'{folder} is not an index and holds other files '
                         f'({other[0]}); name another folder')


def remove_rests(folder: Path, settings: Settings) -> List[str]:
    """Remove leftovers of killed writers next to the data folder.

    Args:
        folder (Path): The index, locked.
        settings (Settings): Of the index.

    Returns:
        list[str]: Notes for the user.
    """
    remove_drafts(folder)
    keep = folder_name(settings.generation)
    rests = [one for one in folder.glob('data-*') if one.name != keep]
    for rest in rests:
        shutil.rmtree(rest, ignore_errors=True)
    return [f'{one.name}, an unfinished copy, is removed' for one in rests]


def compact(folder: Path, store: Store, notes: List[str]) -> bool:
    """Copy the matrix without dropped videos, where many are dropped.

    Args:
        folder (Path): The index, locked.
        store (Store): Of the index, up to date.
        notes (list[str]): Takes notes for the user.

    Returns:
        bool: Whether the index has another data folder now.
    """
    dead = store.rows - store.live_rows
    if dead <= _DEAD_PART * store.rows:
        return False
    generation = store.settings.generation + 1
    copy = folder / folder_name(generation)
    try:
        copy_live(store, copy)
        # index.json names the folder in use: a crash before the write leaves
        # the old folder in use.
        store.settings._replace(generation=generation).write(folder)
    except OSError as error:
        shutil.rmtree(copy, ignore_errors=True)
        notes.append(f'the room of {dead} windows of dropped videos is not '
                     f'freed ({error})')
        return False
    # Readers in other processes keep maps of the old files.
    shutil.rmtree(store.folder, ignore_errors=True)
    notes.append(f'the room of {dead} windows of dropped videos is freed')
    return True
