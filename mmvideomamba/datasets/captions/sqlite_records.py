"""Reader of caption files in SQLite, with millions of entries."""
import sqlite3
from pathlib import Path

from mmengine.logging import print_log

from .record import PerProcess, Record, check_file, parse_record

# One by one: asked together, they look at each row.
COUNT = ('SELECT (SELECT count(*) FROM annos), (SELECT min(id) FROM annos), '
         '(SELECT max(id) FROM annos)')
ENTRY = 'SELECT filename, caption FROM annos WHERE id = ?'


class SqliteRecords:
    """An SQLite file with a table ``annos(id, filename, caption)``.

    Ids run from 0 without a gap. Without an index of the ids the database
    searches for each entry from the start of the table; a warning tells.

    Args:
        path (str): The file.
        key (str): Unused; the column is ``filename``. Defaults to 'video'.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file has no such table, or the table no row, or the
            ids have a gap.
    """

    def __init__(self, path: str, key: str = 'video') -> None:
        self.path = path
        check_file(path)
        self.connection = PerProcess(self._connect)
        try:
            count, low, high = self.connection.get().execute(COUNT).fetchone()
            # Names all columns, and says how an entry is found.
            plan = self.connection.get().execute('EXPLAIN QUERY PLAN ' + ENTRY,
                                                 (0, )).fetchall()
        except sqlite3.Error as error:
            raise ValueError(f'caption file {path} has no table annos(id, '
                             f'filename, caption): {error}') from error
        if not count:
            raise ValueError(f'caption file {path}: annos has no row')
        if (low, high) != (0, count - 1):
            raise ValueError(
                f'caption file {path}: the ids of annos must be 0 to '
                f'{count - 1} for {count} rows, but reach from {low} '
                f'to {high}')
        if any(step[-1].startswith('SCAN') for step in plan):
            print_log(
                f'caption file {path} has no index of its ids, so each entry '
                'is searched for; run CREATE UNIQUE INDEX annos_id ON '
                'annos(id)', 'current', 30)
        self.count = count

    def _connect(self) -> sqlite3.Connection:
        # Read-only: sqlite3 would make an empty file where the database is
        # gone.
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
        return parse_record(entry, 'filename', where)
