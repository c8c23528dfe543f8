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


def run(inputs: Dict[str, Tensor], through: Tuple[int, ...] = (0, 1),
        **kwargs) -> Tuple[Tensor, Tensor, Dict]:
    """Return both outputs, and the gradients through one or both outputs."""
    outs = add_rms_norm(**inputs, **kwargs)
    g = torch.Generator().manual_seed(1)
    cotangents = [
        torch.randn(t.shape, generator=g).to(t.device, t.dtype) for t in outs
    ]
    used = {k: x for k, x in inputs.items() if x is not None}
    found = torch.autograd.grad([outs[i] for i in through],
                                list(used.values()),
                                [cotangents[i] for i in through],
                                allow_unused=True)
    return *outs, dict(zip(used, found))


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


def both_kinds(inputs: Dict[str, Tensor], dtype: torch.dtype,
               device: torch.device, first: bool) -> Tuple[Dict, Dict]:
    """Return the inputs of a backend, and the same numbers in float64."""
    low = leaves({
        k: t.to(device, dtype if k == 'x' else torch.float32)
        for k, t in inputs.items()
    })
    exact = leaves({k: t.cpu().double() for k, t in low.items()})
    if first:
        low['residual'] = exact['residual'] = None
    return low, exact


@pytest.mark.parametrize('first', [False, True])
@pytest.mark.parametrize('dtype', DTYPES, ids=str)
@pytest.mark.parametrize(
    'shape', [(1, 1, 48), (3, 7, 65), (3, 63, 192), (0, 7, 48), (5, 48)],
    ids=str)
def test_backend_is_the_definition(backend, device, shape, dtype, first):
    low, exact = both_kinds(make_inputs(*shape), dtype, device, first)
    y, stream, found = run(low, backend=backend)
    assert y.dtype == dtype and stream.dtype == torch.float32
    wanted_y, wanted_stream, wanted = run(exact, backend='torch')
    assert_close(y, wanted_y, dtype=dtype)
    assert_close(stream, wanted_stream, dtype=torch.float32)
    for name, gradient in wanted.items():
        assert found[name].dtype == low[name].dtype
        assert_close(found[name], gradient, 'gradient', dtype, name=name)


DRAW = torch.tensor([.2, .3, .9])


def test_dropped_samples_are_the_formula():
    inputs = make_inputs(3, 5, 7)
    y, stream = add_rms_norm(**inputs, draw=DRAW, drop_prob=.25)
    x, residual, weight = (t.detach() for t in inputs.values())
    total = x * torch.tensor([0, 4 / 3, 4 / 3]).view(3, 1, 1) + residual
    assert_close(stream, total, dtype=torch.float32)
    assert_close(
        y,
        add_rms_norm(total, None, weight, backend='torch')[0],
        dtype=torch.float32)
    assert torch.equal(stream[0], residual[0])


@pytest.mark.parametrize('first', [False, True])
@pytest.mark.parametrize('dtype', DTYPES[:2], ids=str)
@pytest.mark.parametrize('shape', [(3, 7, 65), (3, 48), (0, 7, 48)], ids=str)
def test_dropped_samples(backend, device, shape, dtype, first):
    low, exact = both_kinds(make_inputs(*shape), dtype, device, first)
    drop = dict(draw=DRAW[:shape[0]], drop_prob=.25)
    wanted = run(exact, backend='torch', **drop)
    # Neither contiguous.
    drop['draw'] = torch.stack([DRAW, DRAW], 1)[:shape[0], 0].to(device)
    found = run(low, backend=backend, **drop)
    for kind, a, b in zip((dtype, torch.float32), found, wanted):
        assert a.dtype == kind
        assert_close(a, b, dtype=kind)
    for name, gradient in wanted[2].items():
        assert found[2][name].dtype == low[name].dtype
        assert_close(found[2][name], gradient, 'gradient', dtype, name=name)
    assert not found[2]['x'][:1].any()


@pytest.mark.parametrize('drop', [{}, dict(draw=DRAW, drop_prob=.25)], ids=len)
@pytest.mark.parametrize('through', [0, 1])
def test_an_unused_output(backend, device, through, drop):
    """The last norm of a trunk leaves the stream unused."""
    inputs = {k: t.detach().float() for k, t in make_inputs(3, 9, 65).items()}
    wanted = run(leaves(inputs), (through, ), backend='torch', **drop)[2]
    inputs = {k: t.to(device) for k, t in inputs.items()}
    found = run(
        leaves(inputs), (through, ),
        backend=backend,
        **{
            k: v.to(device) if k == 'draw' else v
            for k, v in drop.items()
        })[2]
    for name, gradient in wanted.items():
        if gradient is None:  # the stream has no weight
            gradient = torch.zeros_like(inputs[name])
            found[name] = gradient if found[name] is None else found[name]
        assert_close(found[name], gradient, 'gradient', name=name)


def test_registered_op(backend, device):
    """torch.compile sees the op and the registered gradients."""
    if backend != 'triton':
        pytest.skip('registered for the kernels alone')
    op = torch.ops.mmvideomamba.add_rms_norm
    for dtype, draw in ((torch.float32, None), (torch.bfloat16, None),
                        (torch.float32, DRAW), (torch.bfloat16, DRAW)):
        inputs = [
            t.detach().to(device, dtype if k == 'x' else torch.float32)
            for k, t in make_inputs(3, 5, 48).items()
        ]
        draw = None if draw is None else draw.to(device)
        found, wanted = [], []
        for function, results in ((op, found), (add_rms_norm, wanted)):
            x, residual, weight = (t.clone().requires_grad_() for t in inputs)
            drop = (draw, .25)
            if function is op:
                outs = op(x, residual, weight, 1e-5, *drop)[:2]
            else:
                outs = add_rms_norm(x, residual, weight, 1e-5, backend, *drop)
            (outs[0].float().sin() + outs[1]).sum().backward()
            results += [*outs, x.grad, residual.grad, weight.grad]
        for a, b in zip(found, wanted):
            assert a.dtype == b.dtype and torch.equal(a, b)
        torch.library.opcheck(
            op, (*inputs, 1e-5, draw, .25), test_utils='test_faketensor')


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
    (dict(draw=torch.zeros(2, device='meta')),
     'draw is on meta, but x on cpu'),
    (dict(draw=torch.zeros(3)), 'draw must be float32 of shape (2, ), a '
     'number for each sample of x, but is torch.float32 of shape (3,)'),
    (dict(draw=torch.zeros(2).half()), 'but is torch.float16 of shape (2,)'),
    (dict(draw=torch.zeros(2),
          drop_prob=1.), 'drop_prob must lie in [0, 1), but got 1.0'),
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
