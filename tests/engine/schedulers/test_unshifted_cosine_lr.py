"""The learning rate of each epoch of the published image runs."""
import copy
import math

import pytest
import torch
from mmengine.registry import PARAM_SCHEDULERS
from torch import nn

from mmvideomamba.engine.schedulers import UnshiftedCosineLR

# Peak, lowest and warm-up learning rate, epochs and warm-up: recipes of the
# published runs, Ti and M at 224 px, Ti at 448 and 576, S at 448.
RUNS = [(4e-3, 1e-5, 1e-6, 300, 5), (2e-3, 5e-6, 5e-7, 300, 20),
        (2e-5, 5e-6, 1e-6, 30, 5), (1e-5, 5e-6, 1e-6, 10, 2),
        (5e-6, 5e-6, 1e-6, 30, 5)]


def optimizer(*peaks: float) -> torch.optim.Optimizer:
    groups = [
        dict(params=[nn.Parameter(torch.zeros(1))], lr=peak) for peak in peaks
    ]
    return torch.optim.SGD(groups, lr=1.)


def build(optim, **kwargs) -> UnshiftedCosineLR:
    """Build as a runner does, from a config."""
    cfg = dict(type='mmvideomamba.UnshiftedCosineLR', by_epoch=True, **kwargs)
    return PARAM_SCHEDULERS.build(
        cfg, default_args=dict(optimizer=optim, epoch_length=7))


def rates(optim, scheduler, epochs: int) -> list:
    """Return the learning rates of the first group, epoch by epoch."""
    found = []
    for _ in range(epochs):
        found.append(optim.param_groups[0]['lr'])
        optim.step()
        scheduler.step()
    return found


def expected(peak, low, start, epochs, warmup) -> list:
    """State the rule of the recipe: the step for e is taken after e."""
    found = [start]
    for t in range(epochs - 1):
        if t < warmup:
            found.append(start + (peak - start) * t / warmup)
        else:
            half = 0.5 * (peak - low)
            found.append(low + half * (1 + math.cos(math.pi * t / epochs)))
    return found


@pytest.mark.parametrize('run', RUNS)
def test_every_epoch(run) -> None:
    peak, low, start, epochs, warmup = run
    optim = optimizer(peak)
    scheduler = build(
        optim,
        T_max=epochs,
        end=epochs,
        eta_min=low,
        warmup=warmup,
        warmup_lr=start)
    found = rates(optim, scheduler, epochs)
    assert found == pytest.approx(expected(*run), rel=1e-12)


def test_values_worked_out_by_hand() -> None:
    """Ti at 576 px: 10 epochs, the first 2 of warm-up."""
    optim = optimizer(1e-5)
    scheduler = build(
        optim, T_max=10, end=10, eta_min=5e-6, warmup=2, warmup_lr=1e-6)
    found = rates(optim, scheduler, 10)
    assert found[:3] == pytest.approx([1e-6, 1e-6, 5.5e-6])
    # cos(pi / 5) = 0.809017: the cosine is on its way when warm-up ends.
    assert found[3] == pytest.approx(5e-6 + 2.5e-6 * 1.809017)
    assert found[6] == pytest.approx(7.5e-6)


def test_it_is_not_the_chain_of_the_host() -> None:
    """The host's cosine starts after the warm-up; off by 6 % of the peak."""
    run = RUNS[1]
    peak, low, start, epochs, warmup = run
    optim = optimizer(peak)
    linear = PARAM_SCHEDULERS.build(
        dict(type='LinearLR', start_factor=start / peak, end=warmup),
        default_args=dict(optimizer=optim))
    cosine = PARAM_SCHEDULERS.build(
        dict(
            type='CosineAnnealingLR',
            eta_min=low,
            begin=warmup,
            end=epochs,
            T_max=epochs - warmup),
        default_args=dict(optimizer=optim))
    host = []
    for _ in range(epochs):
        host.append(optim.param_groups[0]['lr'])
        optim.step()
        linear.step()
        cosine.step()
    wanted = expected(*run)
    error = max(abs(a - b) for a, b in zip(host[21:], wanted[21:]))
    assert 0.05 * peak < error < 0.07 * peak


def test_groups_keep_their_own_peak() -> None:
    optim = optimizer(1., 0.1)
    scheduler = build(optim, T_max=4, eta_min=0.02)
    for _ in range(3):
        optim.step()
        scheduler.step()
    assert [g['lr'] for g in optim.param_groups
            ] == pytest.approx([0.02 + 0.98 / 2, 0.02 + 0.08 / 2])


def test_resumes() -> None:
    kwargs = dict(T_max=8, end=8, warmup=2, warmup_lr=0.1)
    optim = optimizer(1.)
    scheduler = build(optim, **kwargs)
    rates(optim, scheduler, 3)
    state, weights = copy.deepcopy(
        (scheduler.state_dict(), optim.state_dict()))
    wanted = rates(optim, scheduler, 5)
    optim = optimizer(1.)
    scheduler = build(optim, **kwargs)
    optim.load_state_dict(weights)
    scheduler.load_state_dict(state)
    assert rates(optim, scheduler, 5) == wanted


@pytest.mark.parametrize('kwargs, message', [
    (dict(T_max=5, warmup=5), r'warmup \(5\) must lie in \[0, T_max\)'),
    (dict(T_max=5, warmup=-1), r'warmup \(-1\)'),
    (dict(T_max=5, eta_min=-1e-6), 'must not be negative, but are -1e-06'),
])
def test_bad_arguments(kwargs, message) -> None:
    with pytest.raises(ValueError, match=message):
        UnshiftedCosineLR(optimizer(1.), **kwargs)
