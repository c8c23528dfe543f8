import os
import sys
from pathlib import Path
from typing import Optional

import pytest

from mmvideomamba import thread_waits
from mmvideomamba.thread_waits import POLICY, let_threads_sleep


@pytest.fixture(autouse=True)
def machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the device folder of a machine before any import of torch."""
    monkeypatch.setattr(thread_waits, 'DEVICES', tmp_path)
    # The undo of setenv also removes the variables set by the function.
    for name in (POLICY, 'CUDA_VISIBLE_DEVICES'):
        monkeypatch.setenv(name, '')
        monkeypatch.delenv(name)
    monkeypatch.delitem(sys.modules, 'torch', raising=False)
    return tmp_path


def test_no_gpu() -> None:
    let_threads_sleep()
    assert os.environ[POLICY] == 'PASSIVE'


def test_policy_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(POLICY, 'ACTIVE')
    let_threads_sleep()
    assert os.environ[POLICY] == 'ACTIVE'


@pytest.mark.parametrize('visible, policy', [(None, None), ('0', None),
                                             ('', 'PASSIVE'),
                                             ('-1', 'PASSIVE')])
def test_gpu(machine: Path, monkeypatch: pytest.MonkeyPatch,
             visible: Optional[str], policy: Optional[str]) -> None:
    (machine / 'nvidia0').touch()
    if visible is not None:
        monkeypatch.setenv('CUDA_VISIBLE_DEVICES', visible)
    let_threads_sleep()
    assert os.environ.get(POLICY) == policy


def test_too_late(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, 'torch', sys)
    let_threads_sleep()
    assert POLICY not in os.environ


@pytest.mark.parametrize('tool', ['tools/train.py', 'tools/test.py'])
def test_tools_set_the_policy_before_torch(tool: str) -> None:
    text = (Path(__file__).parents[1] / tool).read_text()
    before = text.partition('from mmengine.config import Config')[0]
    assert '    let_threads_sleep()\n' in before
