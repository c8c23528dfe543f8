import re
from typing import Dict, Tuple

import pytest
import torch
from common import assert_close, device_of, gradients, leaves, skip_slow
from naive_ops import naive_conv
from noting_driver import forget, noting_driver
from torch import Tensor
from torch.autograd import gradcheck

from mmvideomamba.ops import causal_conv1d

DTYPES = [torch.float32, torch.bfloat16, torch.float16]
# b, l, d, k; also fewer tokens than taps.
SHAPES = [(1, 1, 48, 4), (3, 2, 65, 4), (1, 7, 192, 3), (3, 8, 48, 2),
          (1, 9, 65, 4), (3, 63, 48, 4), (1, 197, 192, 4), (0, 7, 48, 4)]


def make_inputs(b: int, l: int, d: int, k: int) -> Dict[str, Tensor]:
    make = dict(dtype=torch.float64)
    return leaves(
        dict(
            x=torch.randn(b, l, d, **make),
            weight=torch.randn(d, 1, k, **make),
            bias=torch.randn(d, **make)))


def run(inputs: Dict[str, Tensor], **kwargs) -> Tuple[Tensor, Dict]:
    y = causal_conv1d(**inputs, **kwargs)
    g = torch.Generator().manual_seed(1)
    cotangent = torch.randn(y.shape, generator=g).to(y.device, y.dtype)
    return y, gradients(y, inputs, cotangent)


def compare(found: Tuple[Tensor, Dict], wanted: Tuple[Tensor, Dict],
            dtype: torch.dtype) -> None:
    assert_close(found[0], wanted[0], 'forward', dtype)
    for name, gradient in wanted[1].items():
        assert_close(found[1][name], gradient, 'gradient', dtype, name=name)


@pytest.mark.parametrize('activation', ['silu', None])
@pytest.mark.parametrize('bias', [True, False])
@pytest.mark.parametrize('reverse', [False, True])
@pytest.mark.parametrize('l', [1, 2, 3, 4, 5, 17])
def test_definition_is_its_formula(l, reverse, bias, activation):
    inputs = make_inputs(2, l, 5, 4)
    if not bias:
        del inputs['bias']
    y, found = run(
        inputs, activation=activation, reverse=reverse, backend='torch')
    wanted = naive_conv(inputs['x'], inputs['weight'][:, 0],
                        inputs.get('bias'), activation == 'silu', reverse)
    g = torch.Generator().manual_seed(1)
    cotangent = torch.randn(y.shape, generator=g).double()
    compare((y, found), (wanted, gradients(wanted, inputs, cotangent)),
            torch.float64)


@pytest.mark.parametrize('reverse', [False, True])
@pytest.mark.parametrize('l', [2, 6])
def test_gradcheck(l, reverse):
    inputs = make_inputs(2, l, 3, 4)
    assert gradcheck(
        lambda *x: causal_conv1d(*x, reverse=reverse, backend='torch'),
        list(inputs.values()))


@pytest.mark.parametrize('dtype', DTYPES, ids=str)
@pytest.mark.parametrize('reverse', [False, True])
@pytest.mark.parametrize('shape', SHAPES, ids=str)
def test_backend_is_the_definition(backend, device, shape, reverse, dtype):
    b, l, d, k = shape
    skip_slow(backend, 4 * b * l * d * k)
    low = {
        k: x.detach().to(device, dtype)
        for k, x in make_inputs(*shape).items()
    }
    exact = leaves({k: x.cpu().double() for k, x in low.items()})
    found = run(leaves(low), reverse=reverse, backend=backend)
    assert found[0].dtype == dtype
    compare(found, run(exact, reverse=reverse, backend='torch'), dtype)


@pytest.mark.parametrize('activation', ['silu', None])
@pytest.mark.parametrize('bias', [True, False])
def test_options(backend, device, bias, activation):
    inputs = make_inputs(2, 9, 48, 4)
    if not bias:
        del inputs['bias']
    low = leaves({k: x.to(device).float() for k, x in inputs.items()})
    found = run(low, activation=activation, backend=backend)
    compare(found, run(inputs, activation=activation, backend='torch'),
            torch.float32)


