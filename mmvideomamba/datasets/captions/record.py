"""An entry of a caption file, and the shared parts of all readers."""
import os
from pathlib import Path
from typing import Any, Callable, Dict, List, NamedTuple, Optional, Union

from .texts import captions_of, one_text

REMEDY = 'correct ann_file and data_root, or write the file first'


class Record(NamedTuple):
    """A medium and the captions of it.

    Args:
        name (str): Path of the medium, or the name within a shard.
        captions (list[str]): Cleaned, a text or more.
        content (bytes, optional): Of the medium, where the entry holds the
            medium itself. Defaults to None.
    """
    name: str
    captions: List[str]
    content: Optional[bytes] = None


def parse_record(entry: Any, key: str, where: str) -> Record:
    """Read medium and captions of an entry.

    Args:
        entry (Any): A dict with ``caption`` and the medium's path.
        key (str): Key of the path.
        where (str): Name of the entry in an error.

    Returns:
        Record: Without content.

    Raises:
        ValueError: If a key is missing or holds something else.
    """
    return Record(one_text(entry, key, where), captions_of(entry, where))


def check_file(path: Union[str, Path]) -> None:
    """Refuse a missing caption file.

    Args:
        path (str | Path): The file.

    Raises:
        FileNotFoundError: If the file does not exist.
    """
    if not Path(path).is_file():
        raise FileNotFoundError(f'caption file {path} does not exist; '
                                f'{REMEDY}')


class PerProcess:
    """Hold a file or connection, opened anew in each process.

    Args:
        start (Callable): Opens the file.
    """

    def __init__(self, start: Callable[[], Any]) -> None:
        self.start = start
        self._opened: Dict[int, Any] = {}

    def get(self) -> Any:
        """Return the file of this process, opened at the first call."""
        # A forked process shares the place within an open file with the
        # parent: each seek would move the other process.
        if os.getpid() not in self._opened:
            self._opened = {os.getpid(): self.start()}
        return self._opened[os.getpid()]

    def __getstate__(self) -> dict:
        return dict(start=self.start, _opened={})
