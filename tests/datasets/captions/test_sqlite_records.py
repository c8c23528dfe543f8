import sqlite3
from pathlib import Path

import pytest
from caption_files import build, check

from mmvideomamba.datasets.video.errors import MediaError


def test_bad_databases(folder: Path) -> None:
    with sqlite3.connect(folder / 'a.sqlite') as database:
        database.execute('DELETE FROM annos WHERE id = 0')
    with pytest.raises(ValueError, match='0 to 1 for 2 rows.*from 1 to 2'):
        build(folder, 'a.sqlite')
    with sqlite3.connect(folder / 'a.sqlite') as database:
        database.execute('DELETE FROM annos')
    with pytest.raises(ValueError, match='annos has no row'):
        build(folder, 'a.sqlite')
    with sqlite3.connect(folder / 'a.sqlite') as database:
        database.execute('ALTER TABLE annos RENAME COLUMN caption TO text')
    with pytest.raises(ValueError, match='no table annos.*caption'):
        build(folder, 'a.sqlite')


def test_id_that_is_missing(folder: Path) -> None:
    """Number, smallest and largest id look right."""
    with sqlite3.connect(folder / 'a.sqlite') as database:
        database.execute('UPDATE annos SET id = 0 WHERE id = 1')
    data = build(folder, 'a.sqlite')
    assert data[2]['text'] == 'an elk'
    with pytest.raises(ValueError, match='a.sqlite: id 1 is missing'):
        data[1]


@pytest.mark.parametrize('value, match', [
    ('NULL', "'caption': None, neither a text"),
    ('3', "'caption': 3, neither a text"),
    ("x'61'", "'caption': b'a', neither a text"),
    ("CAST(x'ff' AS TEXT)", 'cannot be read: Could not decode to UTF-8'),
    ("' ?'", 'an empty caption'),
])
def test_bad_rows(folder: Path, value: str, match: str) -> None:
    """Each is a bad sample, and the others are read."""
    with sqlite3.connect(folder / 'a.sqlite') as database:
        database.execute(f'UPDATE annos SET caption = {value} WHERE id = 1')
    data = build(folder, 'a.sqlite')
    with pytest.raises(MediaError, match=f'a.sqlite: id 1 .*{match}'):
        data[1]
    assert data[2]['text'] == 'an elk'


def test_database_without_index(folder: Path, mm_log) -> None:
    build(folder, 'a.sqlite')
    assert 'a.sqlite has no index of its ids' in ''.join(mm_log)
    mm_log.clear()
    with sqlite3.connect(folder / 'a.sqlite') as database:
        database.execute('CREATE UNIQUE INDEX annos_id ON annos(id)')
    check([build(folder, 'a.sqlite')[i] for i in range(3)])
    assert not mm_log


def test_damaged_database(folder: Path) -> None:
    """An unreadable row is a bad medium."""
    data = build(folder, 'a.sqlite')
    with sqlite3.connect(folder / 'a.sqlite') as database:
        database.execute('DROP TABLE annos')
    with pytest.raises(ValueError, match='id 1 cannot be read: no such table'):
        data[1]
