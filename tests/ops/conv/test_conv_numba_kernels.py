import types

import numpy as np
import pytest
import torch
from common import on_threads

from mmvideomamba.ops import BACKENDS, available_backends, causal_conv1d

pytestmark = pytest.mark.skipif(
    'numba' not in BACKENDS or bool(available_backends()['numba']),
    reason='numba: ' + available_backends().get('numba', 'no such backend'))


def run():
    """Return output and gradients over three channel blocks."""
    torch.manual_seed(0)
    inputs = [torch.randn(2, 9, 130), torch.randn(130, 4), torch.randn(130)]
    inputs = [x.requires_grad_() for x in inputs]
    y = causal_conv1d(*inputs, backend='numba')
    y.square().sum().backward()
    return [y] + [x.grad for x in inputs]


@pytest.mark.parametrize('threads', [2, 5])
def test_threads_do_not_change_a_bit(threads):
    found, wanted = on_threads(run, threads)
    for a, b in zip(found, wanted):
        assert torch.equal(a, b)


def test_every_output_is_written(monkeypatch):
    from mmvideomamba.ops.conv import numba_kernels as module

    # Compiled here, with numpy's own allocator.
    wanted = run()
    fake = types.SimpleNamespace(
        ndarray=np.ndarray,
        empty=lambda shape, dtype: np.full(shape, np.nan, dtype),
        empty_like=lambda x: np.full_like(x, np.nan))
    monkeypatch.setattr(module, 'np', fake)
    for a, b in zip(run(), wanted):
        assert torch.equal(a, b)