def test_flat_taps_and_strides(backend, device):
    inputs = {
        k: x.detach().float().to(device)
        for k, x in make_inputs(2, 9, 48, 4).items()
    }
    wanted = run(leaves(inputs), backend=backend)
    weight = torch.stack([inputs['weight'][:, 0]] * 2, -1)[..., 0]
    moved = dict(
        x=inputs['x'].transpose(1, 2).contiguous().transpose(1, 2),
        weight=weight,
        bias=torch.stack([inputs['bias']] * 2, -1)[..., 0])
    moved = {k: x.requires_grad_() for k, x in moved.items()}
    found = run(moved, backend=backend)
    assert torch.equal(found[0], wanted[0])
    wanted[1]['weight'] = wanted[1]['weight'][:, 0]
    for name in inputs:
        assert torch.equal(found[1][name], wanted[1][name]), name


def test_one_token_with_odd_strides(backend, device):
    # Of tokens (b, 1, d) the second stride can be anything.
    inputs = {
        k: x.detach().float().to(device)
        for k, x in make_inputs(3, 1, 48, 4).items()
    }
    wanted = run(leaves(inputs), backend=backend)
    x = inputs['x'].view(1, 3, 48).transpose(0, 1)
    assert x.stride(1) != 48
    found = run({**leaves(inputs), 'x': x.requires_grad_()}, backend=backend)
    assert torch.equal(found[0], wanted[0])
    for name in inputs:
        assert torch.equal(found[1][name], wanted[1][name]), name


def test_repeated_runs_are_equal_bit_by_bit(backend, device):
    skip_slow(backend, 4 * 3 * 63 * 65 * 4)
    inputs = leaves({
        k: x.to(device).float()
        for k, x in make_inputs(3, 63, 65, 4).items()
    })
    first, again = (run(inputs, backend=backend) for _ in range(2))
    assert torch.equal(first[0], again[0])
    for name in inputs:
        assert torch.equal(first[1][name], again[1][name]), name


def test_large_values(backend, device):
    # For large |x|, silu is 0 or the identity, with a slope of 0 or 1.
    x = torch.tensor([-1e4, -100., 100., 1e4], device=device)
    inputs = leaves(
        dict(x=x.view(1, 4, 1), weight=torch.ones(1, 1, device=device)))
    y, found = run(inputs, backend=backend)
    assert_close(y.flatten(), x.clamp(min=0))
    assert found['x'].isfinite().all()
    assert found['x'].flatten()[:2].abs().max() < 1e-30


@pytest.mark.parametrize('reverse', [False, True])
def test_packed_sequences(backend, device, reverse):
    inputs = leaves({
        k: x.to(device)
        for k, x in make_inputs(1, 9, 5, 4).items()
    })
    seq_idx = torch.tensor([[-1, 7, 7, 7, 7, 7, 2, -1, -1]], device=device)
    options = dict(reverse=reverse, seq_idx=seq_idx)
    if backend != 'torch':
        message = f"'{backend}' cannot run causal_conv1d here: seq_idx is"
        with pytest.raises(RuntimeError, match=message):
            causal_conv1d(**inputs, **options, backend=backend)
    # By default, the call is left to torch.
    found = run(inputs, **options)
    x = inputs['x']
    parts = [
        causal_conv1d(
            x[:, p], inputs['weight'], inputs['bias'], reverse=reverse)
        for p in (slice(1, 6), slice(6, 7))
    ]
    zero = torch.zeros_like(x[:, :1])
    wanted = torch.cat([zero, *parts, zero, zero], 1)
    g = torch.Generator().manual_seed(1)
    cotangent = torch.randn(wanted.shape, generator=g).to(wanted)
    compare(found, (wanted, gradients(wanted, inputs, cotangent)),
            torch.float64)
    # The values of padding tokens do not matter.
    spoiled = x.detach().masked_fill((seq_idx < 0).unsqueeze(-1), float('nan'))
    y = causal_conv1d(spoiled, inputs['weight'], inputs['bias'], **options)
    assert torch.equal(y, found[0])


