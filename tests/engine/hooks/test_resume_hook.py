"""The hook exchanges loops and loaders, and seeds each iteration."""
import random
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch
from mmengine.runner import EpochBasedTrainLoop, TestLoop, ValLoop
from torch.utils.data import DataLoader, TensorDataset

from mmvideomamba.engine.hooks import ResumeHook, resume_hook
from mmvideomamba.engine.loops.resumable_loader import ResumableLoader
from mmvideomamba.engine.loops.resumable_loops import ResumableEpochLoop
from mmvideomamba.engine.pending_gradients import KEY
from mmvideomamba.registry import HOOKS


class Hub(dict):
    """Stands for a message hub."""

    def update_info(self, key: str, value: Any) -> None:
        self[key] = value

    def get_info(self, key: str, default: Any = None) -> Any:
        return self.get(key, default)


def runner(**kwargs: Any) -> Any:
    """Build a stand-in with loops of the host, not yet begun."""
    loader = DataLoader(TensorDataset(torch.rand(4, 2)), batch_size=2)
    found = SimpleNamespace(
        seed=4,
        iter=7,
        hooks=[],
        message_hub=Hub(),
        _resume=True,
        _randomness_cfg={},
        visualizer=SimpleNamespace(),
        model=torch.nn.Linear(2, 1),
        logger=SimpleNamespace(info=lambda text: None),
        _train_loop=None,
        _val_loop=dict(type='ValLoop'),
        _test_loop=None)
    vars(found).update(kwargs)
    for name, kind in (('_train_loop', EpochBasedTrainLoop),
                       ('_val_loop', ValLoop), ('_test_loop', TestLoop)):
        if getattr(found, name) == 'host':
            extra = dict(max_epochs=2) if name == '_train_loop' else dict(
                evaluator=SimpleNamespace())
            loop = kind.__new__(kind)
            vars(loop).update(
                _runner=found, dataloader=loader, _epoch=0, _iter=0, **extra)
            setattr(found, name, loop)
    return found


def test_loops_that_are_built_are_exchanged() -> None:
    hook = HOOKS.build(dict(type='mmvideomamba.ResumeHook'))
    assert isinstance(hook, ResumeHook)
    one = runner(_train_loop='host', _val_loop='host', _test_loop='host')
    hook.before_run(one)
    assert type(one._train_loop) is ResumableEpochLoop
    assert one._train_loop.dataloader.dataset.key == (4, 0)
    for loop in (one._val_loop, one._test_loop):
        assert isinstance(loop.dataloader, ResumableLoader)
        assert loop.dataloader.dataset.key is None
    before = one._val_loop.dataloader
    hook.before_run(one)  # once for each kind of run
    assert one._val_loop.dataloader is before


def test_loops_that_are_not_built_stay() -> None:
    one = runner()
    ResumeHook().before_run(one)
    assert one._val_loop == dict(type='ValLoop')


@pytest.mark.parametrize('changed', ['seed', 'iter', 'rank'])
def test_draws_depend_on(monkeypatch: Any, changed: str) -> None:

    def draw(**kwargs: int) -> tuple:
        state = dict(dict(seed=1, iter=1, rank=1), **kwargs)
        monkeypatch.setattr(resume_hook, 'get_rank', lambda: state['rank'])
        ResumeHook().before_train_iter(runner(**state), 0)
        return random.random(), np.random.rand(), torch.rand(1).item()

    first, second = draw(), draw(**{changed: 2})
    assert draw() == first
    assert all(a != b for a, b in zip(first, second))


def test_gradients_go_with_the_optimizer() -> None:
    hook, one = ResumeHook(), runner()
    one.model.weight.grad = torch.ones(1, 2)
    hook.before_checkpoint(one)
    best: dict = dict(state_dict={})
    hook.before_save_checkpoint(one, best)
    assert KEY not in best
    whole: dict = dict(state_dict={}, optimizer={})
    hook.before_save_checkpoint(one, whole)
    assert whole[KEY][0]['weight'].tolist() == [[1., 1.]]

    other = runner()
    hook.after_load_checkpoint(other, whole)
    assert KEY not in whole
    hook.before_train(other)
    assert other.model.weight.grad.tolist() == [[1., 1.]]


def test_weights_alone_bring_no_gradients() -> None:
    hook, one = ResumeHook(), runner(_resume=False)
    hook.after_load_checkpoint(one, {KEY: [{'weight': torch.ones(1, 2)}]})
    hook.before_train(one)
    assert one.model.weight.grad is None
