"""The definition against its formula and finite differences."""
import itertools
from typing import Dict

import pytest
import torch
from common import assert_close, gradients, leaves
from naive_ops import naive_bidirectional, naive_scan
from torch import Tensor
from torch.autograd import gradcheck, gradgradcheck

from mmvideomamba.ops import (ScanParams, bidirectional_selective_scan,
                              selective_scan)
from mmvideomamba.ops.scan import reference

OPTIONAL = ('D', 'z', 'delta_bias')


def make_inputs(b: int,
                l: int,
                d: int,
                n: int,
                b_layout: str = 'plain',
                c_layout: str = 'plain') -> Dict[str, Tensor]:
    """Return float64 leaves; steps are positive even without softplus."""
    shapes = dict(
        plain=(b, l, n),
        groups=(b, l, 2, n),
        all_groups=(b, l, d, n),
        constant=(d, n))
    make = dict(dtype=torch.float64)
    return leaves(
        dict(
            u=torch.randn(b, l, d, **make),
            delta=torch.rand(b, l, d, **make) + 0.1,
            A=-torch.rand(d, n, **make) * 2 - 0.1,
            B=torch.randn(*shapes[b_layout], **make),
            C=torch.randn(*shapes[c_layout], **make),
            D=torch.randn(d, **make),
            z=torch.randn(b, l, d, **make),
            delta_bias=torch.rand(d, **make)))


def compare_with_naive(inputs: Dict[str, Tensor], **options) -> None:
    y, last = selective_scan(
        **inputs, **options, backend='torch', return_last_state=True)
    wanted, wanted_last = naive_scan(**inputs, **options)
    assert y.dtype == last.dtype == torch.float64
    assert_close(y, wanted)
    assert_close(last, wanted_last)
    cotangent = torch.randn_like(y)
    found = gradients(y, inputs, cotangent)
    for name, gradient in gradients(wanted, inputs, cotangent).items():
        assert_close(found[name], gradient, 'gradient', name=name)


@pytest.mark.parametrize('reverse', [False, True])
@pytest.mark.parametrize('l', [1, 2, 7, 8, 9, 63, 197])
def test_formula(l, reverse):
    compare_with_naive(
        make_inputs(2, l, 6, 3), delta_softplus=True, reverse=reverse)


@pytest.mark.parametrize('softplus', [False, True])
@pytest.mark.parametrize(
    'present', [
        present for i in range(4)
        for present in itertools.combinations(OPTIONAL, i)
    ],
    ids=str)
def test_formula_with_options(present, softplus):
    inputs = make_inputs(2, 11, 4, 3)
    inputs = {
        k: x
        for k, x in inputs.items() if k not in OPTIONAL or k in present
    }
    compare_with_naive(inputs, delta_softplus=softplus)


LAYOUTS = ('plain', 'groups', 'all_groups', 'constant')


@pytest.mark.parametrize('reverse', [False, True])
@pytest.mark.parametrize('c_layout', LAYOUTS)
@pytest.mark.parametrize('b_layout', LAYOUTS)
def test_formula_with_layouts(b_layout, c_layout, reverse):
    inputs = make_inputs(2, 9, 4, 3, b_layout, c_layout)
    compare_with_naive(inputs, delta_softplus=True, reverse=reverse)


@pytest.mark.parametrize('l', [15, 16, 17, 31, 33, 64, 100])
def test_formula_over_segments(monkeypatch, l):
    # A tiny budget makes segments of the least length: 16 tokens.
    monkeypatch.setattr(reference, '_SEGMENT_ELEMENTS', 1)
    for reverse in (False, True):
        compare_with_naive(
            make_inputs(1, l, 3, 2), delta_softplus=True, reverse=reverse)


@pytest.mark.parametrize('reverse', [False, True])
@pytest.mark.parametrize(
    'options', [
        dict(l=5),
        dict(l=5, b_layout='groups', c_layout='groups'),
        dict(l=5, b_layout='constant'),
        dict(l=5, c_layout='constant', softplus=False),
        dict(l=5, drop=OPTIONAL),
        dict(l=5, drop=OPTIONAL, softplus=False),
        dict(l=18, d=2, n=2)
    ],
    ids=str)
