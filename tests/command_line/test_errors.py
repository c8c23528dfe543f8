"""Errors of a user end a command with a message, others with a traceback."""
from pathlib import Path

import pytest

from mmvideomamba.command_line import require_files, user_errors


@pytest.mark.parametrize('error', [
    FileNotFoundError('a.py is missing'),
    PermissionError('a.py is locked'),
    ValueError('a.py is empty')
])
def test_message_and_status(error: Exception) -> None:
    with pytest.raises(SystemExit) as stop:
        with user_errors():
            raise error
    # Python writes a text to stderr and exits with status 1.
    assert stop.value.code == f'error: {error}'
    assert stop.value.__cause__ is error


def test_other_status(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit) as stop:
        with user_errors(status=2):
            raise ValueError('a.py is empty')
    assert stop.value.code == 2
    assert capsys.readouterr().err == 'error: a.py is empty\n'


def test_other_errors_pass() -> None:
    with pytest.raises(RuntimeError):
        with user_errors():
            raise RuntimeError
    with pytest.raises(SystemExit, match='error: no encoder'):
        with user_errors(RuntimeError):
            raise RuntimeError('no encoder')


def test_require_files(tmp_path: Path) -> None:
    there = tmp_path / 'a.txt'
    there.touch()
    require_files(video=str(there))
    with pytest.raises(FileNotFoundError, match="the label file '.*b.txt'"):
        require_files(video=str(there), label_file=str(tmp_path / 'b.txt'))
