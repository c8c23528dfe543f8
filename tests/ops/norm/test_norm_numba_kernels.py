"""Properties of the compiled CPU form of the norm alone."""
import types

import numpy as np
import pytest
import torch
from common import on_threads
from test_norm_api import DRAW, make_inputs

from mmvideomamba.ops import BACKENDS, add_rms_norm, available_backends

pytestmark = pytest.mark.skipif(
    'numba' not in BACKENDS or bool(available_backends()['numba']),
    reason='numba: ' + available_backends().get('numba', 'no such backend'))


def run(**kwargs):
    """Return outputs and gradients of several work items."""
    torch.manual_seed(0)
    inputs = [
        t.detach().float().requires_grad_()
        for t in make_inputs(3, 90, 48).values()
    ]
    y, stream = add_rms_norm(*inputs, backend='numba', **kwargs)
    total = (y * stream.square()).sum()
    return [y, stream, *torch.autograd.grad(total, inputs)]


@pytest.mark.parametrize('threads', [2, 5])
def test_threads_do_not_change_a_bit(threads):
    found, wanted = on_threads(run, threads)
    for a, b in zip(found, wanted):
        assert torch.equal(a, b)


@pytest.mark.parametrize('drop', [{}, dict(draw=DRAW, drop_prob=.25)], ids=len)
def test_every_output_is_written(monkeypatch, drop):
    from mmvideomamba.ops.norm import numba_kernels as module

    # Compiled here, with numpy's own allocator.
    wanted = run(**drop)
    fake = types.SimpleNamespace(
        ndarray=np.ndarray,
        empty=lambda shape, dtype: np.full(shape, np.nan, dtype))
    monkeypatch.setattr(module, 'np', fake)
    for a, b in zip(run(**drop), wanted):
        assert torch.equal(a, b)


def test_no_second_derivatives():
    x = torch.rand(2, 16, requires_grad=True)
    y = add_rms_norm(x, None, torch.ones(16), backend='numba')[0]
    with pytest.raises(RuntimeError, match='no second derivatives'):
        torch.autograd.grad(y.sum(), x, create_graph=True)
