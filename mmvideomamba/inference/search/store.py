"""Files of an index: growing rows, and a journal."""
import errno
import os
import time
from pathlib import Path
from typing import Any, Dict, List, Optional

import numpy as np

from mmvideomamba.atomic_file import write_file
from .records import VideoRecord, dropped_line, line_of, read_journal
from .settings import PRECISIONS, Settings

JOURNAL = 'videos.jsonl'
VECTORS, WINDOWS, TOKENS = 'vectors.bin', 'windows.bin', 'tokens.bin'
# Between two waits for the disk passes so many times the duration of a wait:
# waits take a tenth of the time. A killed process loses the videos since.
_COMMIT_DISTANCE = 9


def folder_name(generation: int) -> str:
    """Return the name of a data folder.

    Args:
        generation (int): From the settings.

    Returns:
        str: In the folder of the index.
    """
    return f'data-{generation}'


class Store:
    """The rows and records of a data folder, for reading.

    Rows and lines are only ever appended, so readers need no lock. A row
    counts once the line of the video is in the journal.

    Args:
        folder (Path): The data folder.
        settings (Settings): Of the index.

    Attributes:
        records (dict[str, VideoRecord]): By path.
        rows (int): Of the matrix, with rows of dropped videos.

    Raises:
        ValueError: If files are damaged.
    """

    def __init__(self, folder: Path, settings: Settings) -> None:
        self.folder, self.settings = folder, settings
        self.records: Dict[str, VideoRecord] = {}
        self.rows = self.journal_bytes = 0
        self._maps: Dict[str, np.ndarray] = {}
        self.reload()
        # A map outlives the file: a writer may replace the file.
        for get in (self.vectors, self.windows, self.tokens):
            get()

    def reload(self) -> None:
        """Read the journal again, after another process has written."""
        path = self.folder / JOURNAL
        try:
            found = read_journal(path)
        except FileNotFoundError as error:
            raise ValueError(
                f'{path} of the index is missing: bring it back from a '
                'backup, or remove the index and make it anew') from error
        self.records, self.rows, self.journal_bytes = found
        for name, size in self.row_bytes().items():
            try:
                held = (self.folder / name).stat().st_size
            except FileNotFoundError:
                held = -1
            # More bytes than needed are no damage: a writer may be at work, or
            # was killed.
            if held < size * self.rows:
                raise ValueError(
                    f'{self.folder / name} is damaged: {max(held, 0)} bytes, '
                    f'but {self.rows} windows need {size * self.rows}; bring '
                    'it back from a backup, or remove the index and make it '
                    'anew')

    def row_bytes(self) -> Dict[str, int]:
        """Return the bytes of a window in each file.

        Returns:
            dict[str, int]: By the name of the file.
        """
        tokens = self.settings.token_bytes
        vector = self.settings.window_bytes - 16 - tokens
        found = {VECTORS: vector, WINDOWS: 16}
        return {**found, TOKENS: tokens} if tokens else found

    def _map(self, name: str, dtype: str, *shape: int) -> np.ndarray:
        """Map the rows of a file into memory, read-only."""
        if not self.rows:  # nothing can be mapped
            return np.empty((0, *shape), dtype)
        if name not in self._maps or len(self._maps[name]) != self.rows:
            self._maps[name] = np.memmap(
                self.folder / name, dtype, 'r', shape=(self.rows, *shape))
        return self._maps[name]

    def vectors(self) -> np.ndarray:
        """Return the vectors, mapped.

        Returns:
            np.ndarray: Shape (rows, embed_dim), of the precision of the
            index.
        """
        return self._map(VECTORS, PRECISIONS[self.settings.precision],
                         self.settings.embed_dim)

    def windows(self) -> np.ndarray:
        """Return start and end of the windows, mapped.

        Returns:
            np.ndarray: Shape (rows, 2), float64, seconds.
        """
        return self._map(WINDOWS, '<f8', 2)

    def tokens(self) -> Optional[np.ndarray]:
        """Return the visual tokens, mapped.

        Returns:
            np.ndarray, optional: Shape (rows, tokens, channels), float16;
            None for an index without.
        """
        shape = self.settings.token_shape
        return self._map(TOKENS, '<f2', *shape) if shape else None

    @property
    def live_rows(self) -> int:
        """Number of the rows of videos in the index."""
        return sum(record.windows for record in self.records.values())


def create_store(folder: Path, settings: Settings) -> None:
    """Make an empty data folder.

    Args:
        folder (Path): The data folder; rests of an earlier try are
            overwritten.
        settings (Settings): Of the index.
    """
    folder.mkdir(parents=True, exist_ok=True)
    names = [JOURNAL, VECTORS, WINDOWS]
    for name in names + ([TOKENS] if settings.token_shape else []):
        write_file(folder / name, b'')


def _write_all(number: int, data: Any) -> None:
    """Write all bytes, in several calls where needed."""
    left = memoryview(data).cast('B')
    while left:
        left = left[os.write(number, left):]


