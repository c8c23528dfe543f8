import re
from typing import Dict, Optional, Tuple

import pytest
import torch
import torch.nn.functional as F
from common import NOISE, UNDERFLOW, assert_close, gradients, leaves, skip_slow
from naive_ops import naive_bidirectional
from torch import Tensor
from torch.autograd import gradcheck

from mmvideomamba.ops import (ScanParams, bidirectional_mixer,
                              bidirectional_selective_scan, selective_scan)

DTYPES = [torch.float32, torch.bfloat16, torch.float16]
# b, l, c, n; the inner width is 2 * c.
SHAPES = [(1, 1, 24, 16), (3, 2, 33, 4), (2, 9, 24, 16), (3, 63, 24, 4),
          (1, 197, 96, 16), (0, 5, 24, 16)]
# Kept in the state's dtype.
STATE = ('dt_proj_bias', 'A_', 'D_')


def make_inputs(b: int,
                l: int,
                c: int,
                n: int,
                r: int = 3,
                bias: bool = False) -> Dict[str, Tensor]:
    """Return float64 inputs of the op by flat names."""
    torch.manual_seed(b + 10 * l + 100 * c + n)
    d = 2 * c
    make = dict(dtype=torch.float64)
    tensors = dict(
        x=torch.randn(b, l, c, **make),
        in_weight=torch.randn(2 * d, c, **make) * c**-0.5,
        out_weight=torch.randn(c, d, **make) * d**-0.5)
    for end in ('_f', '_b'):
        params = ScanParams(
            torch.randn(d, 1, 4, **make) * 0.5,
            torch.randn(d, **make) * 0.1,
            torch.randn(r + 2 * n, d, **make) * d**-0.5,
            torch.randn(d, r, **make) * r**-0.5, torch.randn(d, **make),
            -torch.rand(d, n, **make) * 4 - 0.05, torch.randn(d, **make))
        tensors.update({k + end: t for k, t in params._asdict().items()})
    if bias:
        tensors.update(
            in_bias=torch.randn(2 * d, **make),
            out_bias=torch.randn(c, **make))
    return tensors


def cast(tensors: Dict[str, Tensor],
         dtype: torch.dtype,
         device: Optional[torch.device] = None) -> Dict[str, Tensor]:
    """Return leaves; the steps' bias, A and D keep the state's dtype."""
    state = torch.promote_types(dtype, torch.float32)
    return leaves({
        k: t.to(device, state if k.startswith(STATE) else dtype)
        for k, t in tensors.items()
    })


def params_of(tensors: Dict[str, Tensor], end: str,
              ends: str) -> Optional[ScanParams]:
    if end not in ends:
        return None
    return ScanParams(*(tensors[k + end] for k in ScanParams._fields))


def naive_mixer(x: Tensor,
                in_weight: Tensor,
                out_weight: Tensor,
                forward: Optional[ScanParams],
                backward: Optional[ScanParams],
                in_bias: Optional[Tensor] = None,
                out_bias: Optional[Tensor] = None) -> Tensor:
    xz = F.linear(x, in_weight, in_bias)
    y = naive_bidirectional(xz, forward, backward)
    return F.linear(y, out_weight, out_bias)


def call(tensors: Dict[str, Tensor],
         op=bidirectional_mixer,
         ends: str = '_f_b',
         **kwargs) -> Tensor:
    others = {
        k: tensors[k]
        for k in ('x', 'in_weight', 'out_weight', 'in_bias', 'out_bias')
        if k in tensors
    }
    return op(
        **others,
        forward=params_of(tensors, '_f', ends),
        backward=params_of(tensors, '_b', ends),
        **kwargs)


def run(tensors: Dict[str, Tensor], **kwargs) -> Tuple[Tensor, Dict]:
    """Return the output and all gradients for a fixed cotangent."""
    y = call(tensors, **kwargs)
    g = torch.Generator().manual_seed(1)
    cotangent = torch.randn(y.shape, generator=g).to(y.device, y.dtype)
    ends = kwargs.get('ends', '_f_b')
    used = {
        k: t
        for k, t in tensors.items()
        if k[-2:] not in ('_f', '_b') or k[-2:] in ends
    }
    return y, gradients(y, used, cotangent)


def compare(found: Tuple[Tensor, Dict],
            wanted: Tuple[Tensor, Dict],
            dtype: torch.dtype,
            backend: str = '') -> None:
    """Compare outputs and gradients of two runs."""
    assert_close(found[0], wanted[0], 'chain', dtype, name='output')
    assert found[1].keys() == wanted[1].keys()
    floor = NOISE.get(backend, UNDERFLOW)
    for name, gradient in wanted[1].items():
        assert_close(
            found[1][name], gradient, 'chain', dtype, floor, name=name)


