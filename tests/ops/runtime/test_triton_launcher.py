"""Kernels with cached_launch launch again, on a driver without a GPU."""
import contextlib
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Iterator

import pytest
import torch
from noting_driver import Driver, forget, noting_driver

triton = pytest.importorskip('triton', reason='no Triton here')
tl = pytest.importorskip('triton.language')

pytestmark = [
    pytest.mark.skipif(
        os.environ.get('TRITON_INTERPRET') == '1',
        reason='the interpreter compiles nothing'),
    pytest.mark.skipif(
        not hasattr(triton, 'knobs'), reason='Triton before 3.4')
]


def _scale(x_p, y_p, m, d, factor, ADD: tl.constexpr, TD: tl.constexpr = 16):
    i = tl.arange(0, TD)
    x = tl.load(x_p + i, mask=i < m * d, other=0.)
    tl.store(y_p + i, x * factor + ADD, mask=i < m * d)


class Calls:
    """A fresh kernel, how often Triton's own way was taken, the launches."""

    def __init__(self, driver: Driver) -> None:
        from mmvideomamba.ops.runtime.triton_launcher import cached_launch
        self.kernel = cached_launch(
            triton.jit(do_not_specialize=('m', ))(_scale))
        self.driver = driver
        self.own = 0
        self.run = self.kernel.fn.run
        self.kernel.fn.run = self._count

    def _count(self, *args: Any, **kwargs: Any) -> Any:
        self.own += 1
        return self.run(*args, **kwargs)

    def __call__(self, grid: Any = (2, ), **changes: Any) -> Any:
        """Launch the kernel with usual arguments but the changed ones."""
        x = torch.zeros(16)
        args = dict(x_p=x, y_p=x, m=4, d=4, factor=0.5)
        args.update((k, changes.pop(k)) for k in list(changes) if k in args)
        return self.kernel[grid](*args.values(), **{'ADD': 1, **changes})


@pytest.fixture
def calls() -> Iterator[Calls]:
    with noting_driver() as driver:
        calls = Calls(driver)
        yield calls
        forget(calls.kernel)


@pytest.mark.parametrize('grid', [(2, ), (2, 3), (2, 3, 4)], ids=str)
def test_later_calls_launch_the_same_without_triton(calls, grid):
    x, y = torch.zeros(16), torch.ones(16)
    args = x, y, 4, 5, 0.5
    first = calls.kernel[grid](*args, ADD=1, TD=32, num_warps=2)
    again = calls.kernel[grid](*args, ADD=1, TD=32, num_warps=2)
    assert calls.own == 1 and again is first
    # In another order at first through Triton.
    for _ in range(2):
        again = calls.kernel[grid](*args, num_warps=2, TD=32, ADD=1)
        assert calls.own == 2 and again is first
    launches = calls.driver.launches
    assert len(launches) == 4
    for launch in launches:
        assert launch[:5] == (*(*grid, 1, 1)[:3], 100, '_scale on 0')
        # The kernel's settings, metadata for hooks, and hooks.
        settings, _, *hooks = launch[5:-7]
        assert [settings, *hooks] == [launches[0][5], *launches[0][7:-7]]
        # Tensors are the same objects.
        assert all(a is b for a, b in zip(launch[-7:], (*args, 1, 32)))


def test_defaults_and_parameters(calls):
    weight = torch.nn.Parameter(torch.zeros(16))
    for _ in range(2):
        calls(x_p=weight)
        assert calls.driver.launches[-1][-2:] == (1, 16)
        assert calls.driver.launches[-1][-7] is weight
    assert calls.own == 1


@pytest.mark.parametrize(
    'change', [
        dict(x_p=torch.zeros(16, dtype=torch.bfloat16)),
        dict(y_p=torch.zeros(16, dtype=torch.bfloat16)),
        dict(d=16),
        dict(d=1),
        dict(factor=2),
        dict(ADD=2),
        dict(TD=32),
        dict(num_warps=2),
        dict(maxnreg=96),
    ],
    ids=lambda change: '-'.join(f'{k}' for k in change))
def test_other_kernels_are_compiled_first(calls, change):
    usual = calls()
    for _ in range(2):
        other = calls(**change)
        assert calls.own == 2 and other is not usual
        assert calls() is usual


def test_what_a_kernel_is_not_compiled_for(calls):
    usual = calls()
    for m in (1, 16, 7, -2**31):
        assert calls(m=m, factor=float(m)) is usual
    assert calls.own == 1
    assert calls.driver.launches[-1][-5:-2] == (-2**31, 4, float(-2**31))


