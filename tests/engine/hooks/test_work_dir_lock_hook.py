"""One training holds a working folder; a second training is refused."""
import multiprocessing
import time
from pathlib import Path
from typing import Any

import pytest
from mmengine.hooks import Hook
from mmengine.runner import Runner
from tiny_training import build_runner

from mmvideomamba.engine.hooks import WorkDirLockHook, work_dir_lock_hook
from mmvideomamba.engine.work_dir_lock import NAME, WorkDirLock
from mmvideomamba.user_error import UserError

FORK = multiprocessing.get_context('fork')


def build(folder: Path, *hooks: Hook, force: bool = False) -> Runner:
    hook = dict(type='mmvideomamba.WorkDirLockHook', force=force)
    return build_runner(
        folder,
        dict(type='mmvideomamba.SafeCheckpointHook', interval=1),
        epochs=2,
        hooks=(hook, *hooks))


class Look(Hook):
    """Note whether the folder is held in each epoch."""

    def __init__(self) -> None:
        self.seen: list = []

    def before_train_epoch(self, runner: Runner) -> None:
        self.seen.append(Path(runner.work_dir, NAME).exists())


def test_held_during_the_training(tmp_path: Path) -> None:
    look = Look()
    runner = build(tmp_path, look)
    assert not (tmp_path / NAME).exists()
    runner.train()
    assert look.seen == [True, True]
    assert not (tmp_path / NAME).exists()


def test_a_validation_takes_no_lock(tmp_path: Path) -> None:
    look = Look()
    look.before_val_epoch = look.before_train_epoch  # type: ignore
    build(tmp_path, look).val()
    assert look.seen == [False]


def take(folder: str, force: bool, pipe: Any) -> None:
    WorkDirLock(folder).take(force)
    pipe.send('taken')
    time.sleep(60)


class Other:
    """Another process taking the folder."""

    def __init__(self, folder: Path, force: bool = False) -> None:
        ours, theirs = FORK.Pipe()
        self.process = FORK.Process(
            target=take, args=(str(folder), force, theirs))
        self.process.start()
        assert ours.recv() == 'taken'

    def __enter__(self) -> 'Other':
        return self

    def __exit__(self, *error: Any) -> None:
        self.process.kill()
        self.process.join()


def test_second_training_ends(tmp_path: Path) -> None:
    with Other(tmp_path) as other:
        pid = other.process.pid
        with pytest.raises(UserError, match=f'is held .* process {pid} '):
            build(tmp_path).train()
        assert not list(tmp_path.glob('*.pth'))
        build(tmp_path, force=True).train()
    assert (tmp_path / 'epoch_2.pth').exists()


def test_lock_of_a_dead_process_is_mentioned(tmp_path: Path) -> None:
    with Other(tmp_path) as other:
        pid = other.process.pid
    runner, lines = build(tmp_path), []
    runner.logger.warning = lines.append  # type: ignore
    runner.train()
    told = [line for line in lines if f'from process {pid} ' in line]
    assert len(told) == 1 and 'which has ended' in told[0]


class TakenByForce(Hook):
    """Let another process take the folder in the second epoch."""
    other: Any = None

    def before_train_epoch(self, runner: Runner) -> None:
        if runner.epoch == 1:
            self.other = Other(Path(runner.work_dir), force=True)


def test_training_whose_lock_was_taken_saves_no_more(tmp_path: Path) -> None:
    hook = TakenByForce()
    try:
        with pytest.raises(UserError, match='was taken over by process'):
            build(tmp_path, hook).train()
    finally:
        hook.other.__exit__()
    assert [p.name for p in tmp_path.glob('*.pth')] == ['epoch_1.pth']


def test_sign_of_life_once_a_minute(monkeypatch: Any) -> None:
    now, beats = [100.], []
    monkeypatch.setattr(work_dir_lock_hook.time, 'monotonic', lambda: now[0])
    hook = WorkDirLockHook()
    hook.after_train_iter(None, 0)  # of a process without the lock
    hook._lock = WorkDirLock('unused')
    monkeypatch.setattr(hook._lock, 'beat', lambda: beats.append(now[0]))
    for now[0] in (100., 120., 159., 161., 200., 221.5):
        hook.after_train_iter(None, 0)
        hook.after_val_iter(None, 0)
    assert beats == [100., 161., 221.5]
