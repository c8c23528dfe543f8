"""Updates by bad gradients are left out, counted, and become a fault."""
from typing import Any, Dict, List

import pytest
import torch
from mmengine.optim import OptimWrapper
from torch import nn

from mmvideomamba.engine.guard.step_guard import (SMALLEST_SCALE, StepGuard,
                                                  not_finite, use_fused)

CPU = torch.device('cpu')
NAN, INF = float('nan'), float('inf')


class Scaled(OptimWrapper):
    """Scales losses like the host's AmpOptimWrapper, but without a GPU."""

    def __init__(self, scale: float = 8., **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.loss_scaler = torch.amp.GradScaler('cpu', init_scale=scale)

    def backward(self, loss: torch.Tensor, **kwargs: Any) -> None:
        self.loss_scaler.scale(loss).backward(**kwargs)
        self._inner_count += 1

    def step(self, **kwargs: Any) -> None:
        self.loss_scaler.step(self.optimizer, **kwargs)
        self.loss_scaler.update()


def make(kind: type = OptimWrapper, **kwargs: Any) -> Any:
    """Return a weight of 1, a wrapper, and the guard."""
    weight = nn.Parameter(torch.ones(2))
    wrapper = kind(optimizer=torch.optim.AdamW([weight], lr=0.1))
    guard = StepGuard([wrapper], CPU, **kwargs)
    guard.attach()
    return weight, wrapper, guard


def train(weight: Any, wrapper: Any, guard: Any, *losses: float) -> List:
    """Update by losses of these values; return the records."""
    records = []
    for value in losses:
        guard.begin()
        wrapper.update_params(weight.sum() + value)
        records.append(guard.record().tolist())
    return records


@pytest.mark.parametrize('values, bad', [
    ([[1.], [2., 3e38, -3e38]], False),
    ([[1.], [2., NAN]], True),
    ([[-INF], [1.]], True),
    ([[], [1.]], False),
    ([[]], False),
    ([], False),
])
def test_not_finite(values: Any, bad: bool) -> None:
    assert bool(not_finite(list(map(torch.tensor, values)), CPU)) is bad


def test_not_finite_of_other_kinds() -> None:
    sparse = torch.tensor([0., NAN]).to_sparse()
    half = torch.ones(2, dtype=torch.bfloat16)
    assert bool(not_finite([half, sparse], CPU))
    assert not bool(not_finite([half, torch.ones(2).double() * 1e300], CPU))
    waves = torch.ones(2, dtype=torch.complex64)
    assert not bool(not_finite([waves], CPU))
    assert bool(not_finite([waves * NAN], CPU))


def test_fault_at_once_and_for_good() -> None:
    weight, wrapper, guard = make()
    assert train(weight, wrapper, guard, 0., INF) == [[0, 0, 0, 0],
                                                      [1, 1, 1, 1]]
    before = weight.detach().clone()
    # The later steps are good.
    assert train(weight, wrapper, guard, 0., 0.) == [[0, 0, 1, 1]] * 2
    assert torch.equal(weight, before)


def test_allowed_steps() -> None:
    weight, wrapper, guard = make(max_skipped=3, skipped=1)
    records = train(weight, wrapper, guard, NAN, 0., NAN, NAN)
    assert [x[2:] for x in records] == [[0, 2], [0, 2], [0, 3], [1, 4]]
    assert bool((weight < 1).all())


def test_scaler_skips_in_a_row() -> None:
    weight, wrapper, guard = make(Scaled, max_scaler_skips=3)
    records = train(weight, wrapper, guard, INF, INF, 0., INF, INF, INF, 0.)
    assert [x[2:] for x in records] == [[0, 1], [0, 2], [0, 0], [0, 1], [0, 2],
                                        [1, 3], [1, 0]]
    # A single good step of Adam, before the fault.
    assert torch.allclose(weight.detach(), torch.full((2, ), 0.899))


def test_scale_next_to_zero() -> None:
    weight, wrapper, guard = make(Scaled, max_scaler_skips=99)
    wrapper.loss_scaler._init_scale = 2 * SMALLEST_SCALE
    assert guard.scale() is None
    records = train(weight, wrapper, guard, 0., INF, 0., INF, 0.)
    assert [x[2] for x in records] == [0, 0, 0, 0, 1]
    assert float(guard.scale()) == SMALLEST_SCALE / 2


def test_given_back() -> None:
    weight, wrapper, guard = make()
    guard.detach()
    assert 'step' not in vars(wrapper) and 'backward' not in vars(wrapper)
    wrapper.update_params(weight.sum() * NAN)
    assert bool(weight.isnan().all())


def test_clipping_that_raises() -> None:
    """The step is left out before gradients are clipped."""
    weight, wrapper, guard = make()
    wrapper.clip_grad_kwargs = dict(max_norm=1., error_if_nonfinite=True)
    wrapper.clip_func = nn.utils.clip_grad_norm_
    wrapper.grad_name = 'grad_norm'
    assert train(weight, wrapper, guard, NAN)[0][2] == 1


def test_verdict_on_the_device(monkeypatch: pytest.MonkeyPatch) -> None:
    """Torch's fused kernels, available on a CPU too, get the verdict."""
    monkeypatch.setattr(StepGuard, '_on_device', lambda *_: True)
    weight = nn.Parameter(torch.ones(2))
    optimizer = torch.optim.AdamW([weight], lr=0.1, fused=True)
    wrapper = OptimWrapper(optimizer, clip_grad=dict(max_norm=1.))
    guard = StepGuard([wrapper], CPU, max_skipped=1)
    guard.attach()
    train(weight, wrapper, guard, 0.)
    before = [weight.detach().clone(), *_state(optimizer, weight)]
    train(weight, wrapper, guard, NAN)
    assert all(
        map(torch.equal, before,
            [weight.detach(), *_state(optimizer, weight)]))
    assert 'found_inf' not in vars(optimizer)
    train(weight, wrapper, guard, 0., NAN)
    assert not torch.equal(weight, before[0])
    after = weight.detach().clone()
    train(weight, wrapper, guard, 0.)
    assert torch.equal(weight, after)


def _state(optimizer: Any, weight: Any) -> List[torch.Tensor]:
    return [x.clone() for x in optimizer.state[weight].values()]


@pytest.mark.parametrize('changed', [
    dict(),
    dict(foreach=True),
    dict(fused=False),
])
def test_no_fused_kernels_on_a_cpu(changed: Dict[str, Any]) -> None:
    weight = nn.Parameter(torch.ones(2))
    optimizer = torch.optim.AdamW([weight], **changed)
    before = dict(optimizer.param_groups[0])
    assert not use_fused(optimizer)
    assert optimizer.param_groups[0] == before