class StoreWriter:
    """Appends videos to a store; the caller holds the lock of the index.

    Rows reach the disk before the line of the video. Leftovers of a killed
    writer after the last line are removed first.

    Args:
        store (Store): Just read; the records follow the writing.

    Attributes:
        removed (int): Bytes left by a killed writer.

    Raises:
        OSError: If a file of the store cannot be opened for writing.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self._names = [*store.row_bytes(), JOURNAL]
        self._files: Dict[str, int] = {}
        self._lines: List[bytes] = []
        self._pending: List[VideoRecord] = []
        self._dropped: List[VideoRecord] = []
        self._last, self._cost = time.monotonic(), 0.
        self._end = store.rows
        try:
            for name in self._names:
                self._files[name] = os.open(
                    store.folder / name,
                    os.O_RDWR | os.O_APPEND | getattr(os, 'O_BINARY', 0))
            self.removed = self._cut()
        except BaseException:
            self.close()
            raise

    def _sizes(self) -> Dict[str, int]:
        """Return the bytes up to the last video, of each file."""
        sizes = self.store.row_bytes()
        found = {name: size * self.store.rows for name, size in sizes.items()}
        return {**found, JOURNAL: self.store.journal_bytes}

    def _cut(self) -> int:
        """Remove bytes after the last video; return the number."""
        removed = 0
        for name, size in self._sizes().items():
            more = os.fstat(self._files[name]).st_size - size
            if more > 0:
                os.ftruncate(self._files[name], size)
                removed += more
        return removed

    def append(self,
               record: VideoRecord,
               vectors: Optional[np.ndarray] = None,
               windows: Optional[np.ndarray] = None,
               tokens: Optional[np.ndarray] = None) -> VideoRecord:
        """Add a video, in place of an older record of the path.

        Args:
            record (VideoRecord): Of the video; without vectors, the record
                keeps the rows.
            vectors (np.ndarray, optional): Shape (n, embed_dim). Defaults to
                None, no new rows.
            windows (np.ndarray, optional): Seconds, shape (n, 2). Defaults to
                None.
            tokens (np.ndarray, optional): Shape (n, tokens, channels).
                Defaults to None.

        Returns:
            VideoRecord: With the new rows.

        Raises:
            OSError: If the disk is full; all videos so far are kept.
        """
        if vectors is not None:
            record = record._replace(first=self._end, windows=len(vectors))
            arrays = {VECTORS: vectors, WINDOWS: windows, TOKENS: tokens}
            precision = PRECISIONS[self.store.settings.precision]
            types = {VECTORS: precision, WINDOWS: '<f8', TOKENS: '<f2'}
            try:
                for name in self.store.row_bytes():
                    array = np.ascontiguousarray(arrays[name], types[name])
                    _write_all(self._files[name], array.reshape(-1))
            except BaseException as error:
                # The rows of this video go, earlier rows stay.
                self._cut_rows(self._end)
                if isinstance(error, OSError):
                    self.commit()
                    raise self._named(error) from error
                raise
            self._end += len(vectors)
        self._lines.append(line_of(record))
        self._pending.append(record)
        if time.monotonic() - self._last >= _COMMIT_DISTANCE * self._cost:
            self.commit()
        return record

    def _cut_rows(self, rows: int) -> None:
        """Remove the rows after a number of rows."""
        for name, size in self.store.row_bytes().items():
            os.ftruncate(self._files[name], size * rows)

    def drop(self, record: VideoRecord) -> None:
        """Take a video out of the index.

        Args:
            record (VideoRecord): Of the video.
        """
        self._lines.append(dropped_line(record))
        self._dropped.append(record)

    def commit(self) -> None:
        """Let all videos so far count, whatever happens from now on.

        Raises:
            OSError: If the disk is full; the index is as before.
        """
        if not self._lines:
            return
        start = time.monotonic()
        data = b''.join(self._lines)
        try:
            # Rows before the line: the journal must never name rows that a
            # power cut loses.
            for name in self.store.row_bytes():
                os.fsync(self._files[name])
            _write_all(self._files[JOURNAL], data)
            os.fsync(self._files[JOURNAL])
        except OSError as error:
            self._forget()
            raise self._named(error) from error
        self._count(len(data))
        self._last = time.monotonic()
        self._cost = self._last - start

    def _count(self, size: int) -> None:
        """Bring the records of the store up to date."""
        records = self.store.records
        for record in self._pending:
            # Out first, so that a changed video goes to the end as in
            # read_journal.
            records.pop(record.path, None)
            records[record.path] = record
        for record in self._dropped:
            records.pop(record.path, None)
        self.store.rows = max(self.store.rows, self._end)
        self.store.journal_bytes += size
        self._lines, self._pending, self._dropped = [], [], []

    def _forget(self) -> None:
        """Go back to the last commit."""
        self._cut()
        self._lines, self._pending, self._dropped = [], [], []
        self._end = self.store.rows

    def _named(self, error: OSError) -> OSError:
        """Name the index, the kept videos, and the remedy."""
        text = f'{self.store.folder.parent}: {error.strerror or error}'
        if error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
            text += (f'; {len(self.store.records)} videos are kept, make room '
                     'and repeat the command to go on')
        return OSError(error.errno, text)

    def close(self) -> None:
        """Close the files."""
        for number in self._files.values():
            os.close(number)
        self._files = {}


def copy_live(store: Store, folder: Path) -> None:
    """Copy the videos of a store, without the rows of dropped ones.

    Args:
        store (Store): The store.
        folder (Path): New data folder.
    """
    create_store(folder, store.settings)
    writer = StoreWriter(Store(folder, store.settings))
    vectors, windows, tokens = store.vectors(), store.windows(), store.tokens()
    try:
        for record in store.records.values():
            rows = slice(record.first, record.first + record.windows)
            if record.error is not None:
                writer.append(record._replace(first=0, windows=0))
                continue
            writer.append(record, vectors[rows], windows[rows],
                          None if tokens is None else tokens[rows])
        writer.commit()
    finally:
        writer.close()
