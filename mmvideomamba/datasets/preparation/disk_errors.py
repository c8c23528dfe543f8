"""Errors of the disk of the copies, told from other errors."""
from contextlib import contextmanager
from pathlib import Path
from typing import Iterator


class DiskError(OSError):
    """The place of the copies cannot be written, a full disk for example."""


@contextmanager
def disk_errors(path: Path) -> Iterator[None]:
    """Turn errors of the system while a file is written into DiskError.

    Args:
        path (Path): The file.

    Raises:
        DiskError: With the number of the error.
    """
    try:
        yield
    except OSError as error:
        # Pickles of errors keep no more than the two arguments.
        raise DiskError(error.errno,
                        f'{path}: {error.strerror or error}') from error


class DraftFile:
    """The file of an unfinished copy, whose errors name the disk.

    Args:
        path (Path): The file.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        with disk_errors(path):
            self._file = open(path, 'wb')  # pylint: disable=R1732

    def write(self, data: bytes) -> int:
        """Write, as a file does."""
        with disk_errors(self._path):
            return self._file.write(data)

    def seek(self, place: int, whence: int = 0) -> int:
        """Move, as in a file."""
        with disk_errors(self._path):
            return self._file.seek(place, whence)

    def tell(self) -> int:
        """Return the place."""
        return self._file.tell()

    def close(self) -> None:
        """Write the rest, and close."""
        with disk_errors(self._path):
            self._file.close()