@pytest.mark.parametrize('ends', ['_f_b', '_f', '_b'])
@pytest.mark.parametrize('bias', [False, True])
def test_definition_is_its_formula(bias, ends):
    inputs = cast(make_inputs(2, 7, 3, 4, bias=bias), torch.float64)
    found = run(inputs, ends=ends, backend='torch')
    compare(found, run(inputs, op=naive_mixer, ends=ends), torch.float64)


def test_gradcheck():
    inputs = cast(make_inputs(1, 3, 2, 2, r=2, bias=True), torch.float64)
    assert gradcheck(lambda *t: call(dict(zip(inputs, t)), backend='torch'),
                     list(inputs.values()))


@pytest.mark.parametrize('dtype', DTYPES, ids=str)
@pytest.mark.parametrize('shape', SHAPES, ids=str)
def test_backend_is_the_definition(backend, device, shape, dtype):
    b, l, c, n = shape
    skip_slow(backend, 4 * b * l * c * n)
    low = cast(make_inputs(*shape), dtype, device)
    exact = cast({k: t.cpu() for k, t in low.items()}, torch.float64)
    found = run(low, backend=backend)
    assert found[0].dtype == dtype
    for name, gradient in found[1].items():
        assert gradient.dtype == low[name].dtype, name
    compare(found, run(exact, backend='torch'), dtype, backend)


@pytest.mark.parametrize('ends', ['_f_b', '_f', '_b'])
@pytest.mark.parametrize('bias', [False, True])
def test_options(backend, device, bias, ends):
    low = cast(make_inputs(2, 9, 12, 4, bias=bias), torch.float32, device)
    exact = cast({k: t.cpu() for k, t in low.items()}, torch.float64)
    found = run(low, ends=ends, backend=backend)
    compare(found, run(exact, ends=ends, backend='torch'), torch.float32)


def test_without_conv_bias(backend, device):
    inputs = cast(make_inputs(2, 9, 12, 4), torch.float32, device)
    zero = torch.zeros_like(inputs['conv_bias_f'])
    wanted = call({
        **inputs, 'conv_bias_f': zero,
        'conv_bias_b': zero
    },
                  backend=backend)
    found = call({
        **inputs, 'conv_bias_f': None,
        'conv_bias_b': None
    },
                 backend=backend)
    assert_close(found, wanted)


def test_strides_and_repeats(backend, device):
    inputs = cast(make_inputs(2, 9, 24, 4), torch.float32, device)
    wanted = run(inputs, backend=backend)
    again = run(inputs, backend=backend)
    assert torch.equal(again[0], wanted[0])
    for name, gradient in wanted[1].items():
        assert torch.equal(again[1][name], gradient), name
    moved = {
        k: torch.stack([t.detach()] * 2, -1)[..., 0].requires_grad_()
        for k, t in inputs.items()
    }
    assert not any(t.is_contiguous() for t in moved.values())
    compare(run(moved, backend=backend), wanted, torch.float32)


def test_frozen_weights(backend, device):
    # As in a frozen trunk: a gradient for the input alone, or for one weight
    # alone.
    inputs = cast(make_inputs(2, 9, 12, 4), torch.float32, device)
    _, wanted = run(inputs, backend=backend)
    for name in ('x', 'in_weight', 'A_b'):
        alone = {k: t if k == name else t.detach() for k, t in inputs.items()}
        y = call(alone, backend=backend)
        g = torch.Generator().manual_seed(1)
        cotangent = torch.randn(y.shape, generator=g).to(y.device)
        found, = torch.autograd.grad(y, alone[name], cotangent)
        assert_close(found, wanted[name], 'gradient', name=name)


def test_autocast(backend, device):
    inputs = cast(make_inputs(2, 9, 24, 16), torch.float32, device)
    wanted = run(inputs, backend=backend)
    with torch.autocast(device.type, torch.bfloat16):
        found = run(inputs, backend=backend)
    assert found[0].dtype == torch.bfloat16
    for name, gradient in found[1].items():
        assert gradient.dtype == inputs[name].dtype, name
    compare(found, wanted, torch.bfloat16)


