"""A replay file holds a step, whole or not at all, and no code."""
from pathlib import Path
from typing import Any

import pytest
import torch
from guarded_run import GuardedNet, Points, collate
from mmengine.config import Config

from mmvideomamba.engine.guard.generators import generator_states
from mmvideomamba.engine.guard.replay import Precision, Step, repeat
from mmvideomamba.engine.guard.replay_file import read_replay, write_replay

CONFIG = dict(model=dict(type='GuardedNet', iterations=(1, )), other=open)


def step_of(number: int = 1, **kwargs: Any) -> Step:
    points = Points()
    batch = dict(collate([points[i] for i in range(4)]), **kwargs)
    return Step(
        number,
        batch,
        generator_states(),
        scale=torch.tensor(8.),
        losses=dict(loss=1.5))


def write(path: Path, config: Any = CONFIG, **kwargs: Any) -> Step:
    step = step_of(2, **kwargs)
    write_replay(path, GuardedNet(), Config(dict(config)), [step],
                 Precision(True, 'bfloat16'), 'the report')
    return step


def test_step_repeats_from_a_file(tmp_path: Path) -> None:
    path = tmp_path / 'replay.pth'
    step = write(path)
    assert [x.name for x in tmp_path.iterdir()] == ['replay.pth']
    content, steps, precision = read_replay(str(path))
    assert content['report'] == 'the report' and content['training']
    assert content['config']['model'] == dict(
        type='GuardedNet', iterations=(1, ))
    assert precision == Precision(True, 'bfloat16')
    model = GuardedNet()
    model.load_state_dict(content['state_dict'])
    one, other = (repeat(model, x, precision) for x in (step, *steps))
    assert one == other
    assert (steps[0].iteration, float(steps[0].scale or 0)) == (2, 8.)
    assert steps[0].losses == dict(loss=1.5)


def test_full_disk(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:

    def full(content: Any, path: Path) -> None:
        Path(path).write_bytes(b'half')
        raise RuntimeError('enforce fail: file not written')

    monkeypatch.setattr(torch, 'save', full)
    with pytest.raises(OSError, match='a.pth cannot be written: enforce fail'):
        write(tmp_path / 'a.pth')
    assert list(tmp_path.iterdir()) == []


def test_other_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / 'a.pth'
    torch.save(dict(state_dict={}), path)
    with pytest.raises(ValueError, match='a.pth is not a replay file'):
        read_replay(str(path))
    with pytest.raises(FileNotFoundError):
        read_replay(str(tmp_path / 'b.pth'))


@pytest.mark.parametrize('key, value', [
    ('config', [1]),
    ('steps', 3),
    ('steps', [dict(iteration=3)]),
    ('report', 5),
    ('precision', dict(other=1)),
])
def test_changed_file_is_refused(tmp_path: Path, key: str, value: Any) -> None:
    path = tmp_path / 'a.pth'
    write(path)
    content = torch.load(path, weights_only=True)
    torch.save(dict(content, **{key: value}), path)
    with pytest.raises(ValueError, match='a.pth is not a complete replay'):
        read_replay(str(path))


def test_code_is_refused(tmp_path: Path) -> None:
    path = tmp_path / 'a.pth'
    torch.save(dict(format=open), path)
    with pytest.raises(ValueError, match='more than weights'):
        read_replay(str(path))


def test_batch_that_no_file_can_hold(tmp_path: Path) -> None:
    path = tmp_path / 'a.pth'
    write(path, other=object())
    with pytest.raises(ValueError, match=r'batch.0.other \(object\)'):
        read_replay(str(path))
    write(path, dict(model=dict(type=torch.nn.Linear)))
    with pytest.raises(ValueError, match=r'model.type \(type\)'):
        read_replay(str(path))
