"""Properties of the compiled CPU form of the mixer alone."""
import types

import numpy as np
import pytest
import torch
from common import on_threads
from test_mixer_api import call, cast, compare, make_inputs, run

from mmvideomamba.ops import BACKENDS, available_backends

pytestmark = pytest.mark.skipif(
    'numba' not in BACKENDS or bool(available_backends()['numba']),
    reason='numba: ' + available_backends().get('numba', 'no such backend'))


def results():
    """Return output and gradients over three channel blocks."""
    inputs = cast(make_inputs(2, 70, 80, 4), torch.float32)
    y, grads = run(inputs, backend='numba')
    return [y, *grads.values()]


@pytest.mark.parametrize('threads', [2, 5])
def test_threads_do_not_matter(threads):
    # Equal bit by bit, except for the matrix products, computed by torch.
    found, wanted = on_threads(results, threads)
    for a, b in zip(found, wanted):
        torch.testing.assert_close(a, b, rtol=1e-4, atol=1e-4)


def test_every_output_is_written(monkeypatch):
    from mmvideomamba.ops.mixer import numba_op

    wanted = results()
    fake = types.SimpleNamespace(
        ndarray=np.ndarray,
        empty=lambda shape, dtype: np.full(shape, np.nan, dtype),
        empty_like=lambda x: np.full_like(x, np.nan))
    monkeypatch.setattr(numba_op, 'np', fake)
    for a, b in zip(results(), wanted):
        assert torch.equal(a, b)


def test_without_a_gradient_equals_with_one():
    inputs = cast(make_inputs(2, 70, 80, 4), torch.float32)
    wanted = run(inputs, backend='numba')[0]
    with torch.no_grad():
        found = call(inputs, backend='numba')
    assert found.grad_fn is None
    assert torch.equal(found, wanted)


def test_no_second_derivatives():
    inputs = cast(make_inputs(1, 3, 8, 2), torch.float32)
    y = call(inputs, backend='numba')
    with pytest.raises(RuntimeError, match='no second derivatives'):
        torch.autograd.grad(y.sum(), inputs['x'], create_graph=True)


@pytest.mark.parametrize('fast', [False, True])
@pytest.mark.parametrize('autocast', [False, True])
def test_half_precision_with_and_without_a_unit(monkeypatch, autocast, fast):
    from mmvideomamba.ops.mixer import numba_op

    seen = []
    linear = torch.nn.functional.linear

    def spy(x, *args):
        seen.append(
            torch.is_autocast_enabled('cpu') or x.dtype == torch.bfloat16)
        return linear(x, *args)

    monkeypatch.setattr(numba_op, '_is_fast', lambda dtype: fast)
    monkeypatch.setattr(numba_op.F, 'linear', spy)
    exact = make_inputs(2, 9, 24, 4, bias=True)
    inputs = cast(exact, torch.float32 if autocast else torch.bfloat16)
    wanted = run(cast(exact, torch.float64), backend='torch')
    seen.clear()
    with torch.autocast('cpu', torch.bfloat16, enabled=autocast):
        found = run(inputs, backend='numba')
    assert seen == [fast, fast]
    assert found[0].dtype == torch.bfloat16
    for name, gradient in found[1].items():
        assert gradient.dtype == inputs[name].dtype, name
    compare(found, wanted, torch.bfloat16)
