"""What an epoch draws depends on seed, epoch and rank alone."""
import logging
import random
from pathlib import Path
from types import SimpleNamespace
from typing import Any, List

import numpy as np
import pytest
import torch
from mmengine.hooks import Hook
from mmengine.model import BaseModel
from mmengine.runner import Runner
from torch.utils.data import Dataset

from mmvideomamba.engine.hooks import ResumableSeedHook, resumable_seed_hook
from mmvideomamba.registry import HOOKS


class Draws(Dataset):
    """Samples that are drawn from the three generators."""
    metainfo: dict = dict()

    def __len__(self) -> int:
        return 4

    def __getitem__(self, index: int) -> torch.Tensor:
        return torch.tensor(
            [index,
             random.random(),
             np.random.rand(),
             torch.rand(1).item()])


class Toy(BaseModel):
    """A model that draws random numbers in the forward pass."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = torch.nn.Linear(4, 4)
        self.seen: List[list] = []

    def forward(self, inputs: torch.Tensor, mode: str = 'tensor') -> Any:
        self.seen.append(inputs.flatten().tolist())
        x = torch.nn.functional.dropout(self.fc(inputs), 0.5)
        return dict(loss=x.square().mean())

    def train_step(self, data: Any, optim_wrapper: Any) -> dict:
        losses = self(data)
        optim_wrapper.update_params(losses['loss'])
        return losses


class Stop(Hook):
    """End the process in effect, after two epochs."""

    def before_train_iter(self, runner, batch_idx, data_batch=None) -> None:
        if runner.epoch == 2:
            raise KeyboardInterrupt


def run(folder: Path,
        hooks: list,
        num_workers: int = 0,
        resume: bool = False,
        **kwargs) -> Toy:
    loader = dict(
        batch_size=2,
        num_workers=num_workers,
        dataset=Draws(),
        sampler=dict(type='DefaultSampler', shuffle=True),
        collate_fn=dict(type='default_collate'),
        persistent_workers=kwargs.pop('persistent_workers', False))
    # Before the model is made, so that all runs start from the same weights.
    torch.manual_seed(0)
    cfg = dict(
        model=Toy(),
        work_dir=str(folder),
        train_dataloader=loader,
        train_cfg=dict(by_epoch=True, max_epochs=4),
        optim_wrapper=dict(optimizer=dict(type='Adam', lr=0.1)),
        randomness=dict(seed=3),
        resume=resume,
        custom_hooks=hooks,
        experiment_name=f'{folder.name}-{resume}-{len(hooks)}',
        default_scope='mmengine')
    cfg.update(kwargs)
    runner = Runner(cfg=dict(randomness=cfg['randomness']), **cfg)
    runner.train()
    return runner.model


def interrupted(folder: Path, hooks: list, **kwargs) -> Toy:
    with pytest.raises(KeyboardInterrupt):
        run(folder, [*hooks, Stop()], **kwargs)
    return run(folder, hooks, resume=True, **kwargs)


def same(one: Toy, other: Toy) -> bool:
    return all(
        torch.equal(a, b)
        for a, b in zip(one.parameters(), other.parameters()))


@pytest.mark.parametrize('num_workers', [0, 2])
def test_resumed_run_repeats(tmp_path: Path, num_workers: int) -> None:
    hooks = [dict(type='mmvideomamba.ResumableSeedHook')]
    whole = run(tmp_path / 'whole', hooks, num_workers)
    resumed = interrupted(tmp_path / 'cut', hooks, num_workers=num_workers)
    assert same(whole, resumed)
    assert whole.seen[4:] == resumed.seen


def test_host_alone_does_not_repeat(tmp_path: Path) -> None:
    """Else the hook could go."""
    whole = run(tmp_path / 'whole', [])
    assert not same(whole, interrupted(tmp_path / 'cut', []))


def test_workers_draw_anew_in_each_epoch(tmp_path: Path) -> None:

    def draws(hooks: list) -> list:
        seen = run(tmp_path / f'{len(hooks)}', hooks, 1).seen
        # Without the index: the draws in the order in which they were made.
        return [
            np.array(batch).reshape(2, 4)[:, 1:].tolist() for batch in seen
        ]

    host = draws([])
    assert host[:2] == host[2:4]
    ours = draws([ResumableSeedHook()])
    assert len({str(batch) for batch in ours}) == len(ours)


@pytest.mark.parametrize('changed', ['seed', 'epoch', 'rank'])
def test_seed_depends_on(monkeypatch, changed: str) -> None:

    def draw(**kwargs) -> tuple:
        state = dict(seed=1, epoch=1, rank=1)
        state.update(kwargs)
        monkeypatch.setattr(resumable_seed_hook, 'get_rank',
                            lambda: state['rank'])
        loader = SimpleNamespace(worker_init_fn=None)
        ResumableSeedHook().before_train_epoch(
            SimpleNamespace(
                seed=state['seed'],
                epoch=state['epoch'],
                train_dataloader=loader))
        assert loader.worker_init_fn is None
        return random.random(), np.random.rand(), torch.rand(1).item()

    first, second = draw(), draw(**{changed: 2})
    assert draw() == first
    assert all(a != b for a, b in zip(first, second))


@pytest.mark.parametrize('options, reason', [
    (dict(), ''),
    (dict(randomness=dict(seed=None)), 'sets no randomness.seed'),
    (dict(num_workers=1, persistent_workers=True), 'persistent_workers=True'),
    (dict(train_cfg=dict(by_epoch=False, max_iters=2)), 'not trained by'),
])
def test_obstacles_are_named(tmp_path: Path, monkeypatch, options: dict,
                             reason: str) -> None:
    warnings: List[str] = []
    monkeypatch.setattr(logging.Logger, 'warning',
                        lambda self, message, *args: warnings.append(message))
    run(tmp_path, [ResumableSeedHook()], **options)
    ours = [text for text in warnings if 'ResumableSeedHook' in text]
    assert len(ours) == bool(reason)
    assert all(reason in text for text in ours)


def test_built_by_its_config_name() -> None:
    hook = HOOKS.build(dict(type='mmvideomamba.ResumableSeedHook'))
    assert isinstance(hook, ResumableSeedHook)
