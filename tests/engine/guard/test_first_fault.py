"""The first bad value of a forward and a backward is found."""
from typing import Any

import torch
from guarded_run import BAD, GuardedNet, Points, Spoil, collate
from torch import nn

from mmvideomamba.engine.guard.first_fault import (FaultFinder, bad_parameter,
                                                   losses_of)


def batch() -> Any:
    points = Points()
    return collate([points[i] for i in range(4)])


def watched(model: nn.Module) -> FaultFinder:
    with FaultFinder(model) as finder:
        sum(model(**batch(), mode='loss').values()).backward()
    return finder


def test_first_bad_output() -> None:
    model = GuardedNet()
    model.norm.register_forward_hook(lambda *args: args[-1] * BAD)
    found = watched(model).output
    assert found is not None and found.module == 'norm'
    assert found.text == ('the first bad output is of norm (Identity) (32 nan '
                          'among 32 values), whose input is finite')


def test_first_bad_gradient_is_of_the_innermost_module() -> None:
    model = GuardedNet()

    class Bad(nn.Module):

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return Spoil.apply(x)

    model.add_module('norm', nn.Sequential(nn.Tanh(), Bad()))
    finder = watched(model)
    found = finder.gradient()
    assert finder.output is None and found is not None
    assert found.module == 'norm.1'
    assert found.text == (
        'all outputs are finite; the first bad gradient is of the input of '
        'norm.1 (Bad) (32 nan among 32 values)')


def test_bad_gradient_outside_of_modules() -> None:
    model = GuardedNet()
    with FaultFinder(model) as finder:
        Spoil.apply(model.head(torch.ones(1, 8))).sum().backward()
    found = finder.gradient()
    assert found is not None and found.module == 'head'
    assert 'of the output of head (Linear)' in found.text
    assert 'computed from it outside of modules' in found.text


def test_nothing_bad() -> None:
    model = GuardedNet()
    finder = watched(model)
    assert finder.output is None and finder.gradient() is None
    assert bad_parameter(model) is None
    assert not model.stem._forward_hooks and not model.stem._forward_pre_hooks


def test_bad_parameter() -> None:
    model = GuardedNet()
    model.body.bias.data[1] = float('inf')
    found = bad_parameter(model)
    assert found is not None and found.module == 'body'
    assert found.text == ('the parameter body.bias was bad before the step '
                          '(1 inf among 8 values)')


def test_losses() -> None:
    outputs = dict(
        loss=torch.tensor([1., 3.], requires_grad=True), acc=1., loss_b=0.5)
    assert losses_of(outputs) == dict(loss=2., loss_b=0.5)