BAD = [
    (dict(x=torch.zeros(3, 4)), 'expects x (b, l, d)'),
    (dict(weight=torch.zeros(5, 1, 4)), 'but got (2, 3, 4) and (5, 4)'),
    (dict(weight=torch.zeros(4, 2, 4)), 'but got (2, 3, 4) and (4, 2, 4)'),
    (dict(bias=torch.zeros(3)), 'bias must have shape (4, )'),
    (dict(activation='relu'), "must be 'silu' or None, but got 'relu'"),
    (dict(seq_idx=torch.zeros(2, 4, dtype=torch.int64)),
     'seq_idx must have shape (2, 3), but got (2, 4)'),
    (dict(seq_idx=torch.zeros(2, 3)), 'seq_idx must hold integers, but is'),
    (dict(seq_idx=torch.zeros(2, 3, dtype=torch.int32, device='meta')),
     'seq_idx is on meta, but x on cpu'),
    (dict(weight=torch.zeros(4, 1, 4, device='meta')),
     'weight is on meta, but x on cpu'),
]


@pytest.mark.parametrize('change,message', BAD)
def test_bad_input(change, message):
    inputs = dict(
        x=torch.zeros(2, 3, 4),
        weight=torch.zeros(4, 1, 4),
        bias=torch.zeros(4))
    causal_conv1d(**inputs)
    with pytest.raises(ValueError, match=re.escape(message)):
        causal_conv1d(**{**inputs, **change})


def test_kernels_of_many_very_long_sequences(monkeypatch):
    device, reason = device_of('triton')
    if device is None:
        pytest.skip(reason)
    from mmvideomamba.ops.conv.triton import launch as kernels
    inputs = leaves({
        k: x.detach().to(device, torch.float32)
        for k, x in make_inputs(3, 150, 5, 3).items()
    })
    wanted = run(inputs, reverse=True, backend='torch')
    # As if a grid and offsets of 32 bits were too small.
    monkeypatch.setattr(kernels, 'GRID_LIMIT', 2)
    monkeypatch.setattr(kernels, 'WIDE_OFFSETS', 0)
    found = run(inputs, reverse=True, backend='triton')
    compare(found, wanted, torch.float32)


# Sizes just within the limit of a grid, or of offsets of 32 bits, and one
# more.
@pytest.mark.parametrize('l,d,wide', [(8 * 65535, 1, False),
                                      (8 * 65535 + 1, 1, False),
                                      (2**21, 512, False), (2**21, 513, True)])
def test_launches_of_very_long_sequences(l, d, wide):
    pytest.importorskip('triton')
    from mmvideomamba.ops.conv.triton import launch as kernels
    if not hasattr(kernels.conv_fwd_kernel, '_compiled'):
        pytest.skip('Triton before 3.4, or not for NVIDIA')
    xz, dy, w, bias = (
        torch.empty(shape, device='meta')
        for shape in ((1, l, 2 * d), (1, 1, l, d), (1, d, 1), (1, d)))
    x = xz[..., :d]
    with noting_driver() as driver:
        kernels.conv_forward(x, w, bias, 0, False)
        kernels.conv_backward(x, w, bias, dy,
                              torch.empty_like(xz)[..., :d], 0, False)
        forward, backward = driver.launches
        forget(kernels.conv_fwd_kernel)
        forget(kernels.conv_bwd_kernel)
    tokens = []
    for launch, names in ((forward, kernels.conv_fwd_kernel.arg_names),
                          (backward, kernels.conv_bwd_kernel.arg_names)):
        args = dict(zip(names, launch[-len(names):]))
        assert args['WIDE'] == wide
        assert max(launch[1:3]) <= 65535
        tokens.append(launch[1] * args['BLOCK_L'] * args.get('BLOCKS_L', 1))
    assert min(tokens) >= l
