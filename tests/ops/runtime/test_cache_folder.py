"""A folder for compiled kernels, closed to others."""
import os
import tempfile
from pathlib import Path

import pytest

from mmvideomamba.ops.runtime.cache_folder import (name_triton_cache,
                                                   private_folder)


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


@pytest.mark.parametrize('home, named, expected', [
    ('writable', '', False),
    ('closed', '', True),
    ('closed', 'TRITON_CACHE_DIR', False),
    ('closed', 'TRITON_HOME', False),
])
def test_kernels_of_triton(folder: Path, tmp_path: Path, home: str, named: str,
                           expected: bool,
                           monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder of ours only where Triton's own cannot be written."""
    (tmp_path / home).mkdir()
    monkeypatch.setenv('HOME', str(tmp_path / home))
    for variable in ('TRITON_CACHE_DIR', 'TRITON_HOME'):
        # Set first, so that monkeypatch undoes a change made by the function.
        monkeypatch.setenv(variable, 'given' if variable == named else '')
    allowed = os.access
    monkeypatch.setattr(
        os, 'access',
        lambda path, mode: 'closed' not in str(path) and allowed(path, mode))
    name_triton_cache()
    own = str(folder.with_name(f'mmvideomamba-triton-{os.getuid()}'))
    assert (os.environ['TRITON_CACHE_DIR'] == own) == expected
