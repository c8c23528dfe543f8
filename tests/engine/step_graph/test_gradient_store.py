"""Gradients at fixed places, added up as autograd does."""
import torch
from torch import nn

from mmvideomamba.engine.step_graph.gradient_store import GradientStore


def test_take_adds_to_earlier_batches() -> None:
    model = nn.Sequential(nn.Linear(3, 2), nn.Linear(2, 1).double())
    parameters = list(model.parameters())
    store = GradientStore(parameters)
    assert {
        k: len(v)
        for k, v in store.flat.items()
    } == {
        torch.float32: 8,
        torch.float64: 3
    }
    places = [x.data_ptr() for x in store.views]
    ones = [torch.ones_like(p) for p in parameters]
    # A transposed gradient has the same values as a contiguous gradient.
    ones[0] = torch.arange(6.).view(3, 2).t()
    store.take(ones)
    assert not store.waiting()
    store.show(True)
    assert store.waiting()
    store.take(ones)
    for p, one, place in zip(parameters, ones, places):
        assert torch.equal(p.grad, 2 * one) and p.grad.data_ptr() == place
    # Gradients of a checkpoint lie elsewhere, or are missing.
    parameters[1].grad = torch.full_like(parameters[1], 5.)
    parameters[2].grad = None
    store.take(ones)
    assert torch.equal(store.views[0], 3 * ones[0])
    assert store.views[1].eq(6).all() and store.views[2].eq(1).all()
    store.show(False)
    assert all(p.grad is None for p in parameters)


def test_of() -> None:
    layer = nn.Linear(2, 2)
    store = GradientStore(list(layer.parameters()))
    assert store.of(list(layer.parameters()))
    assert not store.of([layer.weight])
    assert not store.of([layer.bias, layer.weight])
