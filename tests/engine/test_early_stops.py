"""Early stopping ends a resumed training like an uninterrupted training."""
from pathlib import Path
from typing import Any

import pytest
from mmengine.hooks import EarlyStoppingHook, Hook
from tiny_training import build_runner

from mmvideomamba.engine.hooks import ResumeHook


class Stop(Hook):
    """End the process in effect, before an iteration."""

    def __init__(self, iteration: int) -> None:
        self.iteration = iteration

    def before_train_iter(self, runner: Any, *args: Any, **_: Any) -> None:
        if runner.iter == self.iteration:
            raise KeyboardInterrupt


def run(folder: Path, *hooks: Any, save_best: Any = None, **early: Any) -> int:
    """Train for 6 epochs of 4 iterations; return the last iteration."""
    settings = dict(dict(monitor='toy/acc', rule='less', patience=2), **early)
    runner = build_runner(
        folder,
        dict(
            type='mmvideomamba.SafeCheckpointHook',
            save_best=save_best,
            rule='greater'),
        resume=folder.exists(),
        epochs=6,
        hooks=(ResumeHook(), EarlyStoppingHook(**settings), *hooks))
    try:
        runner.train()
    except KeyboardInterrupt:
        pass
    return runner.iter


@pytest.mark.parametrize('iteration', [5, 9])
@pytest.mark.parametrize('save_best', [None, 'toy/acc'])
def test_counts_go_on(tmp_path: Path, save_best: Any, iteration: int) -> None:
    """Counts go on, also after a checkpoint with the validation included."""
    assert run(
        tmp_path / 'cut', Stop(iteration), save_best=save_best) == iteration
    assert run(tmp_path / 'cut', save_best=save_best) == 12


@pytest.mark.parametrize('save_best', [None, 'toy/acc'])
def test_ended_training_stays_ended(tmp_path: Path, save_best: Any) -> None:
    folder = tmp_path / 'run'
    assert run(folder, save_best=save_best) == 12
    assert run(folder, save_best=save_best) == 12
    assert run(folder, save_best=save_best, patience=3) == 16


def test_threshold_was_reached(tmp_path: Path) -> None:
    early = dict(rule='greater', stopping_threshold=0.7, save_best='toy/acc')
    assert run(tmp_path / 'run', **early) == 8
    assert run(tmp_path / 'run', **early) == 8
    assert run(tmp_path / 'run', **{**early, 'stopping_threshold': 1.5}) == 16
