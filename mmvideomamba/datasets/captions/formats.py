"""The formats of caption files: add a row to ``FORMATS`` to add a format.

A reader is a class in a new file, like ``sqlite_records.py``, and follows
``CaptionReader``. ``tests/datasets/captions/test_formats.py`` reads
the same pairs through every row.
"""
import inspect
import os
from typing import Any, Callable, Dict, Protocol

from .json_records import JsonlRecords, JsonRecords
from .record import Record
from .shard_records import ShardRecords
from .sqlite_records import SqliteRecords


class CaptionReader(Protocol):
    """Interface of a reader of caption files.

    A reader is built with ``path`` (str), ``key`` ('video' or 'image', the
    modality) and options of the format by name, and raises ValueError or
    FileNotFoundError for an unusable file. Readers are pickled for
    the workers of a data loader: keep per-entry numbers in arrays, and open
    files through ``PerProcess``.

    A faulty entry keeps its number and does not keep a reader from being
    built; a list attribute ``faults`` tells those known by then, and the
    data set judges and empties the list.

    An attribute ``shard_ends`` (np.ndarray, int64, rising) tells where
    stretches end that must be read in order, see ``ShardSampler``; a reader
    without the attribute allows any order.
    """

    def __len__(self) -> int:
        """Count the entries."""

    def __getitem__(self, index: int) -> Record:
        """Read an entry; raise ValueError if the entry cannot be read."""


# By the ending of the file.
FORMATS: Dict[str, Callable[..., CaptionReader]] = {
    '.json': JsonRecords,
    '.jsonl': JsonlRecords,
    '.sqlite': SqliteRecords,
    '.db': SqliteRecords,
    '.tar': ShardRecords
}


def open_captions(path: str, key: str, **options: Any) -> CaptionReader:
    """Open a caption file with the reader of its format.

    Args:
        path (str): The file; for '.tar', a pattern of the shell for several.
        key (str): 'video' or 'image'.
        **options (Any): Further arguments of the reader.

    Returns:
        CaptionReader: The entries.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the format is unknown, its reader has no such
            argument, or the file cannot be used.
    """
    ending = os.path.splitext(path)[1]
    if ending not in FORMATS:
        raise ValueError(f'ann_file {path} of CaptionDataset must end in one '
                         f'of {list(FORMATS)}')
    # Without path and key, given by position.
    taken = list(inspect.signature(FORMATS[ending]).parameters.values())[2:]
    known = [one.name for one in taken]
    unknown = [name for name in options if name not in known]
    if unknown and not any(one.kind is one.VAR_KEYWORD for one in taken):
        allowed = f'but {", ".join(known)}' if known else 'and no other option'
        raise ValueError(f'the source {path} of CaptionDataset takes no '
                         f'{", ".join(unknown)}, {allowed}')
    return FORMATS[ending](path, key, **options)
