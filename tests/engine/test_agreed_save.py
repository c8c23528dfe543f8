"""A save succeeds in all processes, or all end."""
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from mmvideomamba.engine import agreed_save
from mmvideomamba.engine.agreed_save import agree, size_of_state, write_whole
from mmvideomamba.user_error import UserError


def fail() -> None:
    raise OSError(28, 'No space left on device')


def test_agree(tmp_path: Path) -> None:
    done = []
    agree(lambda: done.append(1), tmp_path / 'a.pth', 5)
    assert done == [1]
    with pytest.raises(UserError) as error:
        agree(fail, tmp_path / 'a.pth', 5_200_000)
    text = str(error.value)
    assert text.startswith(f'{tmp_path}/a.pth cannot be written')
    assert 'No space left' in text and 'needs 5.2 MB' in text
    assert f'MB are free in {tmp_path}' in text
    with pytest.raises(UserError, match='free space is unknown'):
        agree(fail, tmp_path / 'no/a.pth', 5)


def test_failure_elsewhere(tmp_path: Path, monkeypatch: Any) -> None:
    vote = SimpleNamespace(settle=lambda flags: [True])
    monkeypatch.setattr(agreed_save, 'Vote', lambda flags: vote)
    with pytest.raises(UserError) as error:
        agree(lambda: None, tmp_path / 'a.pth', 5)
    assert error.value.code == 1


def test_other_errors_keep_their_traceback(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError):
        agree(lambda: print(1 / 0), tmp_path / 'a.pth', 5)


@pytest.mark.parametrize('error', [OSError, KeyboardInterrupt])
def test_write_whole(tmp_path: Path, error: type) -> None:
    path = tmp_path / 'new/a.pth'

    def write(name: str, content: str = 'one', end: Any = None) -> None:
        assert name != path.name
        (path.parent / name).write_text(content)
        if end is not None:
            raise end

    write_whole(path, write, 5, True)
    assert path.read_text() == 'one'
    with pytest.raises(error):
        write_whole(path, lambda name: write(name, 't', error), 5, True)
    assert path.read_text() == 'one'
    assert os.listdir(path.parent) == ['a.pth']


def test_too_little_space(tmp_path: Path) -> None:
    with pytest.raises(OSError, match='too little space'):
        write_whole(tmp_path / 'a.pth', fail, 10**18, True)


def test_size_of_state() -> None:
    model = torch.nn.Linear(10, 10)
    optimizer = torch.optim.AdamW(model.parameters())
    runner: Any = SimpleNamespace(model=model, optim_wrapper=optimizer)
    assert size_of_state(runner, False) == 440
    assert size_of_state(runner, True) == 440
    model(torch.ones(1, 10)).sum().backward()
    optimizer.step()
    # Two moments of each weight, and a counter of steps for each tensor.
    assert size_of_state(runner, True) == 3 * 440 + 2 * 4
