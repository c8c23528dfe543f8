"""Readers of caption files in JSON, with millions of entries.

A reader holds numbers in arrays and nothing per entry in Python, so that the
workers of a data loader share the memory.
"""
import json
from array import array
from typing import Any, BinaryIO, List

import numpy as np

from mmvideomamba.json_file import parse_json
from .json_list import read_json_entries
from .record import PerProcess, Record, check_file, parse_record

READ_BYTES = 1 << 24  # of a file of lines at once
NEWLINE = ord('\n')
BLANKS = np.frombuffer(b' \t\r\v\f', np.uint8)


class JsonRecords:
    """A JSON list of ``{"video" or "image": PATH, "caption": TEXT}``.

    All entries are checked when the file is loaded. A faulty entry
    keeps the number, and raises ValueError when read.

    Python's objects of the whole file are in memory for a moment; for more
    than a million entries take lines or SQLite.

    Args:
        path (str): The file.
        key (str): 'video' or 'image'.

    Attributes:
        faults (list[str]): Of entries.
    """

    def __init__(self, path: str, key: str) -> None:
        self.path, self.key = path, key
        self.faults: List[str] = []
        lines = read_json_entries(path, self._line)
        self.ends = np.cumsum([len(line) for line in lines])
        self.data = np.frombuffer(b''.join(lines), np.uint8)

    def _line(self, number: int, entry: Any) -> bytes:
        try:
            name, captions, _ = parse_record(entry, self.key,
                                             f'entry {number}')
        except ValueError as error:
            self.faults.append(str(error))
            # A text in the place of a pair marks a faulty entry.
            return json.dumps(str(error)).encode()
        return json.dumps((name, captions)).encode()

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: int) -> Record:
        start = self.ends[index - 1] if index else 0
        found = json.loads(self.data[start:self.ends[index]].tobytes())
        if isinstance(found, str):
            raise ValueError(f'caption file {self.path}: {found}')
        return Record(*found)


class JsonlRecords:
    """A file with an entry of ``JsonRecords`` in each line.

    Lines are found when the file is loaded, and checked when read.

    Args:
        path (str): The file.
        key (str): 'video' or 'image'.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is empty.
    """

    def __init__(self, path: str, key: str) -> None:
        self.path, self.key = path, key
        check_file(path)
        self.starts = _line_starts(path)
        if not len(self.starts):
            raise ValueError(f'caption file {path} is empty')
        self.file = PerProcess(self._reopen)

    def _reopen(self) -> BinaryIO:
        check_file(self.path)
        return open(self.path, 'rb')

    def __len__(self) -> int:
        return len(self.starts)

    def __getitem__(self, index: int) -> Record:
        file = self.file.get()
        file.seek(self.starts[index])
        line = file.readline()
        where = f'caption file {self.path}: entry {index}'
        entry = parse_json(line, where, f'correct the line {line[:80]!r}')
        return parse_record(entry, self.key, where)


def _line_starts(path: str) -> np.ndarray:
    """Find the first byte of each line that is not blank; int64, (n, )."""
    # Grows in place, where a list of arrays would be copied in the end.
    starts = array('q')
    offset, at_start = 0, True
    # A look at a line through the second handle leaves the place of the first
    # alone.
    with open(path, 'rb') as file, open(path, 'rb') as other:
        for block in iter(lambda: file.read(READ_BYTES), b''):
            data = np.frombuffer(block, np.uint8)
            # After a newline at the last byte, a line begins in the next
            # block: at_start.
            found = np.flatnonzero(data[:-1] == NEWLINE) + 1
            if at_start:
                found = np.append(0, found)
            first = data[found]
            keep = first != NEWLINE
            for i in np.flatnonzero(np.isin(first, BLANKS)):
                other.seek(offset + found[i])
                keep[i] = bool(other.readline().strip())
            starts.frombytes((found[keep] + offset).tobytes())
            offset, at_start = offset + len(data), data[-1] == NEWLINE
    return np.frombuffer(starts, np.int64)
