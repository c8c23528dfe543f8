"""On a GPU, bad updates are left out without waiting for the device."""
from pathlib import Path
from typing import Any, Dict, Iterator, List

import pytest
import torch
from guarded_run import Watch, build, logged, same, state_of
from mmengine.optim import OptimWrapper
from torch import nn

from mmvideomamba.engine.guard.step_guard import (StepGuard, not_finite,
                                                  use_fused)
from mmvideomamba.engine.guard.verdicts import BEHIND
from mmvideomamba.engine.hooks import FiniteGuardHook

pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif(not torch.cuda.is_available(), reason='no CUDA device')
]

OPTIMIZERS: Dict[str, dict] = dict(
    AdamW=dict(type='AdamW', lr=1e-2, weight_decay=0.1),
    amsgrad=dict(type='Adam', lr=1e-2, amsgrad=True),
    SGD=dict(type='SGD', lr=1e-2),
    momentum=dict(type='SGD', lr=1e-2, momentum=0.9, nesterov=True),
    foreach=dict(type='AdamW', lr=1e-2, foreach=True),
    RMSprop=dict(type='RMSprop', lr=1e-2, momentum=0.9))
TOLD = ('AdamW', 'amsgrad', 'SGD', 'momentum')


@pytest.fixture
def no_waiting(monkeypatch: pytest.MonkeyPatch) -> Iterator[List[str]]:
    """Make each wait for the device within the guard an error."""
    seen: List[str] = []

    def strict(name: str) -> None:
        original = getattr(FiniteGuardHook, name)

        def method(self: Any, *args: Any, **kwargs: Any) -> None:
            torch.cuda.set_sync_debug_mode('error')
            try:
                original(self, *args, **kwargs)
            finally:
                torch.cuda.set_sync_debug_mode('default')
            seen.append(name)

        monkeypatch.setattr(FiniteGuardHook, name, method)

    strict('before_train_iter')
    strict('after_train_iter')
    yield seen


def train(runner: Any) -> int:
    """Train; return the exit code."""
    try:
        runner.train()
    except SystemExit as end:
        return int(end.code or 0)
    return 0


@pytest.mark.parametrize('name', OPTIMIZERS)
@pytest.mark.parametrize('fault', ['output', 'gradient', 'loss'])
@pytest.mark.parametrize('iteration', [1, 6, 8])
def test_weights_and_state_survive(tmp_path: Path, name: str, fault: str,
                                   iteration: int) -> None:
    """Also in the first step, when the state is made."""
    watch = Watch()
    runner = build(
        tmp_path,
        dict(fault=fault, iterations=[iteration]),
        OPTIMIZERS[name],
        hooks=[watch])
    assert train(runner) == 70
    before, after = watch.before[iteration - 1], state_of(runner)
    if iteration == 1:  # state of zeros, in place of none
        weights = len(list(runner.model.parameters()))
        assert not any(bool(x.any()) for x in after[weights:])
        before, after = before[:weights], after[:weights]
    assert same(before, after)
    log = logged(tmp_path)
    assert f'diverged in iteration {iteration}: ' in log
    assert ('waits for the device' in log) == (name not in TOLD)
    assert ('updates by its fused kernels' in log) == (name in TOLD)
    names = {x.name for x in tmp_path.glob('epoch*')}
    assert names == ({'epoch_1.pth'} if iteration > 4 else set())


@pytest.mark.parametrize('name', TOLD)
@pytest.mark.parametrize('counts', [1, 2])
def test_no_waiting(name: str, counts: int) -> None:
    """Neither loss nor gradients nor the update."""
    model = nn.Linear(8, 8).cuda()
    options = dict(OPTIMIZERS[name])
    kind = getattr(torch.optim, options.pop('type'))
    wrapper = OptimWrapper(
        kind(model.parameters(), **options), accumulative_counts=counts)
    guard = StepGuard([wrapper], torch.device('cuda', 0), max_skipped=1)
    guard.attach()
    x = torch.rand(4, 8, device='cuda')
    bad = torch.tensor([1, 1, 1, float('nan'), 1, 1], device='cuda')
    records = []
    wrapper.update_params(model(x).sum())  # makes the state
    torch.cuda.set_sync_debug_mode('error')
    try:
        for factor in bad.unbind():
            guard.begin()
            wrapper.update_params(model(x).sum() * factor)
            records.append(guard.record())
    finally:
        torch.cuda.set_sync_debug_mode('default')
    assert [int(x[3]) for x in records][-1] == 1
    assert not any(int(x[2]) for x in records)
    assert all(bool(p.isfinite().all()) for p in model.parameters())


