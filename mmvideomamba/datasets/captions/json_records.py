"""Readers of caption files in JSON, with millions of entries.

A reader holds numbers in arrays and nothing per entry in Python, so that the
workers of a data loader share the memory.
"""
import json
from array import array
from typing import Any, BinaryIO

import numpy as np

from mmvideomamba.json_file import parse_json
from .json_list import read_json_entries
from .record import PerProcess, Record, check_file, parse_record


class JsonRecords:
    """A JSON list of ``{"video" or "image": PATH, "caption": TEXT}``.

    All entries are checked when the file is loaded.

    Args:
        path (str): The file.
        key (str): 'video' or 'image'.
    """

    def __init__(self, path: str, key: str) -> None:
        self.path, self.key = path, key
        lines = read_json_entries(path, self._line)
        self.ends = np.cumsum([len(line) for line in lines])
        self.data = np.frombuffer(b''.join(lines), np.uint8)

    def _line(self, number: int, entry: Any) -> bytes:
        name, captions, _ = parse_record(entry, self.key, f'entry {number}')
        return json.dumps((name, captions)).encode()

    def __len__(self) -> int:
        return len(self.ends)

    def __getitem__(self, index: int) -> Record:
        start = self.ends[index - 1] if index else 0
        return Record(*json.loads(self.data[start:self.ends[index]].tobytes()))


class JsonlRecords:
    """A file with an entry of ``JsonRecords`` in each line.

    Lines are found when the file is loaded, and checked when read.

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
        entry = parse_json(line, where, f'correct the line {line[:80]!r}')
        return parse_record(entry, self.key, where)