def test_gradcheck(monkeypatch, options, reverse):
    monkeypatch.setattr(reference, '_SEGMENT_ELEMENTS', 1)
    options = dict(options)
    drop, softplus = options.pop('drop', ()), options.pop('softplus', True)
    inputs = make_inputs(**{**dict(b=2, d=4, n=2), **options})
    names = [k for k in inputs if k not in drop]

    def function(*tensors: Tensor) -> Tensor:
        return selective_scan(
            **dict(zip(names, tensors)),
            delta_softplus=softplus,
            reverse=reverse,
            backend='torch')

    assert gradcheck(function, [inputs[k] for k in names])


@pytest.mark.parametrize('directions', ['both', 'forward', 'backward'])
def test_bidirectional_gradcheck(directions):
    d, n, r, k = 4, 2, 2, 3
    shapes = ((d, 1, k), (d, ), (r + 2 * n, d), (d, r), (d, ), (d, n), (d, ))
    tensors = [torch.randn(1, 4, 2 * d, dtype=torch.float64)]
    tensors += [torch.randn(s, dtype=torch.float64) for s in shapes * 2]
    for i in (6, 13):
        tensors[i] = -tensors[i].abs() - 0.1
    tensors = [x.requires_grad_() for x in tensors]

    def function(op, xz: Tensor, *weights: Tensor, **kwargs) -> Tensor:
        forward, backward = ScanParams(*weights[:7]), ScanParams(*weights[7:])
        return op(xz, None if directions == 'backward' else forward,
                  None if directions == 'forward' else backward, **kwargs)

    assert gradcheck(
        lambda *x: function(bidirectional_selective_scan, *x, backend='torch'),
        tensors)
    assert_close(
        function(bidirectional_selective_scan, *tensors, backend='torch'),
        function(naive_bidirectional, *tensors))


@pytest.mark.parametrize('l', [1, 5, 33])
def test_second_derivatives(l):
    inputs = make_inputs(1, l, 2, 2)
    names = [k for k, x in inputs.items() if isinstance(x, torch.Tensor)]
    tensors = [inputs[k].detach().requires_grad_() for k in names]
    further = {k: x for k, x in inputs.items() if k not in names}

    def function(*tensors):
        return selective_scan(
            **dict(zip(names, tensors)), **further, backend='torch')

    assert gradgradcheck(function, tensors)


def test_second_derivatives_of_inputs_that_depend_on_each_other():
    x = torch.randn(1, 5, 2, dtype=torch.float64, requires_grad=True)
    A = -torch.rand(2, 2, dtype=torch.float64)

    def function(x):
        delta, B = x.square(), x.sin()
        return selective_scan(x, delta, A, B, B * delta, backend='torch')

    assert gradgradcheck(function, x)


def test_state_stays_float32_under_autocast():
    inputs = make_inputs(1, 33, 4, 2)
    inputs = {k: x.detach().float() for k, x in inputs.items()}
    wanted = selective_scan(**inputs, backend='torch')
    with torch.autocast('cpu', torch.bfloat16):
        found, last = selective_scan(
            **inputs, backend='torch', return_last_state=True)
    assert last.dtype == torch.float32
    assert torch.equal(found, wanted)


def test_stored_memory_is_linear_in_tokens():
    # Tensors saved for backward must not hold a state per token.
    inputs = make_inputs(1, 4096, 8, 16)
    kept = []

    def pack(x: Tensor) -> Tensor:
        kept.append(x.untyped_storage())
        return x

    with torch.autograd.graph.saved_tensors_hooks(pack, lambda x: x):
        selective_scan(**inputs, delta_softplus=True, backend='torch')
    largest = max(x.nbytes() for x in kept)
    assert largest <= inputs['B'].nbytes
    storages = {x.data_ptr(): x.nbytes() for x in kept}
    states = 4096 * 8 * 16 * inputs['u'].element_size()
    assert sum(storages.values()) < states
