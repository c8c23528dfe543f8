import os
from pathlib import Path
from typing import Any, List

import pytest
import torch
from tiny_training import Line, Numbers, build_runner

from mmvideomamba.engine.hooks import WorkerPriorityHook
from mmvideomamba.engine.worker_priority import GiveWay
from mmvideomamba.user_error import UserError


class Niceness(Numbers):
    """Samples with the niceness of the reading process."""

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.full((4, ), float(os.nice(0)))


class Seen(Line):

    def __init__(self) -> None:
        super().__init__()
        self.seen: List[float] = []

    def train_step(self, data: Any, optim_wrapper: Any) -> dict:
        self.seen += data[:, 0].tolist()
        return super().train_step(data, optim_wrapper)

    def val_step(self, data: Any) -> List[int]:
        self.seen += data[:, 0].tolist()
        return [0]


@pytest.mark.parametrize('resume', [True, False])
def test_training_and_validation(tmp_path: Path, resume: bool) -> None:
    """Loaders of the host, and loaders of ``ResumeHook``, get the priority."""
    loader = dict(
        batch_size=2,
        num_workers=1,
        dataset=Niceness(),
        sampler=dict(type='DefaultSampler', shuffle=True),
        collate_fn=dict(type='default_collate'))
    hooks = dict(
        checkpoint=None,
        worker_priority=dict(type='mmvideomamba.WorkerPriorityHook', nice=3))
    if resume:
        hooks['resume'] = dict(type='mmvideomamba.ResumeHook')
    model = Seen()
    runner = build_runner(
        tmp_path, {},
        epochs=1,
        model=model,
        train_dataloader=loader,
        val_dataloader=loader,
        default_hooks=hooks)
    runner.train()
    assert model.seen == [min(os.nice(0) + 3, 19)] * 16


def test_workers_of_a_loop_by_iterations(tmp_path: Path) -> None:
    """The loop starts its workers before any hook runs."""
    loader = dict(
        batch_size=2,
        num_workers=1,
        dataset=Niceness(),
        sampler=dict(type='InfiniteSampler', shuffle=True),
        collate_fn=dict(type='default_collate'))
    model = Seen()
    runner = build_runner(
        tmp_path, {},
        model=model,
        train_cfg=dict(by_epoch=False, max_iters=2),
        train_dataloader=loader,
        default_hooks=dict(
            checkpoint=None,
            worker_priority=dict(
                type='mmvideomamba.WorkerPriorityHook', nice=3)))
    runner.train()
    assert model.seen[:4] == [min(os.nice(0) + 3, 19)] * 4


def test_loaders_without_workers(tmp_path: Path) -> None:
    runner = build_runner(
        tmp_path, {}, epochs=1, default_hooks=dict(checkpoint=None))
    runner.train_loop, runner.val_loop
    WorkerPriorityHook().before_run(runner)
    function = runner.train_dataloader.worker_init_fn
    assert not isinstance(function, GiveWay)


@pytest.mark.parametrize('nice', [-1, 20, 1.5])
def test_wrong_nice(nice: Any) -> None:
    with pytest.raises(UserError, match='nice of WorkerPriorityHook'):
        WorkerPriorityHook(nice)
