"""The drop-in functions against the packages with the same signatures.

The published sizes and dtypes against float64 are in
tests/ops/channels_first, which runs on a GPU as well.
"""
import importlib
import inspect
from types import ModuleType
from typing import Any, Callable, Dict, Tuple

import pytest
import torch
from common import device_of, gradients, leaves
from gpu_marks import DEVICE, DTYPES, GPU_ONLY
from ops.channels_first.published import (CONV, SCAN, WEIGHTS, close,
                                          scan_tolerance)
from ops.channels_first.test_channels_first_conv import \
    make_inputs as make_conv
from ops.channels_first.test_channels_first_inner import \
    make_inputs as make_inner
from ops.channels_first.test_channels_first_scan import \
    make_inputs as make_scan
from torch import Tensor

from mmvideomamba.ops import channels_first, use_backend

pytestmark = GPU_ONLY

FLOAT32 = ('A', 'D', 'delta_bias')


@pytest.fixture(autouse=True)
def our_kernels() -> Any:
    """Keep ``auto`` off the packages, where they are installed."""
    with use_backend('triton'):
        yield


@pytest.fixture
def stock() -> Dict[str, Callable]:
    """Return the packages' functions by name."""
    device, reason = device_of('mamba_ssm')
    if device is None:
        pytest.skip(reason)
    scan = importlib.import_module('mamba_ssm.ops.selective_scan_interface')
    conv: ModuleType = importlib.import_module('causal_conv1d')
    return dict(
        selective_scan_fn=scan.selective_scan_fn,
        mamba_inner_fn=scan.mamba_inner_fn,
        causal_conv1d_fn=conv.causal_conv1d_fn)


def ours(name: str) -> Callable:
    """Return our function of a name."""
    return getattr(channels_first, name)


def run(function: Callable, inputs: Dict[str, Tensor],
        **options: Any) -> Tuple[Any, Dict[str, Tensor]]:
    """Return a function's result, and the gradients of the output."""
    given = {k: t.detach().requires_grad_() for k, t in inputs.items()}
    y = function(**given, **options)
    first = y[0] if isinstance(y, tuple) else y
    torch.manual_seed(1)
    return y, gradients(first, given, torch.randn_like(first))


@pytest.mark.parametrize(
    'name', ['selective_scan_fn', 'mamba_inner_fn', 'causal_conv1d_fn'])
def test_signatures_are_equal(stock, name):
    found, wanted = (
        inspect.signature(f).parameters.values()
        for f in (ours(name), stock[name]))
    assert [(p.name, p.default) for p in found] == [(p.name, p.default)
                                                    for p in wanted]


@pytest.mark.parametrize('dtype', DTYPES, ids=str)
@pytest.mark.parametrize('groups', [1, 2])
@pytest.mark.parametrize('l', [8, 372, 4096])
def test_scan(stock, l, groups, dtype):
    inputs = leaves({
        k: t.to(DEVICE, torch.float32 if k in FLOAT32 else dtype)
        for k, t in make_scan(l, groups).items()
    })
    options = dict(delta_softplus=True, return_last_state=True)
    (y, last), found = run(ours('selective_scan_fn'), inputs, **options)
    (y_, last_), wanted = run(stock['selective_scan_fn'], inputs, **options)
    assert y.dtype == y_.dtype and last.dtype == last_.dtype
    close(y, y_, SCAN[dtype], 'output')
    close(last, last_, SCAN[dtype], 'last state')
    for name, g in wanted.items():
        assert found[name].dtype == g.dtype
        close(found[name], g, scan_tolerance(name, dtype), name)


@pytest.mark.parametrize('dtype', DTYPES, ids=str)
@pytest.mark.parametrize('states', [False, True])
@pytest.mark.parametrize('l', [1, 130, 2048])
def test_conv(stock, l, states, dtype):
    if l == 1 and states:
        pytest.skip('the package takes one token for another layout')
    # The packages want channel-last tokens for states, of 8 channels.
    inputs = {
        k: t.to(DEVICE,
                dtype if k in ('x', 'initial_states') else torch.float32)
        for k, t in make_conv(l, initial=states, d=16).items()
    }
    for name in inputs.keys() & {'x', 'initial_states'}:
        inputs[name] = inputs[name].mT.contiguous().mT
    options = dict(activation='silu', return_final_states=states)
    found, wanted = (
        run(f, inputs, **options)
        for f in (ours('causal_conv1d_fn'), stock['causal_conv1d_fn']))
    pairs = zip(found[0], wanted[0]) if states else [(found[0], wanted[0])]
    for a, b in pairs:
        assert a.dtype == b.dtype and a.shape == b.shape
        close(a, b, CONV[dtype], 'output')
    for name, g in wanted[1].items():
        weight = name in ('weight', 'bias')
        close(found[1][name], g, WEIGHTS if weight else CONV[dtype], name)


def test_packed_sequences(stock):
    inputs = {
        k: t.to(DEVICE, torch.float32)
        for k, t in make_conv(130, d=16).items()
    }
    inputs['x'] = inputs['x'].mT.contiguous().mT
    seq_idx = torch.arange(130, device=DEVICE).div(7).int().repeat(2, 1)
    seq_idx[1, 100:] = -1
    with use_backend('auto'):
        found = run(ours('causal_conv1d_fn'), inputs, seq_idx=seq_idx)
    wanted = run(stock['causal_conv1d_fn'], inputs, seq_idx=seq_idx)
    close(found[0], wanted[0], CONV[torch.float32], 'output')


@pytest.mark.parametrize('extras', [False, True])
@pytest.mark.parametrize('given', ['', 'B', 'C', 'BC'])
def test_inner(stock, given, extras):
    inputs = {
        k: t.to(DEVICE, torch.float32)
        for k, t in make_inner(128, given, extras).items()
    }
    inputs.setdefault('out_proj_bias', None)
    with use_backend('auto' if given else 'triton'):
        found = ours('mamba_inner_fn')(**inputs)
    wanted = stock['mamba_inner_fn'](**inputs)
    assert found.dtype == wanted.dtype
    close(found, wanted, SCAN[torch.float32], 'output')
