"""Conditions for an op to consist of operators visible to torch."""
import pytest
import torch
from torch import nn
from torch._subclasses import FakeTensorMode
from torch.autograd import forward_ad
from torch.fx.experimental.proxy_tensor import make_fx
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import FlopCounterMode

from mmvideomamba.ops import being_traced
from mmvideomamba.ops.runtime.host import _FLOP_COUNTER, constant_result


class Mode(TorchDispatchMode):
    """Any other dispatch mode, such as a user's own counter."""

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        return func(*args, **(kwargs or {}))


class Weight(torch.Tensor):
    """A tensor subclass with other operators."""


@pytest.mark.parametrize('x', [
    torch.zeros(1),
    nn.Parameter(torch.zeros(1)),
    torch.zeros(1, device='meta')
])
def test_a_plain_call(x):
    assert being_traced(x) == ''
    with torch.no_grad(), torch.autocast('cpu'), torch.inference_mode():
        assert being_traced(x) == ''


def seen(run):
    """Return the reasons found by a function inside a run."""
    reasons = []

    def function(x):
        reasons.append(being_traced(x))
        return 2 * x

    run(function)
    return set(reasons)


def with_mode(mode):

    def run(function):
        with mode:
            function(torch.zeros(1))

    return run


def forward_mode(function):
    with forward_ad.dual_level():
        function(torch.zeros(1))


@pytest.mark.parametrize('run, reason', [
    (lambda f: torch.jit.trace(f, torch.zeros(1), check_trace=False),
     'torch.jit.trace looks on'),
    (lambda f: make_fx(f)(torch.zeros(1)), 'ProxyTorchDispatchMode looks on'),
    (lambda f: torch.fx.symbolic_trace(f), 'torch.fx looks on'),
    (lambda f: torch.func.vmap(f)
     (torch.zeros(2, 1)), 'a transform of torch.func looks on'),
    (lambda f: torch.func.grad(lambda w: (w * f(torch.zeros(1))).sum())
     (torch.ones(1)), 'a transform of torch.func looks on'),
    (forward_mode, 'forward-mode differentiation looks on'),
    (lambda f: f(torch.zeros(1).as_subclass(Weight)), 'the input is a Weight'),
    (with_mode(FakeTensorMode()), 'FakeTensorMode looks on'),
    (with_mode(FlopCounterMode(display=False)), '_FlopCounterMode looks on'),
    (with_mode(Mode()), 'Mode looks on'),
])
def test_somebody_looks_on(run, reason):
    assert seen(run) == {reason}
    assert seen(lambda f: f(torch.zeros(1))) == {''}


def test_a_fake_outside_of_its_mode():
    with FakeTensorMode():
        x = torch.zeros(1)
    assert being_traced(x) == 'the input is a FakeTensor'


class Reason(nn.Module):
    """Keeps the reason why a call is traced."""

    reason = ''

    def forward(self, x):
        self.reason = being_traced(x)
        return 2 * x


def test_torch_compile_is_no_export():
    """A GPU's kernels are registered with torch.compile alone."""
    torch.compiler.reset()
    model = Reason()
    torch.compile(model, backend='eager', fullgraph=True)(torch.zeros(1))
    assert model.reason == 'torch.compile looks on'


def test_an_export():
    model = Reason()
    torch.export.export(model, (torch.zeros(1), ), strict=False)
    assert model.reason == 'torch.export looks on'


def test_constant_result_is_that_of_torch():
    """constant_result sets the mark looked for by torch's compiler."""

    def ours():
        return 1

    def theirs():
        return 1

    assert constant_result(ours) is ours
    torch.compiler.assume_constant_result(theirs)
    assert vars(ours) == vars(theirs) != {}


def test_flop_counter_is_known_by_its_module():
    assert FlopCounterMode.__module__ == _FLOP_COUNTER
