"""All processes resume from the same complete file, or none does."""
import logging
from pathlib import Path
from types import SimpleNamespace
from typing import Any, List, Optional

import pytest
import torch

from mmvideomamba.engine import resume_point
from mmvideomamba.engine.resume_point import choose_checkpoint
from mmvideomamba.user_error import UserError


def save(path: Path, whole: bool = True) -> Path:
    torch.save(dict(meta=dict(iter=1), a=torch.ones(100)), path)
    if not whole:
        path.write_bytes(path.read_bytes()[:-90])
    return path


def choose(folder: Path,
           given: Optional[Path] = None,
           warnings: Optional[List[str]] = None) -> Optional[str]:
    logger = logging.getLogger('test')
    if warnings is not None:
        logger = SimpleNamespace(warning=warnings.append)  # type: ignore
    runner: Any = SimpleNamespace(
        _load_from=given and str(given), work_dir=str(folder), logger=logger)
    return choose_checkpoint(runner, str(folder), ['epoch_{}.pth'])


def test_found(tmp_path: Path) -> None:
    assert choose(tmp_path) is None
    warnings: List[str] = []
    path = save(tmp_path / 'epoch_1.pth')
    save(tmp_path / 'epoch_2.pth', whole=False)
    assert choose(tmp_path, warnings=warnings) == str(path)
    assert len(warnings) == 1
    assert 'epoch_2.pth is cut off' in warnings[0] and str(path) in warnings[0]


def test_damaged_files_alone(tmp_path: Path) -> None:
    save(tmp_path / 'epoch_1.pth', whole=False)
    with pytest.raises(UserError, match='epoch_1.pth is cut off.*--resume'):
        choose(tmp_path)


@pytest.mark.parametrize('beside', [False, True])
@pytest.mark.parametrize('name', ['epoch_2.pth', 'missing.pth'])
def test_given_file(tmp_path: Path, beside: bool, name: str) -> None:
    save(tmp_path / 'epoch_2.pth', whole=False)
    other = tmp_path / 'epoch_1.pth'
    if beside:
        save(other)
        assert choose(tmp_path, other) == str(other)
    with pytest.raises(UserError) as error:
        choose(tmp_path, tmp_path / name)
    assert f'{tmp_path / name} ' in str(error.value)
    assert beside == (f'next to it is {other}' in str(error.value))


def test_address_is_not_looked_at(tmp_path: Path) -> None:
    runner: Any = SimpleNamespace(_load_from='s3://bucket/a.pth')
    found = choose_checkpoint(runner, str(tmp_path), [])
    assert found == 's3://bucket/a.pth'


def test_other_processes_tell_nothing(tmp_path: Path,
                                      monkeypatch: Any) -> None:
    """Other processes get the outcome of the first process."""

    def receive(outcome: list) -> None:
        outcome[:] = sent

    monkeypatch.setattr(resume_point, 'is_main_process', lambda: False)
    monkeypatch.setattr(resume_point, 'broadcast_object_list', receive)
    sent = ['/far/epoch_1.pth', '']
    assert choose(tmp_path) == '/far/epoch_1.pth'
    sent = [None, 'a fault']
    with pytest.raises(UserError) as error:
        choose(tmp_path)
    assert error.value.code == 1
