"""What only the compiled CPU form promises."""
import types

import numpy as np
import pytest
import torch

from mmvideomamba.ops import BACKENDS, available_backends, selective_scan

pytestmark = pytest.mark.skipif(
    'numba' not in BACKENDS or bool(available_backends()['numba']),
    reason='numba: ' + available_backends().get('numba', 'no such backend'))


def run(d=130, l=19):
    """Return output and gradients of a scan over three channel blocks."""
    torch.manual_seed(0)
    u, delta = torch.randn(2, 2, l, d).unbind(0)
    A = -torch.rand(d, 16)
    B, C = torch.randn(2, 2, l, 16).unbind(0)
    inputs = [u, delta, A, B, C, torch.randn(d)]
    inputs = [x.detach().requires_grad_() for x in inputs]
    y, last = selective_scan(
        *inputs, delta_softplus=True, backend='numba', return_last_state=True)
    y.square().sum().backward()
    return [y, last] + [x.grad for x in inputs]


@pytest.mark.parametrize('threads', [2, 3, 5])
def test_threads_do_not_change_a_bit(threads):
    before = torch.get_num_threads()
    try:
        torch.set_num_threads(1)
        wanted = run()
        torch.set_num_threads(threads)
        found = run()
    finally:
        torch.set_num_threads(before)
    for a, b in zip(found, wanted):
        assert torch.equal(a, b)


def test_every_output_is_written(monkeypatch):
    from mmvideomamba.ops import selective_scan_numba as module

    # Compiled here, with numpy's own allocator.
    wanted = run()

    def poisoned(shape, dtype=float):
        return np.full(shape, np.nan, dtype)

    fake = types.SimpleNamespace(
        empty=poisoned, ascontiguousarray=np.ascontiguousarray)
    monkeypatch.setattr(module, 'np', fake)
    for a, b in zip(run(), wanted):
        assert torch.equal(a, b)


def test_nothing_is_kept_without_a_gradient():
    u = torch.randn(1, 9, 64)
    y = selective_scan(
        u,
        u.abs(),
        -torch.rand(64, 4),
        torch.randn(1, 9, 4),
        torch.randn(1, 9, 4),
        backend='numba')
    assert y.grad_fn is None
    with torch.no_grad():
        y = selective_scan(
            u.requires_grad_(),
            u.detach().abs(),
            -torch.rand(64, 4),
            torch.randn(1, 9, 4),
            torch.randn(1, 9, 4),
            backend='numba')
    assert y.grad_fn is None
