"""Properties of the compiled CPU form of the scan alone."""
import os
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
import torch
from common import on_threads

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
    found, wanted = on_threads(run, threads)
    for a, b in zip(found, wanted):
        assert torch.equal(a, b)


def test_every_output_is_written(monkeypatch):
    from mmvideomamba.ops.scan import numba_kernels as module

    # Compiled here, with numpy's own allocator.
    wanted = run()

    def poisoned(shape, dtype=float):
        return np.full(shape, np.nan, dtype)

    fake = types.SimpleNamespace(
        empty=poisoned, ascontiguousarray=np.ascontiguousarray)
    monkeypatch.setattr(module, 'np', fake)
    for a, b in zip(run(), wanted):
        assert torch.equal(a, b)


def test_large_steps_next_to_small_ones():
    # Exponents beyond the range of float32 in the middle tile alone.
    torch.manual_seed(0)
    delta = torch.rand(1, 40, 24)
    delta[:, 18:21] *= 200
    inputs = [torch.randn(1, 40, 24), delta, -torch.rand(24, 3) * 9]
    inputs += torch.randn(2, 1, 40, 3).unbind(0)

    def outputs(dtype, backend):
        leaves = [x.to(dtype).requires_grad_() for x in inputs]
        y = selective_scan(*leaves, backend=backend)
        return y, *torch.autograd.grad(y.square().sum(), leaves)

    for a, b in zip(
            outputs(torch.float32, 'numba'), outputs(torch.float64, 'torch')):
        torch.testing.assert_close(a.double(), b, rtol=1e-4, atol=1e-3)


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


# Prints a digest of outputs and gradients of both kernels.
DIGEST = """
import hashlib, torch
from mmvideomamba.ops import causal_conv1d, selective_scan
torch.manual_seed(0)
u, delta = torch.randn(2, 2, 19, 80, requires_grad=True).unbind(0)
B, C = torch.randn(2, 2, 19, 16, requires_grad=True).unbind(0)
A, w = torch.rand(80, 16).neg_(), torch.randn(80, 1, 4)
inputs = u, delta, B, C, A.requires_grad_(), w.requires_grad_()
x = causal_conv1d(u, w, activation='silu', backend='numba')
y = selective_scan(x, delta, A, B, C, delta_softplus=True, backend='numba')
grads = torch.autograd.grad(y.square().sum(), inputs)
numbers = b''.join(t.detach().numpy().tobytes() for t in (y, *grads))
print(hashlib.sha256(numbers).hexdigest())
"""


@pytest.mark.slow
def test_cached_kernels_equal_fresh_ones(tmp_path):
    environment = dict(
        os.environ,
        NUMBA_CACHE_DIR=str(tmp_path),
        PYTHONPATH=str(Path(__file__).parents[2]))
    digests = [
        subprocess.run([sys.executable, '-c', DIGEST],
                       env=environment,
                       check=True,
                       capture_output=True,
                       text=True).stdout for _ in range(2)
    ]
    assert any(tmp_path.rglob('*.nbc'))
    assert digests[0] == digests[1] != ''
