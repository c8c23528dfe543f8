"""Second derivatives missing in a backend are an error."""
import pytest
import torch
from common import assert_close
from torch.autograd.functional import hessian

from mmvideomamba.ops import causal_conv1d, selective_scan
from mmvideomamba.ops.runtime.first_order import first_order


class _Square(torch.autograd.Function):

    @staticmethod
    def forward(ctx, x):
        ctx.save_for_backward(x)
        return x * x

    @staticmethod
    @first_order
    def backward(ctx, dy):
        x, = ctx.saved_tensors
        return torch.from_numpy(2 * x.detach().numpy()) * dy


def test_first_derivatives():
    x = torch.ones(3, requires_grad=True)
    _Square.apply(x).sum().backward()
    assert_close(x.grad, torch.full((3, ), 2.))


@pytest.mark.parametrize('way', [
    lambda x: _Square.apply(x).sum().backward(create_graph=True),
    lambda x: torch.autograd.grad(
        _Square.apply(x).sum(), x, create_graph=True),
    lambda x: hessian(lambda x: x.sum() * _Square.apply(x).sum(), x),
])
def test_second_derivatives(way):
    with pytest.raises(RuntimeError, match='no second derivatives.*torch.fun'):
        way(torch.ones(3, requires_grad=True))


def _scan(x, backend):
    A, B = -torch.ones(2, 3), torch.ones(1, 4, 3)
    return selective_scan(x, x.square(), A, B, B, backend=backend)


def _conv(x, backend):
    return causal_conv1d(x, torch.ones(2, 3), None, 'silu', backend=backend)


@pytest.mark.parametrize('op', [_scan, _conv])
def test_ops(op):
    x = torch.rand(1, 4, 2)

    def of(backend):
        return hessian(lambda x: op(x, backend).square().sum(), x)

    with pytest.raises(RuntimeError, match="use_backend..torch.. of mmvideo"):
        of('numba')
    found = of('torch')
    wanted = torch.func.hessian(lambda x: op(x, 'auto').square().sum())(x)
    assert found.abs().max() > 1
    assert_close(found, wanted, 'gradient')
