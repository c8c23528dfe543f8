"""Operators registered with torch, for compilers and dispatch modes."""
import pytest
import torch
from torch import Tensor
from torch._subclasses import FakeTensorMode

from mmvideomamba.ops.runtime.registered_op import (differentiable, fake_of,
                                                    registered_op)


@registered_op('test_times')
def times(x: Tensor, factor: float) -> Tensor:
    # numpy hides the product from torch.
    return torch.from_numpy(x.detach().numpy() * factor)


@fake_of('test_times')
def _(x: Tensor, factor: float) -> Tensor:
    return torch.empty_like(x)


@registered_op('test_times_backward', last=True)
def times_backward(dy: Tensor, factor: float) -> Tensor:
    return torch.from_numpy(dy.detach().numpy() * factor)


@fake_of('test_times_backward')
def _(dy: Tensor, factor: float) -> Tensor:
    return torch.empty_like(dy)


def _setup(ctx, inputs, output):
    ctx.factor = inputs[1]


def _backward(ctx, dy):
    return times_backward(dy, ctx.factor), None


differentiable('test_times', _backward, _setup)


def test_value_and_gradient():
    x = torch.tensor([1., 2.], requires_grad=True)
    y = times(x, 3.)
    y.sum().backward()
    assert y.tolist() == [3., 6.] and x.grad.tolist() == [3., 3.]


def test_torch_compile_takes_the_operator_whole():
    torch.compiler.reset()
    targets = []

    def keep(graph, _):
        targets.extend(node.target for node in graph.graph.nodes)
        return graph

    compiled = torch.compile(
        lambda x: times(x, 3.) + 1, backend=keep, fullgraph=True)
    assert compiled(torch.ones(2)).tolist() == [4., 4.]
    assert times in targets


def test_a_compiled_gradient():
    torch.compiler.reset()
    compiled = torch.compile(
        lambda x: times(x, 3.).sum(), backend='aot_eager', fullgraph=True)
    x = torch.ones(2, requires_grad=True)
    compiled(x).backward()
    assert x.grad.tolist() == [3., 3.]


def test_a_fake_tensor():
    with FakeTensorMode():
        assert times(torch.ones(2, 3), 2.).shape == (2, 3)


def test_second_derivatives_are_refused():
    x = torch.ones(2, requires_grad=True)
    dx, = torch.autograd.grad(
        times(x, 3.).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match='test_times_backward has no grad'):
        dx.sum().backward()
