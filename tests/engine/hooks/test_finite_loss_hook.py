from types import SimpleNamespace

import pytest
import torch

from mmvideomamba.engine.hooks import FiniteLossHook


def look(hook: FiniteLossHook, iteration: int, **outputs) -> None:
    runner = SimpleNamespace(iter=iteration)
    hook.after_train_iter(runner, 0, None, outputs)


@pytest.mark.parametrize('value', [float('nan'), float('inf')])
def test_ends_the_training(value) -> None:
    hook = FiniteLossHook(interval=2)
    look(hook, 0, loss=torch.tensor(value))  # not looked at
    with pytest.raises(
            RuntimeError,
            match=r'iteration 4: loss_distill = (nan|inf)\. .*clip_grad'):
        look(hook, 3, loss=torch.tensor(1.), loss_distill=torch.tensor(value))


def test_lets_go_on() -> None:
    hook = FiniteLossHook(interval=1)
    look(hook, 0, loss=torch.tensor(3.), grad_norm=torch.tensor(float('inf')))
    look(hook, 1, loss=0.5)
    hook.after_train_iter(SimpleNamespace(iter=2), 0)


def test_bad_interval() -> None:
    with pytest.raises(ValueError, match='interval must be at least 1'):
        FiniteLossHook(interval=0)
