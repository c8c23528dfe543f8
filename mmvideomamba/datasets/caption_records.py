"""Readers of caption files with millions of entries.

A reader holds numbers in arrays and nothing per entry in Python, so that the
workers of a data loader share it; it opens files in the process that reads.
"""
import json
import os
import sqlite3
from array import array
from pathlib import Path
from typing import Any, BinaryIO, Callable, Dict, List, NamedTuple, Optional

import numpy as np
from mmengine.logging import print_log

from .caption_text import (captions_of, check_all, check_file, one_text,
                           read_json_list)

ENTRY = 'SELECT filename, caption FROM annos WHERE id = ?'


class Record(NamedTuple):
    """What an entry says.

    Args:
        name (str): Path of the medium, or its name within a shard.
        captions (list[str]): Cleaned, at least one.
        content (bytes, optional): Of the medium, where it comes with the
            entry.
    """
    name: str
    captions: List[str]
    content: Optional[bytes] = None


class PerProcess:
    """Something that is opened anew in each process.

    Args:
        start (Callable): Opens it.
    """

    def __init__(self, start: Callable[[], Any]) -> None:
        self.start = start
        self._opened: Dict[int, Any] = {}

    def get(self) -> Any:
        """Return it, opened by this process."""
        if os.getpid() not in self._opened:
            self._opened = {os.getpid(): self.start()}
        return self._opened[os.getpid()]

    def __getstate__(self) -> dict:
        return dict(start=self.start, _opened={})


class JsonRecords:
    """A JSON list of ``{"video" or "image": PATH, "caption": TEXT}``.

    All entries are checked when it is loaded.

    Args:
        path (str): The file.
        key (str): 'video' or 'image'.
    """

    def __init__(self, path: str, key: str) -> None:
        self.path, self.key = path, key
        lines = check_all(read_json_list(path), self._line, path)
        self.ends = np.cumsum([len(line) for line in lines])
        self.data = np.frombuffer(b''.join(lines), np.uint8)

    def _line(self, number: int, entry: Any) -> bytes:
        return json.dumps(_parse(entry, self.key, f'entry {number}')).encode()

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: int) -> Record:
        start = self.ends[index - 1] if index else 0
        return Record(*json.loads(self.data[start:self.ends[index]].tobytes()))


class JsonlRecords:
    """A file with an entry of ``JsonRecords`` in each line.

    Lines are found when it is loaded, and checked when they are read.

    Args:
        path (str): The file.
        key (str): 'video' or 'image'.
    """

    def __init__(self, path: str, key: str) -> None:
        self.path, self.key = path, key
        starts, start = array('q'), 0
        check_file(path)
        with open(path, 'rb') as file:
            for line in file:
                if line.strip():
                    starts.append(start)
                start += len(line)
        if not starts:
            raise ValueError(f'caption file {path} is empty')
        self.starts = np.array(starts)
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
        try:
            entry = json.loads(line)
        except ValueError as error:
            raise ValueError(f'{where} is no JSON: {line[:80]!r}') from error
        return Record(*_parse(entry, self.key, where))


class SqliteRecords:
    """An SQLite file with a table ``annos(id, filename, caption)``.

    Ids run from 0 without a gap. Without an index of the ids each entry
    would be searched for from the start of the table; a warning tells.

    Args:
        path (str): The file.
        key (str): Unused; the column is ``filename``.
    """

    def __init__(self, path: str, key: str = 'video') -> None:
        self.path = path
        check_file(path)
        self.connection = PerProcess(self._connect)
        try:
            count, low, high = self.connection.get().execute(
                'SELECT count(*), min(id), max(id) FROM annos').fetchone()
            # Names all columns, and says how an entry is found.
            plan = self.connection.get().execute('EXPLAIN QUERY PLAN ' + ENTRY,
                                                 (0, )).fetchall()
        except sqlite3.Error as error:
            raise ValueError(f'caption file {path} has no table annos(id, '
                             f'filename, caption): {error}') from error
        if not count or (low, high) != (0, count - 1):
            raise ValueError(
                f'caption file {path}: the ids of annos must be 0 to '
                f'{max(count, 1) - 1} for {count} rows, but reach from {low} '
                f'to {high}')
        if any(step[-1].startswith('SCAN') for step in plan):
            print_log(
                f'caption file {path} has no index of its ids, so each entry '
                'is searched for; run CREATE UNIQUE INDEX annos_id ON '
                'annos(id)', 'current', 30)
        self.count = count

    def _connect(self) -> sqlite3.Connection:
        uri = Path(self.path).absolute().as_uri() + '?mode=ro'
        return sqlite3.connect(uri, uri=True, check_same_thread=False)

    def __len__(self) -> int:
        return self.count

    def __getitem__(self, index: int) -> Record:
        where = f'caption file {self.path}: id {index}'
        try:
            row = self.connection.get().execute(ENTRY, (index, )).fetchone()
        except sqlite3.Error as error:
            raise ValueError(f'{where} cannot be read: {error}') from error
        if row is None:
            raise ValueError(f'{where} is missing')
        entry = dict(zip(('filename', 'caption'), row))
        return Record(*_parse(entry, 'filename', where))


def _parse(entry: Any, key: str, where: str) -> tuple:
    """Return name and captions of an entry."""
    return one_text(entry, key, where), captions_of(entry, where)
