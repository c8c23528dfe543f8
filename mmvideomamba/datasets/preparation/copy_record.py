"""Record of the copies in a folder: a line for each, written at once."""
import importlib
import json
import time
from pathlib import Path
from typing import IO, Any, Dict, NamedTuple, Optional

from .disk_errors import disk_errors
from .video_copy import CopySettings

fcntl: Any
try:
    fcntl = importlib.import_module('fcntl')
except ImportError:  # Windows
    fcntl = None

NAME = 'copies.jsonl'
VERSION = 1
_TRIES, _PAUSE = 20, .1  # until another run counts as running


class CopyEntry(NamedTuple):
    """A finished copy.

    Args:
        name (str): Path of the copy below the folder of the copies.
        source (str): Absolute path of the original.
        size (int): Bytes of the original.
        mtime (int): Last change of the original, in nanoseconds.
        copy_size (int): Bytes of the copy.
        frames (int): Number of frames.
        audio (str): See ``VideoCopy``.
        times (str): See ``VideoCopy``.
    """
    name: str
    source: str
    size: int
    mtime: int
    copy_size: int
    frames: int
    audio: str
    times: str


class CopyRecord:
    """The record of a folder, held by a single run at a time.

    A run killed at any moment leaves the lines of all finished copies. The
    processes of a run hold the lock too, so that no other run begins before
    the last of them has ended.

    Args:
        folder (Path): The folder; made if missing.
        settings (CopySettings): How copies are made.
        redo (bool): Whether to begin a new record. Defaults to False.

    Attributes:
        entries (dict[str, CopyEntry]): Name of a copy to the line.

    Raises:
        ValueError: If the folder holds something else, copies of other
            settings without ``redo``, or is in use.
        DiskError: If the folder cannot be written.
    """

    def __init__(self,
                 folder: Path,
                 settings: CopySettings,
                 redo: bool = False) -> None:
        self.entries: Dict[str, CopyEntry] = {}
        self._path = folder / NAME
        _check_folder(folder)
        with disk_errors(self._path):
            folder.mkdir(parents=True, exist_ok=True)
            # Without a buffer: a kill loses no line of a finished copy.
            self._file: IO[bytes] = open(self._path, 'a+b', 0)
        try:
            self._lock()
            self._read(settings, redo)
        except BaseException:
            self._file.close()
            raise

    def __enter__(self) -> 'CopyRecord':
        return self

    def __exit__(self, *error: object) -> None:
        self._file.close()

    def _lock(self) -> None:
        """Lock the file, where the system has locks."""
        for _ in range(_TRIES if fcntl is not None else 0):
            try:
                # Forked workers hold a lock of flock too, unlike a lock of
                # lockf.
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                return
            except BlockingIOError:
                time.sleep(_PAUSE)
            except OSError:  # a file system without locks
                return
        if fcntl is not None:
            raise ValueError(
                f'{self._path.parent} is in use by another run, or by '
                'processes of a killed run, which end by themselves. Wait, or '
                'pass another --out.')

    def _read(self, settings: CopySettings, redo: bool) -> None:
        """Read the lines, or begin with the settings."""
        self._file.seek(0)
        content = self._file.read()
        lines = content.splitlines()
        if redo or not lines:
            with disk_errors(self._path):
                self._file.truncate(0)
            self._write(dict(version=VERSION, settings=settings._asdict()))
            return
        found = _parse(lines[0])
        if found is None or found.get('version') != VERSION:
            raise ValueError(f'{self._path} is not a record of this version; '
                             'pass --redo, or another --out')
        other = _difference(found.get('settings'), settings)
        if other:
            raise ValueError(
                f'{self._path.parent} holds copies of other settings: '
                f'{other}. Pass --redo to make them anew, or another --out.')
        for line in lines[1:]:
            entry = _parse(line)  # a line cut off by a kill is made again
            if entry is not None and entry.keys() == set(CopyEntry._fields):
                self.entries[entry['name']] = CopyEntry(**entry)
        # Else the next line would be glued to a line cut off by a kill.
        if not content.endswith(b'\n'):
            with disk_errors(self._path):
                self._file.write(b'\n')

    def _write(self, content: Dict[str, Any]) -> None:
        with disk_errors(self._path):
            self._file.write(json.dumps(content).encode() + b'\n')

    def add(self, entry: CopyEntry) -> None:
        """Write the line of a finished copy.

        Args:
            entry (CopyEntry): The line.

        Raises:
            DiskError: If the line cannot be written.
        """
        self._write(entry._asdict())
        self.entries[entry.name] = entry

    def is_current(self, path: Path, name: str, size: int, mtime: int) -> bool:
        """Tell whether a copy exists and the original is unchanged.

        Args:
            path (Path): The copy.
            name (str): As in ``CopyEntry``.
            size (int): Bytes of the original now.
            mtime (int): Last change of the original now.

        Returns:
            bool: False if the copy is to be made.
        """
        entry = self.entries.get(name)
        if entry is None or (entry.size, entry.mtime) != (size, mtime):
            return False
        try:
            return path.stat().st_size == entry.copy_size
        except OSError:
            return False


def _check_folder(folder: Path) -> None:
    """Refuse a folder that holds something else."""
    if (folder / NAME).is_file():
        return
    if folder.exists() and not folder.is_dir():
        raise ValueError(f'--out {folder} is not a folder')
    if folder.exists() and any(folder.iterdir()):
        raise ValueError(f'--out {folder} holds files other than copies of '
                         'this tool; pass a new or an empty folder')


def _parse(line: bytes) -> Optional[Dict[str, Any]]:
    """Read a line, None for other than a dict."""
    try:
        found = json.loads(line)
    except ValueError:
        return None
    return found if isinstance(found, dict) else None


def _difference(found: Any, settings: CopySettings) -> str:
    """Name the settings that differ, '' for none."""
    found = found if isinstance(found, dict) else {}
    return ', '.join(f'{key}={found.get(key)!r}, now {value!r}'
                     for key, value in settings._asdict().items()
                     if found.get(key) != value)
