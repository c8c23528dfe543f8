"""The form for tracers equals the definition."""
import pytest
import torch
from common import assert_close, gradients, leaves

from mmvideomamba.ops.scan.reference import _recomputing_scan
from mmvideomamba.ops.scan.traceable import scan


def inputs(l, b=2, g=2, p=3, n=4):
    shapes = dict(
        u=(b, l, g, p),
        delta=(b, l, g, p),
        A=(g, p, n),
        B=(b, l, g, n),
        C=(b, l, g, n))
    tensors = {k: torch.randn(s).double() for k, s in shapes.items()}
    tensors['delta'].abs_()
    tensors['A'].abs_().neg_()
    return leaves(tensors)


@pytest.mark.parametrize('l', [1, 2, 3, 4, 5, 7, 8, 13, 63, 64, 197])
def test_equals_the_definition(l):
    tensors = inputs(l)
    cotangent = torch.randn(2, l, 2, 3).double()
    y, last = scan(*tensors.values())
    wanted, wanted_last = _recomputing_scan(*tensors.values())
    assert_close(y, wanted)
    assert_close(last, wanted_last)
    assert not last.requires_grad
    if l == 1:
        del tensors['A']  # nothing decays
    found = gradients(y, tensors, cotangent)
    for name, gradient in gradients(wanted, tensors, cotangent).items():
        assert_close(found[name], gradient, 'gradient', name=name)


def test_second_derivatives():
    tensors = tuple(inputs(3, b=1, g=1, p=2, n=2).values())
    assert torch.autograd.gradgradcheck(lambda *t: scan(*t)[0], tensors)


def test_strong_decay_stays_finite():
    """Products of decays may vanish; nothing divides by a product."""
    tensors = inputs(64)
    y, _ = scan(tensors['u'], 1e3 * tensors['delta'], tensors['A'],
                tensors['B'], tensors['C'])
    y.sum().backward()
    assert y.isfinite().all()
    assert all(t.grad.isfinite().all() for t in tensors.values())
