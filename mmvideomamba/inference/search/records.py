"""Records of indexed videos, kept in a journal."""
import json
import os
import zlib
from hashlib import blake2b
from pathlib import Path
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

_ENDS = 64 << 10  # bytes at either end of a file, to tell files apart


class Stamp(NamedTuple):
    """Size and time of a file, to notice a change.

    Args:
        size (int): Bytes.
        mtime (int): Time of the last change, in nanoseconds.
    """
    size: int
    mtime: int


class VideoRecord(NamedTuple):
    """An indexed or an unreadable video.

    Args:
        root (str): Indexed folder, absolute.
        name (str): Path from the folder on.
        size (int): Bytes of the file.
        mtime (int): Time of the last change of the file, in nanoseconds.
        digest (str): Of size, first and last 64 KiB of the file.
        first (int): Row of the first window. Defaults to 0.
        windows (int): Number of windows. Defaults to 0.
        duration (float): Seconds. Defaults to 0.
        fps (float): Frames per second. Defaults to 0.
        error (str, optional): Reason why the video cannot be read. Defaults
            to None.
    """
    root: str
    name: str
    size: int
    mtime: int
    digest: str
    first: int = 0
    windows: int = 0
    duration: float = 0.
    fps: float = 0.
    error: Optional[str] = None

    @property
    def path(self) -> str:
        """Absolute path of the file."""
        return os.path.join(self.root, self.name)

    @property
    def stamp(self) -> Stamp:
        """Size and time of the file at the reading."""
        return Stamp(self.size, self.mtime)


def stamp_of(path: str) -> Optional[Stamp]:
    """Return size and time of a file.

    Args:
        path (str): The file.

    Returns:
        Stamp, optional: None without a file.
    """
    try:
        state = os.stat(path)
    except (OSError, ValueError):  # ValueError: a null byte in the name
        return None
    return Stamp(state.st_size, state.st_mtime_ns)


def digest_of(path: str) -> str:
    """Return a checksum of the two ends of a file.

    Args:
        path (str): The file.

    Returns:
        str: 32 hexadecimal digits; '' for an unreadable file.
    """
    try:
        with open(path, 'rb') as file:
            size = os.fstat(file.fileno()).st_size
            found = blake2b(str(size).encode(), digest_size=16)
            found.update(file.read(_ENDS))
            file.seek(max(0, size - _ENDS))
            found.update(file.read(_ENDS))
    except OSError:
        return ''
    return found.hexdigest()


def _line(values: Dict[str, Any]) -> bytes:
    """Write a line of the journal: a checksum, and JSON."""
    text = json.dumps(values).encode()
    return b'%08x %s\n' % (zlib.crc32(text), text)


def line_of(record: VideoRecord) -> bytes:
    """Write the line of a video.

    Args:
        record (VideoRecord): Of the video; replaces an older record.

    Returns:
        bytes: For the journal.
    """
    return _line(record._asdict())


def dropped_line(record: VideoRecord) -> bytes:
    """Write the line of a video about to leave the index.

    Args:
        record (VideoRecord): Of the video.

    Returns:
        bytes: For the journal.
    """
    return _line(dict(root=record.root, name=record.name, dropped=True))


def _values(line: bytes) -> Optional[Dict[str, Any]]:
    """Read a line, None if the checksum differs or the end is missing."""
    check, _, text = line.rstrip(b'\n').partition(b' ')
    if not line.endswith(b'\n') or check != b'%08x' % zlib.crc32(text):
        return None
    return json.loads(text)


def read_journal(path: Path) -> Tuple[Dict[str, VideoRecord], int, int]:
    """Read a journal.

    Args:
        path (Path): The file.

    Returns:
        tuple[dict[str, VideoRecord], int, int]: Records by path; rows of all
        records so far, dropped ones too; bytes of whole lines.

    Raises:
        ValueError: If a line is damaged and whole lines follow.
        OSError: If the file cannot be read.
    """
    records: Dict[str, VideoRecord] = {}
    rows = size = 0
    lines: List[bytes] = path.read_bytes().splitlines(keepends=True)
    for number, line in enumerate(lines, 1):
        values = _values(line)
        if values is None:
            if any(_values(later) is not None for later in lines[number:]):
                raise ValueError(
                    f'{path} is damaged in line {number}: bring the file back '
                    'from a backup, or remove the index and make it anew')
            break  # the last write is unfinished
        size += len(line)
        if values.pop('dropped', False):
            records.pop(os.path.join(values['root'], values['name']), None)
            continue
        record = VideoRecord(**values)
        # A changed video moves to the end, as the rows do.
        records.pop(record.path, None)
        records[record.path] = record
        rows = max(rows, record.first + record.windows)
    return records, rows, size
