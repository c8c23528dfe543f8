"""A file is complete or absent, also after a failure during writing."""
import os
from pathlib import Path
from typing import Any

import pytest

from mmvideomamba import atomic_file
from mmvideomamba.atomic_file import (draft_of, drop_cache, finish_file,
                                      write_file)


@pytest.mark.parametrize('fsync', [True, False])
def test_written_and_replaced(tmp_path: Path, monkeypatch: Any,
                              fsync: bool) -> None:
    synced = []
    monkeypatch.setattr(
        os, 'fsync',
        lambda number: synced.append(os.readlink(f'/proc/self/fd/{number}')))
    path = tmp_path / 'a.txt'
    write_file(path, 'one', fsync)
    write_file(path, b'two', fsync)
    assert path.read_text() == 'two'
    assert os.listdir(tmp_path) == ['a.txt']
    # The content is synced before the renaming, the folder afterwards.
    once = [str(draft_of(path)), str(tmp_path)]
    assert synced == once * 2 * fsync


@pytest.mark.parametrize('moment', ['write_bytes', 'replace', 'fsync'])
def test_failure_leaves_the_old_file(tmp_path: Path, monkeypatch: Any,
                                     moment: str) -> None:
    path = tmp_path / 'a.txt'
    write_file(path, 'one')

    def fail(*args: Any) -> None:
        raise OSError(28, 'No space left on device')

    place = Path if moment == 'write_bytes' else atomic_file.os
    monkeypatch.setattr(place, moment, fail)
    with pytest.raises(OSError, match='No space'):
        write_file(path, 'two')
    assert path.read_text() == 'one'
    assert os.listdir(tmp_path) == ['a.txt']


def test_draft_is_in_the_same_folder(tmp_path: Path) -> None:
    path = tmp_path / 'epoch_1.pth'
    draft_of(path).write_bytes(b'1')
    assert draft_of(path).parent == tmp_path
    assert not list(tmp_path.glob('*.pth'))
    finish_file(path)
    assert os.listdir(tmp_path) == ['epoch_1.pth']


@pytest.mark.parametrize('available', [True, False])
def test_drop_cache(tmp_path: Path, monkeypatch: Any, available: bool) -> None:
    """The content is unchanged; anything but a file is ignored."""
    if not available:
        monkeypatch.delattr(os, 'posix_fadvise')
    path = tmp_path / 'a.txt'
    write_file(path, 'one' * 10000)
    for place in (path, tmp_path, tmp_path / 'none'):
        drop_cache(place)
    assert path.read_text() == 'one' * 10000
