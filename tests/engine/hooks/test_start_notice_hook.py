import re
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any, List

import pytest
import torch
from mmengine.config import Config
from mmengine.hooks import Hook
from tiny_training import Line, Numbers, build_runner

from mmvideomamba.engine.hooks import StartNoticeHook, start_notice_hook

NOTICE = dict(type='mmvideomamba.StartNoticeHook')
GIB = 2**30


class Clock:
    """A clock advanced by 20 s in the first step, by 2 s in later steps."""

    def __init__(self) -> None:
        self.now = 100.
        self.steps = 0

    def monotonic(self) -> float:
        return self.now

    def __deepcopy__(self, memo: dict) -> 'Clock':
        return self  # the runner copies the data set


class Slow(Line):
    """A model of slow steps."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self.clock = clock

    def train_step(self, *args: Any, **kwargs: Any) -> dict:
        self.clock.now += 2 if self.clock.steps else 20
        self.clock.steps += 1
        return super().train_step(*args, **kwargs)


class SlowNumbers(Numbers):
    """A data set whose first sample takes 6 s."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.first = 6.

    def __getitem__(self, index: int) -> torch.Tensor:
        self.clock.now, self.first = self.clock.now + self.first, 0.
        return super().__getitem__(index)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    found = Clock()
    monkeypatch.setattr(start_notice_hook, 'time', found)
    return found


def lines(folder: Path) -> List[str]:
    """Return the messages of the hook in the newest log of a training."""
    log = max(folder.glob('*/*.log'), key=lambda x: x.stat().st_mtime_ns)
    words = ('training starts', 'training needs', 'first batch', 'first step',
             'step ')
    found = re.findall(r' - mmengine - (\w+) - (.*)', log.read_text())
    return [
        f'{level} {line}' for level, line in found if line.startswith(words)
    ]


def train(folder: Path, clock: Clock, **kwargs: Any) -> List[str]:
    """Train and return the lines of the hook."""
    build_runner(
        folder,
        dict(type='CheckpointHook', interval=1),
        hooks=(NOTICE, ),
        model=Slow(clock),
        log_level='INFO',
        **kwargs).train()
    return lines(folder)


def test_lines(tmp_path: Path, clock: Clock) -> None:
    start, first, second = train(tmp_path, clock)
    plural = 's' * (torch.get_num_threads() != 1)
    assert start == (
        'INFO training starts: Slow, 0.0 M parameters, on CPU '
        f'({torch.get_num_threads()} thread{plural}); 2 samples a step; '
        '4 steps x 3 epochs')
    assert first == ('INFO first step: 20.0 s, slow by the compilation of '
                     'kernels; a projection of the end follows')
    # Steps 2 to 7, 12 s, without the first; 5 of 12 remain.
    assert second.startswith('INFO step 7: 2.0 s a step; the training takes '
                             'about 10 s more, until ')


def test_projection_after_10_seconds(tmp_path: Path, clock: Clock) -> None:
    found = train(tmp_path, clock, epochs=10)
    assert found[2].startswith('INFO step 7')
    clock.steps = 0

    class Slower(Hook):
        """Ten more seconds a step."""

        def before_train_iter(self, *args: Any, **kwargs: Any) -> None:
            clock.now += 9

    runner = build_runner(
        tmp_path / 'slower',
        dict(type='CheckpointHook', interval=1),
        hooks=(NOTICE, Slower()),
        model=Slow(clock),
        log_level='INFO',
        epochs=10)
    runner.train()
    # 11 s a step.
    assert lines(tmp_path / 'slower')[-1].startswith('INFO step 2: 11.0 s')


def test_earlier_training_in_the_folder(tmp_path: Path, clock: Clock) -> None:
    train(tmp_path, clock)
    train(tmp_path, clock)
    told = [
        line for log in tmp_path.glob('*/*.log')
        for line in log.read_text().splitlines()
        if 'holds the checkpoints of an earlier training' in line
    ]
    assert len(told) == 1 and 'WARNING' in told[0]


def test_validations_do_not_count(tmp_path: Path, clock: Clock) -> None:

    class Validation(Hook):
        """A validation of 15 s."""

        def before_val_epoch(self, runner: Any) -> None:
            clock.now += 15

    build_runner(
        tmp_path,
        dict(type='CheckpointHook', interval=1),
        hooks=(NOTICE, Validation()),
        model=Slow(clock),
        log_level='INFO').train()
    # A validation comes before step 7, and five of 12 steps remain.
    assert lines(tmp_path)[-1].startswith(
        'INFO step 7: 2.0 s a step; the training takes about 10 s more')


