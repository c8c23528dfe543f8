"""Launches of a mixer's forward and backward pass are counted."""
import os
from typing import Any, Dict, Iterator, List

import pytest
import torch
from common import device_of
from torch import Tensor
from torch.utils._python_dispatch import (TorchDispatchMode,
                                          _disable_current_modes)

from mmvideomamba.ops import ScanParams

pytest.importorskip('triton', reason='no Triton here')

# Operators without work on a GPU, and 'fill' of conftest.py.
SILENT = {
    'view', 'unsafe_view', 'empty', 'empty_like', 'new_empty', 'detach',
    'transpose', 't', 'as_strided', 'slice', 'select', 'unsqueeze', 'fill'
}


class Launches(TorchDispatchMode):
    """Count operators by name, but for views and allocations."""

    def __init__(self) -> None:
        super().__init__()
        self.names: List[str] = []

    def __torch_dispatch__(self,
                           func: Any,
                           types: Any,
                           args: tuple = (),
                           kwargs: Any = None) -> Any:
        name = func.overloadpacket.__name__.strip('_')
        if name not in SILENT:
            self.names.append(name)
        return func(*args, **(kwargs or {}))


@pytest.fixture
def launches(monkeypatch: pytest.MonkeyPatch) -> Iterator[Launches]:
    """Note the launches of kernels and the operators of a block."""
    if os.environ.get('TRITON_INTERPRET') != '1':
        pytest.skip('the interpreter starts kernels where tests can count')
    from triton.runtime.interpreter import GridExecutor

    from mmvideomamba.ops.mixer.triton import op
    mode = Launches()
    start = GridExecutor.__call__

    def note(executor: Any, *args: Any, **kwargs: Any) -> Any:
        mode.names.append(executor.fn.__name__)
        with _disable_current_modes():
            return start(executor, *args, **kwargs)

    monkeypatch.setattr(GridExecutor, '__call__', note)
    # A dispatch mode would make the mixer a registered op, and see nothing
    # inside.
    monkeypatch.setattr(op, 'needs_registered_op', lambda x: False)
    yield mode


def make(c: int, r: int, n: int, device: torch.device,
         low: torch.dtype) -> Dict[str, Any]:
    """Return arguments of the op: tokens of dtype ``low``, float32 weights."""
    g = torch.Generator().manual_seed(0)

    def draw(*shape: int) -> Tensor:
        x = torch.randn(shape, generator=g) * shape[-1]**-0.5
        return x.to(device).requires_grad_()

    d = 2 * c
    each = [
        ScanParams(
            draw(d, 1, 4), draw(d), draw(r + 2 * n, d),
            draw(d, r), draw(d), (-draw(d, n).detach().abs()).requires_grad_(),
            draw(d)) for _ in range(2)
    ]
    x = draw(2, 3, c).detach().to(low).requires_grad_()
    return dict(
        x=x,
        in_weight=draw(2 * d, c),
        out_weight=draw(c, d),
        forward=each[0],
        backward=each[1])


def leaves_of(given: Dict[str, Any]) -> List[Tensor]:
    first = [given[k] for k in ('x', 'in_weight', 'out_weight')]
    return first + [*given['forward'], *given['backward']]


@pytest.mark.parametrize('r', [8, 3])
def test_launches_of_a_training_step(launches, r):
    from mmvideomamba.ops.mixer.triton.op import bidirectional_mixer
    given = make(4, r, 2, torch.device('cpu'), torch.bfloat16)
    with torch.autocast('cpu', torch.bfloat16), launches:
        y = bidirectional_mixer(
            **given, in_bias=None, out_bias=None, backend='triton')
    assert launches.names == [
        'stack_kernel', 'mm', 'conv_fwd_kernel', 'bmm', 'step_sizes_kernel',
        'general_fwd_kernel', 'gate_fwd_kernel', 'mm'
    ]
    launches.names.clear()
    dy = torch.ones_like(y)
    with launches:
        found = torch.autograd.grad(y, leaves_of(given), dy)
    assert sorted(launches.names) == sorted([
        'mm', 'mm', 'conv_fwd_kernel', 'step_sizes_kernel',
        'general_fwd_kernel', 'gate_bwd_kernel', 'general_bwd_kernel', 'bmm',
        'reduce_bc_kernel', 'bmm', 'bmm', 'baddbmm', 'conv_bwd_kernel', 'mm',
        'mm', 'mm', 'finish_kernel'
    ])
    for gradient, leaf in zip(found, leaves_of(given)):
        assert gradient.dtype == leaf.dtype and gradient.is_contiguous()


def test_autograd_takes_the_gradients_as_they_are(launches):
    from mmvideomamba.ops.mixer.triton.op import bidirectional_mixer
    given = make(4, 3, 2, torch.device('cpu'), torch.float32)
    y = bidirectional_mixer(
        **given, in_bias=None, out_bias=None, backend='triton')
    launches.names.clear()
    with launches:
        y.backward(torch.ones_like(y))
    # A copy would be a clone.
    assert not {'clone', 'copy', 'to_copy', 'new_empty_strided'} & set(
        launches.names)
    assert all(t.grad is not None for t in leaves_of(given))


def test_both_forms_of_the_op_are_equal(monkeypatch):
    device, reason = device_of('triton')
    if device is None:
        pytest.skip(reason)
    from mmvideomamba.ops.mixer.triton import op
    given = make(4, 3, 2, device, torch.bfloat16)
    # Directions of other weights: a bias missing, another dtype.
    low = ScanParams(
        given['forward'].conv_weight.detach().bfloat16().requires_grad_(),
        None, *given['forward'][2:])
    given['forward'] = low
    leaves = [t for t in leaves_of(given) if t is not None]
    results = []
    for registered in (False, True):
        monkeypatch.setattr(op, 'needs_registered_op', lambda x: registered)
        y = op.bidirectional_mixer(
            **given, in_bias=None, out_bias=None, backend='triton')
        results.append((y, *torch.autograd.grad(y.sum(), leaves)))
    for one, other in zip(*results):
        assert one.dtype == other.dtype and torch.equal(one, other)