@pytest.mark.parametrize(
    'change', [
        dict(x_p=torch.zeros(17)[1:]),
        dict(y_p=torch.zeros(17)[1:]),
        dict(m=2**31),
        dict(d=2**31),
        dict(m=True),
        dict(factor=None),
        dict(grid=lambda constants: (constants['ADD'], )),
        dict(grid=[2]),
    ],
    ids=lambda change: '-'.join(f'{k}' for k in change))
def test_unusual_calls_are_left_to_triton(calls, change):
    calls()
    changed = [change.get(k) for k in ('x_p', 'y_p')]
    for i in range(2):
        if change.get('factor', 0) is None:
            # Triton refuses factor=None for this kernel.
            with pytest.raises(triton.CompilationError):
                calls(**change)
        else:
            calls(**change)
            own = calls.driver.launches[-1]
            assert all(t is None or t is a for t, a in zip(changed, own[-7:]))
        assert calls.own == 2 + i


def test_arguments_by_other_ways_are_left_to_triton(calls):
    x = torch.zeros(16)
    usual = calls()
    for i in range(2):
        # A constant by position, and a size by name.
        assert calls.kernel[(2, )](x, x, 4, 4, 0.5, 1) is usual
        assert calls.kernel[(2, )](x, x, 4, 4, factor=0.5, ADD=1) is usual
        assert calls.own == 3 + 2 * i


def test_each_device_has_its_own(calls):
    usual = calls()
    calls.driver.device = 1
    for _ in range(2):
        assert calls() is not usual
        assert calls.own == 2
        assert calls.driver.launches[-1][3:5] == (101, '_scale on 1')
    calls.driver.device = 0
    assert calls() is usual


def test_tensors_of_another_device_than_the_current_one(calls, monkeypatch):

    @contextlib.contextmanager
    def device(index: int) -> Iterator[None]:
        before, calls.driver.device = calls.driver.device, index
        yield
        calls.driver.device = before

    usual = calls()
    monkeypatch.setattr(torch.Tensor, 'get_device', lambda _: 1)
    monkeypatch.setattr(torch.cuda, 'device', device)
    for _ in range(2):
        assert calls() is not usual
        assert calls.own == 2
        assert calls.driver.launches[-1][3:5] == (101, '_scale on 1')
        assert calls.driver.device == 0


def test_profilers_see_every_launch(calls, monkeypatch):
    calls()
    calls()
    hook = object()
    monkeypatch.setattr(triton.knobs.runtime, 'launch_enter_hook', hook)
    calls()
    assert calls.own == 1
    metadata, enter = calls.driver.launches[-1][-10:-8]
    assert enter is hook
    assert metadata.get()['name'] == '_scale'


def test_settings_of_triton_are_heeded(calls, monkeypatch):
    usual = calls()
    monkeypatch.setattr(triton.knobs.runtime, 'debug', True)
    assert calls() is not usual
    monkeypatch.undo()
    assert calls() is usual
    seen = []
    calls.kernel.add_pre_run_hook(lambda *args, **_: seen.append(args))
    calls()
    calls()
    assert len(seen) == 2


def test_few_keys_are_kept(calls, monkeypatch):
    from mmvideomamba.ops.runtime import triton_launcher
    monkeypatch.setattr(triton_launcher, 'MAX_KEYS', 2)
    for d in (3, 5, 7, 9):
        calls(d=d)
        calls(d=d)
        assert len(calls.kernel._compiled) <= 2
    assert calls.own == 4


def test_threads(calls):
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda i: calls(d=16 + i % 2), range(64)))
    assert len(calls.driver.launches) == 64
    assert len(calls.kernel._compiled) == 2
    assert found[-2] is not found[-1]


def test_the_jitted_kernel_is_at_hand(calls):
    assert isinstance(calls.kernel.fn, triton.JITFunction)
    assert calls.kernel.arg_names == [
        'x_p', 'y_p', 'm', 'd', 'factor', 'ADD', 'TD'
    ]


def test_where_triton_launches_all(monkeypatch):
    from mmvideomamba.ops.runtime.triton_launcher import (CachedLauncher,
                                                          cached_launch)
    jitted = triton.jit(_scale)
    assert isinstance(cached_launch(jitted), CachedLauncher)
    assert cached_launch(_scale) is _scale
    with monkeypatch.context() as patch:
        patch.setattr(torch.version, 'hip', '6.4')
        assert cached_launch(jitted) is jitted
    monkeypatch.setattr(triton, '__version__', '3.3.1')
    assert cached_launch(jitted) is jitted
