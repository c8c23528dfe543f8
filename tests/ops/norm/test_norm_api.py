import re
from typing import Dict, Tuple

import pytest
import torch
from common import assert_close, leaves
from torch import Tensor
from torch.autograd import gradcheck

from mmvideomamba.ops import add_rms_norm

DTYPES = [torch.float32, torch.bfloat16, torch.float16]


def make_inputs(*shape: int) -> Dict[str, Tensor]:
    make = dict(dtype=torch.float64)
    return leaves(
        dict(
            x=torch.randn(*shape, **make),
            residual=torch.randn(*shape, **make),
            weight=torch.randn(shape[-1], **make)))


def run(inputs: Dict[str, Tensor], **kwargs) -> Tuple[Tensor, Tensor, Dict]:
    """Return both outputs and the gradients through both."""
    y, stream = add_rms_norm(**inputs, **kwargs)
    g = torch.Generator().manual_seed(1)
    cotangents = [
        torch.randn(t.shape, generator=g).to(t.device, t.dtype)
        for t in (y, stream)
    ]
    used = {k: x for k, x in inputs.items() if x is not None}
    found = torch.autograd.grad((y, stream), list(used.values()), cotangents)
    return y, stream, dict(zip(used, found))


def test_definition_is_its_formula():
    inputs = make_inputs(3, 5, 7)
    y, stream = add_rms_norm(**inputs, eps=1e-3, backend='torch')
    x, residual, weight = (t.detach().numpy() for t in inputs.values())
    total = x + residual
    rms = ((total**2).mean(-1, keepdims=True) + 1e-3)**0.5
    assert_close(stream, torch.from_numpy(total))
    assert_close(y, torch.from_numpy(total / rms * weight))


@pytest.mark.parametrize('first', [False, True])
def test_gradcheck(first):
    inputs = make_inputs(2, 3, 4)
    if first:
        del inputs['residual']

    def function(*tensors: Tensor) -> Tuple[Tensor, Tensor]:
        given = dict(zip(inputs, tensors))
        return add_rms_norm(**{'residual': None, **given}, backend='torch')

    assert gradcheck(function, list(inputs.values()))


@pytest.mark.parametrize('first', [False, True])
@pytest.mark.parametrize('dtype', DTYPES, ids=str)
@pytest.mark.parametrize(
    'shape', [(1, 1, 48), (3, 7, 65), (3, 63, 192), (0, 7, 48), (5, 48)],
    ids=str)
def test_backend_is_the_definition(backend, device, shape, dtype, first):
    inputs = make_inputs(*shape)
    low = leaves({
        k: t.to(device, dtype if k == 'x' else torch.float32)
        for k, t in inputs.items()
    })
    exact = leaves({k: t.cpu().double() for k, t in low.items()})
    if first:
        low['residual'] = exact['residual'] = None
    y, stream, found = run(low, backend=backend)
    assert y.dtype == dtype and stream.dtype == torch.float32
    wanted_y, wanted_stream, wanted = run(exact, backend='torch')
    assert_close(y, wanted_y, dtype=dtype)
    assert_close(stream, wanted_stream, dtype=torch.float32)
    for name, gradient in wanted.items():
        assert found[name].dtype == low[name].dtype
        assert_close(found[name], gradient, 'gradient', dtype, name=name)


def test_strides_and_repeats(backend, device):
    inputs = {
        k: t.detach().float().to(device)
        for k, t in make_inputs(3, 9, 65).items()
    }
    wanted = run(leaves(inputs), backend=backend)
    moved = dict(
        x=inputs['x'].transpose(0, 1).contiguous().transpose(0, 1),
        residual=torch.stack([inputs['residual']] * 2, -1)[..., 0],
        weight=torch.stack([inputs['weight']] * 2, -1)[..., 0])
    found = run({
        k: t.requires_grad_()
        for k, t in moved.items()
    },
                backend=backend)
    again = run(leaves(inputs), backend=backend)
    for a, b, c in zip(wanted[:2], found[:2], again[:2]):
        assert_close(b, a)
        assert torch.equal(c, a)
    for name in inputs:
        assert_close(found[2][name], wanted[2][name], 'gradient')
        assert torch.equal(again[2][name], wanted[2][name]), name


def test_zeros_stay_finite(backend, device):
    x = torch.zeros(1, 2, 48, device=device, requires_grad=True)
    weight = torch.ones(48, device=device, requires_grad=True)
    y, _, found = run(dict(x=x, residual=None, weight=weight), backend=backend)
    assert not y.any()
    assert all(g.isfinite().all() for g in found.values())


BAD = [
    (dict(weight=torch.zeros(5)), 'weight must have shape (4, )'),
    (dict(residual=torch.zeros(2, 1, 4)),
     'residual must have the shape of x, (2, 3, 4), but has (2, 1, 4)'),
    (dict(weight=torch.zeros(4, device='meta')),
     'weight is on meta, but x on cpu'),
    (dict(residual=torch.zeros(2, 3, 4, device='meta')),
     'residual is on meta, but x on cpu'),
]


@pytest.mark.parametrize('change,message', BAD)
def test_bad_input(change, message):
    inputs = dict(
        x=torch.zeros(2, 3, 4),
        residual=torch.zeros(2, 3, 4),
        weight=torch.zeros(4))
    add_rms_norm(**inputs)
    with pytest.raises(ValueError, match=re.escape(message)):
        add_rms_norm(**{**inputs, **change})
