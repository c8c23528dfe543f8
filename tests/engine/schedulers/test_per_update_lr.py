"""Learning rates of accumulated updates, by the published rule."""
from typing import Any, List, Tuple

import numpy as np
import pytest
import torch
from mmengine.optim import OptimWrapper
from mmengine.registry import PARAM_SCHEDULERS, DefaultScope

LR, FLOOR = 2., 0.1
EPOCHS, WARMUP = 6, 1


def build(counts: int, length: int) -> Tuple[OptimWrapper, list]:
    """Return an optimizer wrapper with the schedule of a training."""
    weight = torch.nn.Parameter(torch.zeros(1))
    wrapper = OptimWrapper(
        torch.optim.SGD([weight], lr=LR), accumulative_counts=counts)
    # As the runner does before the first iteration.
    wrapper.initialize_count_status(torch.nn.Linear(1, 1), 0, EPOCHS * length)
    common = dict(by_epoch=True, convert_to_iter_based=True)
    cfgs: List[dict] = [
        dict(
            common,
            type='mmvideomamba.PerUpdateLinearLR',
            start_factor=FLOOR,
            end=WARMUP),
        dict(
            common,
            type='mmvideomamba.PerUpdateCosineAnnealingLR',
            eta_min_ratio=FLOOR,
            T_max=EPOCHS - WARMUP,
            begin=WARMUP,
            end=EPOCHS)
    ]
    args = dict(optimizer=wrapper, epoch_length=length)
    with DefaultScope.overwrite_default_scope('mmengine'):
        return wrapper, [
            PARAM_SCHEDULERS.build(c, default_args=args) for c in cfgs
        ]


def iterate(wrapper: OptimWrapper, schedulers: list, number: int) -> list:
    """Train for some iterations; return the rate of each update."""
    weight, = wrapper.optimizer.param_groups[0]['params']
    rates: list = []
    for _ in range(number):
        before = weight.item()
        with wrapper.optim_context(torch.nn.Linear(1, 1)):
            wrapper.update_params(weight.sum())
        if weight.item() != before:
            rates.append(before - weight.item())
        for scheduler in schedulers:
            scheduler.step()
    return rates


def published(length: int) -> np.ndarray:
    """Return the rate of each update, `length` of them in an epoch."""
    rise = np.linspace(FLOOR * LR, LR, WARMUP * length)
    steps = (EPOCHS - WARMUP) * length
    fall = (1 + np.cos(np.pi * np.arange(steps) / steps)) / 2
    return np.concatenate([rise, LR * (FLOOR + (1 - FLOOR) * fall)])


@pytest.mark.parametrize('counts, length', [(1, 4), (2, 8), (3, 12), (2, 9)])
def test_rates_of_updates(counts: int, length: int) -> None:
    """The last updates of uneven epochs keep the last rate."""
    found = iterate(*build(counts, length), EPOCHS * length)
    expected = published(length // counts)
    extra = len(found) - len(expected)
    assert extra == -(-EPOCHS * length // counts) - len(expected)
    assert extra == (3 if length == 9 else 0)
    expected = np.append(expected, [expected[-1]] * extra)
    np.testing.assert_allclose(found, expected, rtol=1e-4)


@pytest.mark.parametrize('stop', [3, 10, 17])
def test_resume_within_an_update(stop: int) -> None:
    whole = iterate(*build(2, 8), EPOCHS * 8)
    first, schedulers = build(2, 8)
    rates = iterate(first, schedulers, stop)
    second, resumed = build(2, 8)
    second.load_state_dict(first.state_dict())
    for old, new in zip(schedulers, resumed):
        new.load_state_dict(old.state_dict())
    weight, = second.optimizer.param_groups[0]['params']
    if stop % 2:  # the gradient of the first half, as ResumeHook keeps it
        weight.grad = torch.full((1, ), 0.5)
    second.initialize_count_status(torch.nn.Linear(1, 1), stop, EPOCHS * 8)
    rates += iterate(second, resumed, EPOCHS * 8 - stop)
    np.testing.assert_allclose(rates, whole, rtol=1e-4)


def state_of(kind: Any, counts: int) -> dict:
    wrapper, schedulers = build(counts, 8)
    if kind == 'ours':
        return schedulers[0].state_dict()
    args = dict(optimizer=wrapper, start_factor=FLOOR, by_epoch=False)
    return PARAM_SCHEDULERS.build(dict(type='mmengine.LinearLR',
                                       **args)).state_dict()


@pytest.mark.parametrize('kind, counts', [('ours', 4), ('host', 2)])
def test_schedule_of_another_step_is_refused(kind: str, counts: int) -> None:
    """A checkpoint of the host's schedule counts iterations."""
    schedule = build(2, 8)[1][0]
    before = 4 if kind == 'ours' else 1
    with pytest.raises(ValueError, match=rf'{before} iteration.* every 2 '):
        schedule.load_state_dict(state_of(kind, counts))


def test_by_epoch_counts_epochs() -> None:
    wrapper = build(2, 8)[0]
    schedule = PARAM_SCHEDULERS.build(
        dict(
            type='mmvideomamba.PerUpdateLinearLR',
            optimizer=wrapper,
            start_factor=0.5,
            end=3))
    rates = []
    for _ in range(3):
        rates.append(wrapper.optimizer.param_groups[0]['lr'])
        schedule.step()
    np.testing.assert_allclose(rates, np.array([0.5, 0.75, 1.]) * rates[-1])


def test_epoch_shorter_than_an_update() -> None:
    with pytest.raises(ValueError, match='epoch of 3 .*accumulative_counts=4'):
        build(4, 3)