def test_first_batch(tmp_path: Path, clock: Clock) -> None:
    loader = dict(
        batch_size=2,
        num_workers=0,
        dataset=SlowNumbers(clock),
        sampler=dict(type='DefaultSampler', shuffle=True),
        collate_fn=dict(type='default_collate'))
    found = train(tmp_path, clock, train_dataloader=loader)
    assert found[1] == ('INFO first batch after 6 s: the training loads its '
                        'data itself')
    assert found[2].startswith('INFO first step: 20.0 s')


def test_resume(tmp_path: Path, clock: Clock) -> None:
    train(tmp_path, clock, epochs=2)
    clock.steps = 0
    time.sleep(1.1)  # the folder of the log is named by the second
    start, _, last = train(tmp_path, clock, epochs=6, resume=True)
    assert start.endswith('4 steps x 6 epochs, resumed after step 8')
    # After 7 steps of this run, 9 of 24 remain.
    assert 'step 7: 2.0 s a step; the training takes about 18 s more' in last


def test_other_processes_are_silent(tmp_path: Path, clock: Clock,
                                    monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start_notice_hook, 'is_main_process', lambda: False)
    assert train(tmp_path, clock) == []


def test_disabled(tmp_path: Path, clock: Clock) -> None:
    runner = build_runner(
        tmp_path,
        dict(type='CheckpointHook', interval=1),
        hooks=(dict(NOTICE, enable=False), ),
        log_level='INFO')
    runner.train()
    assert lines(tmp_path) == []


def test_waits_for_a_gpu_three_times(monkeypatch: pytest.MonkeyPatch) -> None:
    waits: List[int] = []
    hook = StartNoticeHook()
    monkeypatch.setattr(torch.cuda, 'synchronize',
                        lambda device: waits.append(hook.steps))
    weight = SimpleNamespace(device=torch.device('cuda', 0))
    runner: Any = SimpleNamespace(
        model=SimpleNamespace(parameters=lambda: iter([weight])),
        max_iters=1000,
        iter=0,
        logger=SimpleNamespace(info=lambda line: None))
    hook.watching = True
    for runner.iter in range(100):
        hook.after_train_iter(runner, runner.iter)
    assert waits == [1, 5, 10]


@pytest.fixture
def recipe() -> Any:
    """Return the part of a runner needed for the line about memory."""
    cfg = Config(
        dict(
            model=dict(backbone=dict()),
            train_dataloader=dict(batch_size=8),
            optim_wrapper=dict()))
    model = SimpleNamespace(
        parameters=lambda: iter([torch.zeros(1)]),
        backbone=SimpleNamespace(layers=range(24)))
    return SimpleNamespace(cfg=cfg, model=model)


def need(cfg: Config, device: torch.device) -> int:
    """Need 1 GiB a clip, and half with all blocks recomputed."""
    share = 0.5 if cfg.model.backbone.get('checkpoint_layers') else 1
    return int(cfg.train_dataloader.batch_size * GIB * share)


@pytest.mark.parametrize('free, batch', [(5, 4), (3, 2), (0.5, 1)])
def test_too_little_memory(recipe: Any, monkeypatch: pytest.MonkeyPatch,
                           free: float, batch: int) -> None:
    monkeypatch.setattr(start_notice_hook, 'estimate_training_memory', need)
    monkeypatch.setattr(start_notice_hook, 'free_bytes', lambda storage: int(
        (free - 0.25) * GIB))
    monkeypatch.setattr(start_notice_hook, 'held_bytes',
                        lambda storage: GIB // 4)
    warning, line = start_notice_hook._memory_line(recipe)
    assert warning
    assert f'needs about 8.0 GiB of {free:.1f} GiB free memory' in line
    assert (f'train_dataloader.batch_size={batch} '
            f'optim_wrapper.accumulative_counts={8 // batch} (about '
            f'{batch}.0 GiB)') in line
    assert 'checkpoint_layers=24 (blocks are computed twice; about 4.0' in line


def test_enough_memory(recipe: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start_notice_hook, 'estimate_training_memory', need)
    monkeypatch.setattr(start_notice_hook, 'free_bytes',
                        lambda storage: 9 * GIB)
    monkeypatch.setattr(start_notice_hook, 'held_bytes', lambda storage: 0)
    warning, line = start_notice_hook._memory_line(recipe)
    assert not warning
    assert line == ('the training needs about 8.0 GiB of 9.0 GiB free memory')


def test_nothing_is_guessed(recipe: Any,
                            monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(start_notice_hook, 'estimate_training_memory',
                        lambda cfg, device: None)
    assert start_notice_hook._memory_line(recipe) == (False, '')
    monkeypatch.setattr(start_notice_hook, 'estimate_training_memory', need)
    monkeypatch.setattr(start_notice_hook, 'free_bytes', lambda storage: None)
    assert start_notice_hook._memory_line(recipe) == (False, '')
