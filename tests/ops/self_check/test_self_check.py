"""The self-check sees a wrong op, however the op is wrong."""
import math
from typing import Callable, Dict

import pytest
import torch
from torch import Tensor

from mmvideomamba.ops.runtime.verdicts import FAMILIES, N16_SCAN, Wrong
from mmvideomamba.ops.self_check import (BOUNDS, CASES, GPU_SIZES, TINY_SIZES,
                                         Case, Row, Sizes, check, self_check,
                                         wrong_kernels)
from mmvideomamba.ops.self_check.cases import DTYPES, HALF, Layout
from mmvideomamba.ops.self_check.check import relative_error

CPU = torch.device('cpu')
SIZES = Sizes(Layout(1, 65, 68), Layout(2, 33, 64))


class _Halved(torch.autograd.Function):
    """The identity with half the gradient."""

    @staticmethod
    def forward(ctx, x: Tensor) -> Tensor:
        return x.clone()

    @staticmethod
    def backward(ctx, dy: Tensor) -> Tensor:
        return dy / 2


def fail(y: Tensor) -> Tensor:
    raise RuntimeError('CUDA error:\n no luck')


def run(change: Callable[[Tensor], Tensor],
        title: str = 'causal_conv1d') -> Dict[str, Row]:
    """Check an op; the changed definition stands for the GPU kernels."""
    case, = (c for c in CASES if c.title == title)

    def call(x: Dict[str, Tensor], backend: str) -> Dict[str, Tensor]:
        y = case.call(x, 'torch')
        return {k: change(t) for k, t in y.items()} \
            if backend == 'triton' else y

    rows = self_check(CPU, SIZES, [case._replace(call=call)])
    assert len(rows) == 2 * len(case.dtypes)
    return {f'{str(row.dtype)[6:]} {row.layout}': row for row in rows}


@pytest.mark.parametrize('title', [c.title for c in CASES])
def test_the_definition_is_right(title: str) -> None:
    rows = run(lambda y: y, title)
    assert all(row.right and row.worst for row in rows.values())
    # The definition has errors of rounding alone: a bound is at most 1000
    # times such an error.
    for row in rows.values():
        assert row.backward > row.bound / 1000
        assert row.bound == BOUNDS[row.dtype][row.case.kind]


@pytest.mark.parametrize('change', [
    lambda y: torch.cat([y[..., :32] * 1.02, y[..., 32:]], -1),
    lambda y: torch.cat([y[:, :-2], y[:, -2:] * 1.02], 1),
    lambda y: torch.where(y == y.max(), math.nan, y),
    lambda y: y[:, :1],
    lambda y: y + torch.empty_like(y),
    _Halved.apply,
    fail,
])
def test_faults(change: Callable[[Tensor], Tensor]) -> None:
    rows = run(change)
    for name, row in rows.items():
        # In half precision 2 tokens of 33 are few for a share of 2 %.
        assert not row.right, name
    wrong = wrong_kernels(list(rows.values()))
    assert [w[:2] for w in wrong] == [('causal_conv1d', t) for t in DTYPES]
    if change is fail:
        assert 'RuntimeError: CUDA error: no luck' in wrong[0].why


@pytest.mark.parametrize('mode', ['default', 'warn', 'error'])
def test_settings_are_as_before(mode: str) -> None:
    before = torch.get_deterministic_debug_mode()
    torch.set_deterministic_debug_mode(mode)
    try:
        wanted = torch.get_deterministic_debug_mode()
        run(lambda y: y)
        assert torch.get_deterministic_debug_mode() == wanted
        assert torch.get_float32_matmul_precision() == 'highest'
    finally:
        torch.set_deterministic_debug_mode(before)


def test_inputs_are_the_same_each_time() -> None:
    state = torch.get_rng_state()
    first, second = ([row[1:] for row in run(lambda y: y).values()]
                     for _ in range(2))
    assert first == second
    assert torch.equal(state, torch.get_rng_state())


def test_kernels_of_16_states_are_judged_by_their_own_case(
        monkeypatch: pytest.MonkeyPatch) -> None:
    case = CASES[-1]
    assert case.family == N16_SCAN and case.dtypes == HALF
    monkeypatch.setattr(check, 'n16_reason', lambda: 'an old Triton')
    rows = self_check(CPU, SIZES, [case])
    assert {row.skipped for row in rows} == {'an old Triton'}
    assert all(row.right for row in rows) and wrong_kernels(rows) == []


def test_a_gpu_that_takes_no_more_work(
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(check, '_stopped', lambda device: 'not run')
    rows = list(run(fail).values())
    assert [row.skipped for row in rows] == [''] + ['not run'] * 5
    # No verdict on the skipped kernels.
    assert [w[:2]
            for w in wrong_kernels(rows)] == [('causal_conv1d', torch.float32)]


def test_rows_are_told_as_they_come() -> None:
    told: list = []
    rows = self_check(CPU, SIZES, [CASES[2]], told.append)
    assert told == rows and len(rows) == 6


def test_relative_error() -> None:
    wanted = torch.ones(4, 64, dtype=torch.float64)
    found = wanted.clone()
    assert relative_error(found, wanted) == 0
    found[:, 32:] = 1.1
    assert relative_error(found, wanted) == pytest.approx(0.1)
    # Blocks of nearly nothing count as blocks with half the average.
    wanted[:, 32:], found[:, 32:] = 0, 0.01
    assert relative_error(found, wanted) == pytest.approx(0.01 / 0.5**1.5)
    assert math.isnan(relative_error(found * math.nan, wanted))
    assert relative_error(found[:1], wanted) == math.inf
    zeros = torch.zeros_like(wanted)
    assert relative_error(zeros, zeros) == 0
    assert relative_error(found, zeros) > 1e100


def test_layouts() -> None:
    """Chunks have 64 tokens or more, so ``many`` is scanned whole."""
    for sizes in (GPU_SIZES, TINY_SIZES):
        assert sizes.many.l <= 64 < sizes.few.l
        # Neighbouring channels are packed.
        assert sizes.few.d % 4 == sizes.many.d % 4 == 0


def test_every_family_has_a_case() -> None:
    assert {c.family for c in CASES} == set(FAMILIES)
    assert isinstance(CASES[0], Case)
    assert Wrong('a', torch.float32, 'b').family == 'a'
