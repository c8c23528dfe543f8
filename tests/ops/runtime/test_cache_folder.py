"""A folder for compiled kernels, closed to others."""
import os
import tempfile
from pathlib import Path

import pytest

from mmvideomamba.ops.runtime.cache_folder import private_folder


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, 'gettempdir', lambda: str(tmp_path))
    return tmp_path / f'mmvideomamba-a-{os.getuid()}'


def test_made_once(folder: Path) -> None:
    for _ in range(2):
        assert private_folder('a') == folder
    assert folder.stat().st_mode & 0o777 == 0o700


def test_folders_of_others(folder: Path, tmp_path: Path,
                           monkeypatch: pytest.MonkeyPatch) -> None:
    folder.mkdir()
    folder.chmod(0o777)
    assert private_folder('a') is None
    folder.rmdir()
    (tmp_path / 'elsewhere').mkdir(mode=0o700)
    folder.symlink_to(tmp_path / 'elsewhere')
    assert private_folder('a') is None
    folder.unlink()
    folder.touch()
    assert private_folder('a') is None
    user = os.getuid()
    monkeypatch.setattr(os, 'getuid', lambda: user + 1)
    theirs = folder.with_name(f'mmvideomamba-a-{user + 1}')
    theirs.mkdir(mode=0o700)
    assert private_folder('a') is None


def test_nowhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, 'gettempdir', lambda: str(tmp_path / 'no'))
    assert private_folder('a') is None