@pytest.mark.parametrize('op', ['mixer', 'inside'])
def test_logarithms_of_rates(backend, device, op):
    inputs = cast(make_inputs(1, 5, 4, 4), torch.float32, device)
    logs = {
        k: t.detach().neg().log().requires_grad_() if k[:2] == 'A_' else t
        for k, t in inputs.items()
    }

    def scan(x: Tensor, in_weight: Tensor, out_weight: Tensor,
             **kwargs) -> Tensor:
        return bidirectional_selective_scan(x @ in_weight.t(), **kwargs)

    function = bidirectional_mixer if op == 'mixer' else scan
    if op == 'inside':
        inputs['out_weight'] = logs['out_weight'] = logs['out_weight'].detach()
    results = []
    for each, log_rates in ((inputs, False), (logs, True)):
        y = call(each, op=function, backend=backend, log_rates=log_rates)
        needed = {k: t for k, t in each.items() if t.requires_grad}
        results.append((y, gradients(y, needed, torch.ones_like(y))))
    (y, wanted), (same, found) = results
    for name in ('A_f', 'A_b'):
        wanted[name] = wanted[name] * inputs[name].detach()
    compare((same, found), (y, wanted), torch.float32, backend)


BAD = [
    (dict(x=torch.zeros(3, 4)), 'x must have shape (b, l, c)'),
    (dict(x=torch.zeros(2, 0, 2)), 'l >= 1'),
    (dict(x=torch.zeros(2, 3, 3)), 'but got (2, 3, 3) and (8, 2)'),
    (dict(out_weight=torch.zeros(2, 5)), 'out_weight must have shape (c, 4)'),
    (dict(A_f=torch.zeros(5, 4)), 'forward.'),
    (dict(D_b=torch.zeros(3)), 'backward.D must have shape (4,)'),
    (dict(A_b=torch.zeros(4, 4, dtype=torch.float64)),
     'backward.A must be torch.float32'),
    (dict(D_f=torch.zeros(4, device='meta')), 'forward.D is on meta'),
]


@pytest.mark.parametrize('change,message', BAD)
def test_bad_input(change, message):
    inputs = cast(make_inputs(2, 3, 2, 4), torch.float32)
    call(inputs)
    with pytest.raises(ValueError, match=re.escape(message)):
        call({**inputs, **change})


def test_one_direction_at_least():
    with pytest.raises(ValueError, match='one of forward and backward'):
        call(cast(make_inputs(2, 3, 2, 4), torch.float32), ends='')


def change_backward(name: str) -> Dict[str, Tensor]:
    """Return inputs whose backward scan has other sizes."""
    inputs = make_inputs(2, 3, 2, 4)
    if name == 'taps':
        inputs['conv_weight_b'] = inputs['conv_weight_b'][..., 1:]
    elif name == 'states':
        inputs['A_b'] = inputs['A_b'][:, 1:]
        inputs['x_proj_weight_b'] = inputs['x_proj_weight_b'][2:]
    else:
        inputs['dt_proj_weight_b'] = inputs['dt_proj_weight_b'][:, 1:]
        inputs['x_proj_weight_b'] = inputs['x_proj_weight_b'][1:]
    return cast(inputs, torch.float64)


@pytest.mark.parametrize('name', ['taps', 'states', 'ranks'])
def test_directions_of_different_sizes(name):
    exact = change_backward(name)
    wanted = run(exact, op=naive_mixer)
    compare(run(exact, backend='torch'), wanted, torch.float64)
    low = cast(exact, torch.float32)
    with pytest.raises(RuntimeError, match='differ in states, ranks or taps'):
        run(low, backend='triton')
    compare(run(low), wanted, torch.float32)


def test_one_token_with_odd_strides(backend, device):
    # Of tokens (b, 1, d) the second stride can be anything.
    inputs = cast(make_inputs(3, 1, 8, 4), torch.float32, device)
    both = params_of(inputs, '_f', '_f'), params_of(inputs, '_b', '_b')
    xz = torch.randn(1, 3, 32, device=device).transpose(0, 1)
    assert xz.stride(1) != 32
    found = bidirectional_selective_scan(xz, *both, backend=backend)
    wanted = bidirectional_selective_scan(xz.clone(), *both, backend='torch')
    assert_close(found, wanted, 'chain')


N = 65
STEPS = torch.zeros(1, 3, 4)
WIDE = cast(make_inputs(1, 3, 2, N), torch.float32)


@pytest.mark.parametrize(
    'run', [
        lambda backend: call(WIDE, backend=backend),
        lambda backend: bidirectional_selective_scan(
            torch.zeros(1, 3, 8), params_of(WIDE, '_f', '_f'), None, backend),
        lambda backend: selective_scan(
            STEPS,
            STEPS,
            -torch.ones(4, N),
            torch.zeros(1, 3, N),
            torch.zeros(1, 3, N),
            backend=backend),
    ],
    ids=['mixer', 'inside', 'scan'])
def test_more_states_than_the_triton_kernels_hold(run):
    with pytest.raises(RuntimeError, match='at most 64 states, but A has 65'):
        run('triton')
    # Another backend takes them.
    assert run('auto').isfinite().all()
