import json
import re
from pathlib import Path
from types import SimpleNamespace
from typing import Any, List

import pytest
import torch
from mmengine.hooks import Hook
from tiny_training import Line, Numbers, build_runner

from mmvideomamba.engine.hooks import DataWaitHook, data_wait_hook
from mmvideomamba.engine.wait_meter import DataWaits, WaitMeter
from mmvideomamba.user_error import UserError

ITERATIONS = dict(train_cfg=dict(by_epoch=False, max_iters=7, val_interval=2))


class Clock:
    """A clock in seconds, advanced by steps, hooks and validations."""

    def __init__(self) -> None:
        self.now = 0.

    def __call__(self) -> float:
        return self.now


class Slow(Line):
    """A training step of 3 s, and a validation step of 100 s."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def train_step(self, *args: Any, **kwargs: Any) -> dict:
        self.clock.now += 3
        return super().train_step(*args, **kwargs)

    def val_step(self, data: Any) -> List[int]:
        self.clock.now += 100
        return super().val_step(data)


class OtherHook(Hook):
    """A second of other hooks before and after each step."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock

    def before_train_iter(self, *args: Any, **kwargs: Any) -> None:
        self.clock.now += 1

    after_train_iter = before_train_iter


@pytest.fixture
def clock(monkeypatch: Any) -> Clock:
    found = Clock()
    monkeypatch.setattr(data_wait_hook, 'WaitMeter',
                        lambda mark: WaitMeter(mark, found))
    monkeypatch.setattr(data_wait_hook, 'usable_cores', lambda: 16)
    return found


def train(folder: Path,
          clock: Clock,
          seconds: float,
          resume: bool = True,
          switch: dict = {},
          **kwargs: Any) -> List[str]:
    """Train with a loader of seconds; return the hook's lines."""

    def collate(samples: List[Any]) -> Any:
        clock.now += seconds
        return torch.stack(samples)

    hooks = dict(
        checkpoint=None,
        data_wait=dict(type='mmvideomamba.DataWaitHook', **switch))
    if resume:
        hooks['resume'] = dict(type='mmvideomamba.ResumeHook')
    runner = build_runner(
        folder, {},
        epochs=2,
        model=Slow(clock),
        hooks=(OtherHook(clock), ),
        default_hooks=hooks,
        log_level='INFO',
        **kwargs)
    loop: Any = runner.train_loop
    loop.dataloader.collate_fn = collate
    runner.train()
    assert 'run_iter' not in vars(runner.train_loop)
    (log, ) = folder.glob('*/*.log')
    return re.findall('data: .*', log.read_text())


@pytest.mark.parametrize('resume', [True, False])
def test_lines_of_epochs(tmp_path: Path, clock: Clock, resume: bool) -> None:
    """Steps of 5 s with hooks; validations and hooks are no waits."""
    lines = train(tmp_path, clock, 5., resume=resume)
    assert lines == [
        'data: the training waited 50.0 % of the epoch for data (20.0 of '
        '40.0 s); to change: train_dataloader.num_workers=15 (now 0; 16 cores '
        'are usable)'
    ] * 2
    (values, ) = tmp_path.glob('*/vis_data/scalars.json')
    found = map(json.loads, values.read_text().splitlines())
    assert [(x['step'], x['data/wait_share']) for x in found
            if 'data/wait_share' in x] == [(4, 0.5), (8, 0.5)]


def test_lines_of_iterations(tmp_path: Path, clock: Clock) -> None:
    """A line after 3, 6 and 7 iterations, without the validations."""
    lines = train(tmp_path, clock, 5., switch=dict(interval=3), **ITERATIONS)
    assert [
        re.search(r'\((.*?)\)', x)[1] for x in lines  # type: ignore
    ] == ['15.0 of 30.0 s', '15.0 of 30.0 s', '5.0 of 10.0 s']
    assert all('50.0 % of the time' in x for x in lines)


def test_no_line_twice(tmp_path: Path, clock: Clock) -> None:
    switch = dict(interval=7)
    assert len(train(tmp_path, clock, 5., switch=switch, **ITERATIONS)) == 1


def test_short_waits_need_no_remedy(tmp_path: Path, clock: Clock) -> None:
    lines = train(tmp_path, clock, 0.2)
    assert lines and not any('to change' in x for x in lines)
    assert all('(0.8 of ' in x for x in lines)


def test_switched_off(tmp_path: Path, clock: Clock) -> None:
    assert train(tmp_path, clock, 5., switch=dict(enable=False)) == []


def test_no_advice_for_small_waits(tmp_path: Path, clock: Clock) -> None:
    line = train(tmp_path, clock, 0.1)[0]
    assert line.endswith('waited 2.0 % of the epoch for data (0.4 of 20.4 s)')


def remedies(*times: DataWaits, persistent: bool = False) -> List[str]:
    loader = SimpleNamespace(
        num_workers=15, persistent_workers=persistent, dataset=[])
    hook = DataWaitHook()
    hook.device = torch.device('cuda')
    runner: Any = SimpleNamespace(train_dataloader=loader)
    return hook._remedies(runner, list(times))


def test_workers_that_start_in_each_epoch(clock: Clock) -> None:
    again = 'train_dataloader.persistent_workers=True'
    assert remedies(DataWaits(10., 0., 4., 8)) == [again]
    assert remedies(DataWaits(100., 0., 4., 8)) == []
    assert remedies(DataWaits(10., 0., 4., 8), persistent=True) == []
    assert len(remedies(DataWaits(9., 0., 0., 8), DataWaits(9., 5., 0., 8)))


def test_first_batch_of_workers(tmp_path: Path, monkeypatch: Any) -> None:
    monkeypatch.setattr(data_wait_hook, 'LEAST_FIRST', 0.)
    loader = dict(
        batch_size=2,
        num_workers=1,
        dataset=Numbers(),
        sampler=dict(type='DefaultSampler', shuffle=True),
        collate_fn=dict(type='default_collate'))
    hooks = dict(
        checkpoint=None, data_wait=dict(type='mmvideomamba.DataWaitHook'))
    runner = build_runner(
        tmp_path, {},
        epochs=1,
        train_dataloader=loader,
        default_hooks=hooks,
        log_level='INFO')
    runner.train()
    (log, ) = tmp_path.glob('*/*.log')
    assert re.search(r'data: .*; first batch after \d+\.\d s', log.read_text())


def test_line_of_two_processes() -> None:
    everyone = [DataWaits(10., 1. + 2 * rank, 5., 8) for rank in range(2)]
    assert data_wait_hook._line(
        everyone, dict(device='GPU', part='epoch')
    ) == ('data: 2 processes waited 20.0 % of the epoch for data on average, '
          'process 1 30.0 % (3.0 of 10.0 s)')


@pytest.mark.parametrize('interval', [0, 1.5])
def test_wrong_interval(interval: Any) -> None:
    with pytest.raises(UserError, match='interval of DataWaitHook'):
        DataWaitHook(interval=interval)


def test_loop_without_iterations(mm_log: List[str]) -> None:
    runner: Any = SimpleNamespace(train_loop=object())
    hook = DataWaitHook()
    hook.before_train(runner)
    hook.before_train_epoch(runner)
    hook.after_train_epoch(runner)
    assert 'waits for data are not measured' in mm_log[-1]