def test_hook_does_not_wait(tmp_path: Path, no_waiting: List[str]) -> None:
    assert train(build(tmp_path)) == 0
    assert no_waiting.count('after_train_iter') == 8


def test_later_updates_wait_for_the_verdict(
        tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The host lags behind, and the device suppresses the next updates."""
    monkeypatch.setattr(torch.cuda.Event, 'query', lambda event: False)
    watch = Watch()
    runner = build(
        tmp_path,
        dict(fault='gradient', iterations=[2]),
        hooks=[watch],
        train_cfg=dict(by_epoch=False, max_iters=8),
        default_hooks=dict(
            logger=None, checkpoint=dict(type='CheckpointHook', interval=99)))
    assert train(runner) == 70
    assert len(watch.before) == 2 + BEHIND
    assert all(same(watch.before[1], x) for x in watch.before[2:])
    assert same(watch.before[1], state_of(runner))
    assert 'diverged in iteration 2' in logged(tmp_path)


@pytest.mark.parametrize('name', ['AdamW', 'momentum', 'RMSprop'])
def test_scaler(tmp_path: Path, name: str) -> None:
    """Skips of the loss scaler are no fault, up to a number in a row."""
    wrapper = dict(
        type='AmpOptimWrapper',
        loss_scale=dict(init_scale=8.),
        clip_grad=dict(max_norm=1.))
    watch = Watch()
    runner = build(
        tmp_path / 'a',
        dict(fault='gradient', iterations=[2, 3, 5]),
        OPTIMIZERS[name],
        wrapper,
        guard=dict(max_scaler_skips=3),
        hooks=[watch])
    assert train(runner) == 0
    assert same(watch.before[1], watch.before[3])
    assert not same(watch.before[3], watch.before[4])
    assert float(runner.optim_wrapper.loss_scaler.get_scale()) == 1
    assert 'update of iteration 3 was left out' in logged(tmp_path / 'a')

    watch = Watch()
    runner = build(
        tmp_path / 'b',
        dict(fault='gradient', iterations=[2, 3, 4, 5, 6, 9, 10]),
        OPTIMIZERS[name],
        wrapper,
        guard=dict(max_scaler_skips=3),
        hooks=[watch])
    assert train(runner) == 70
    assert same(watch.before[1], state_of(runner))
    assert 'diverged in iteration 4: ' in logged(tmp_path / 'b')


def test_scale_next_to_zero(tmp_path: Path) -> None:
    """A scale of zero would make weights NaN by gradients of zero."""
    runner = build(
        tmp_path,
        dict(fault='gradient', iterations=[2]),
        wrapper=dict(
            type='AmpOptimWrapper',
            loss_scale=dict(init_scale=2.**-20, backoff_factor=1e-30)))
    assert train(runner) == 70
    assert all(bool(x.isfinite().all()) for x in runner.model.parameters())


def test_statistics_of_skipped_steps(tmp_path: Path) -> None:
    runner = build(
        tmp_path, dict(norm=True), bad=[2], guard=dict(max_skipped=9))
    assert train(runner) == 0
    assert all(bool(x.isfinite().all()) for x in runner.model.buffers())


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_largest_values(dtype: torch.dtype) -> None:
    device = torch.device('cuda', 0)
    sizes = (1, 3, 1025, 70000)
    values = [
        torch.full((x, ), 3e38, device=device, dtype=dtype) for x in sizes
    ]
    assert not bool(not_finite(values, device))
    for one in values:
        for bad in (float('nan'), float('inf'), -float('inf')):
            before = one[-1].clone()
            one[-1] = bad
            assert bool(not_finite(values, device))
            one[-1] = before


@pytest.mark.parametrize('name', TOLD)
def test_state_moves_to_fused_kernels(name: str) -> None:
    """A training goes on as with the other kernels."""
    results = []
    for fused in (False, True):
        torch.manual_seed(0)
        model = nn.Linear(8, 8).cuda()
        options = dict(OPTIMIZERS[name])
        kind = getattr(torch.optim, options.pop('type'))
        optimizer = kind(model.parameters(), **options)
        for step in range(6):
            if fused and step == 3:
                assert use_fused(optimizer)
            optimizer.zero_grad()
            model(torch.full((2, 8), 0.1 * step,
                             device='cuda')).pow(2).sum().backward()
            optimizer.step()
        results.append(model.weight.detach())
        torch.optim.Optimizer.load_state_dict(optimizer,
                                              optimizer.state_dict())
    torch.testing.assert_close(*results, rtol=1e-5, atol=1e-6)
