"""The record of copies survives a kill, and is bound to run and settings."""
import errno
import os
from pathlib import Path
from typing import Any

import pytest

from mmvideomamba.datasets.preparation import copy_record
from mmvideomamba.datasets.preparation.copy_record import (NAME, CopyEntry,
                                                           CopyRecord)
from mmvideomamba.datasets.preparation.disk_errors import DiskError
from mmvideomamba.datasets.preparation.video_copy import CopySettings

ENTRY = CopyEntry('a.mp4', '/in/a.avi', 10, 123, 3, 20, 'kept', 'even')


def test_lines_are_kept(tmp_path: Path) -> None:
    folder, settings = tmp_path / 'new' / 'set', CopySettings(crf=18.)
    with CopyRecord(folder, settings) as record:
        record.add(ENTRY)
        # A killed run leaves the line, perhaps with a part of the next.
        content = (folder / NAME).read_bytes()
    assert content.count(b'\n') == 2
    (folder / NAME).write_bytes(content + b'{"name": "b.mp')
    with CopyRecord(folder, settings) as record:
        assert record.entries == {'a.mp4': ENTRY}
        record.add(ENTRY._replace(name='c.mp4'))
    with CopyRecord(folder, settings) as record:
        assert set(record.entries) == {'a.mp4', 'c.mp4'}


def test_what_is_current(tmp_path: Path) -> None:
    copy = tmp_path / 'set' / 'a.mp4'
    with CopyRecord(tmp_path / 'set', CopySettings()) as record:
        record.add(ENTRY)
        assert not record.is_current(copy, 'a.mp4', 10, 123)  # no copy
        copy.write_bytes(b'abc')
        assert record.is_current(copy, 'a.mp4', 10, 123)
        assert not record.is_current(copy, 'a.mp4', 10, 124)
        assert not record.is_current(copy, 'a.mp4', 11, 123)
        assert not record.is_current(copy, 'b.mp4', 10, 123)
        copy.write_bytes(b'ab')
        assert not record.is_current(copy, 'a.mp4', 10, 123)


def test_other_settings(tmp_path: Path) -> None:
    with CopyRecord(tmp_path, CopySettings()) as record:
        record.add(ENTRY)
    other = CopySettings(key_frames=6)
    with pytest.raises(ValueError, match='key_frames=12, now 6.*--redo'):
        CopyRecord(tmp_path, other)
    with CopyRecord(tmp_path, other, redo=True) as record:
        assert record.entries == {}
    with CopyRecord(tmp_path, other) as record:
        assert record.entries == {}


def test_one_run_at_a_time(tmp_path: Path,
                           monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(copy_record, '_TRIES', 1)
    with CopyRecord(tmp_path, CopySettings()):
        with pytest.raises(ValueError, match='in use by another run'):
            CopyRecord(tmp_path, CopySettings())
    CopyRecord(tmp_path, CopySettings()).__exit__()


def test_folder_of_something_else(tmp_path: Path) -> None:
    (tmp_path / 'a.mp4').touch()
    with pytest.raises(ValueError, match='other than copies of this tool'):
        CopyRecord(tmp_path, CopySettings())
    with pytest.raises(ValueError, match='a.mp4 is not a folder'):
        CopyRecord(tmp_path / 'a.mp4', CopySettings())
    (tmp_path / NAME).write_text('[]\n')
    with pytest.raises(ValueError, match='not a record of this version'):
        CopyRecord(tmp_path, CopySettings())
    assert sorted(os.listdir(tmp_path)) == ['a.mp4', NAME]


def test_full_disk(tmp_path: Path) -> None:

    class Full:
        """A file on a disk with no space left."""

        def write(self, content: bytes) -> Any:
            raise OSError(errno.ENOSPC, 'No space left on device')

        def close(self) -> None:
            """Do nothing."""

    with CopyRecord(tmp_path, CopySettings()) as record:
        record._file.close()
        record._file = Full()  # type: ignore[assignment]
        with pytest.raises(DiskError, match='No space left'):
            record.add(ENTRY)
        assert record.entries == {}
