"""The adapter's own work, on stand-ins with the stock kernels' rules.

The stock packages need a GPU; with one, the tests of all backends run them.
"""
import importlib
import re
import sys
from types import ModuleType
from typing import Dict, Iterator, Optional, Tuple

import pytest
import torch
from common import assert_close, gradients, leaves
from ops.scan.test_scan_api import (cast_mixer, compare_mixer, make_inputs,
                                    make_mixer, run_mixer)
from torch import Tensor

from mmvideomamba.ops import ScanParams, bidirectional_mixer
from mmvideomamba.ops.conv.reference import \
    causal_conv1d as causal_conv1d_torch
from mmvideomamba.ops.scan.reference import \
    selective_scan as selective_scan_torch

NAME = 'mmvideomamba.ops.mamba_ssm_adapter'
OPTIONAL = ('D', 'z', 'delta_bias')


def stock_scan(u: Tensor,
               delta: Tensor,
               A: Tensor,
               B: Tensor,
               C: Tensor,
               D: Optional[Tensor] = None,
               z: Optional[Tensor] = None,
               delta_bias: Optional[Tensor] = None,
               delta_softplus: bool = False,
               return_last_state: bool = False):
    """Stand for the stock scan: same checks of arguments, same results."""
    b, d, l = u.shape
    n = A.shape[1]
    assert u.numel() and n <= 256
    groups = B.shape[1] if B.dim() == 4 else 1
    for t in (u, delta, z):
        assert t is None or t.shape == (b, d, l) and t.dtype == u.dtype
        assert t is None or l == 1 or t.stride(-1) == 1
    for t in (A, D, delta_bias):
        assert t is None or t.dtype == torch.float32
    for t in (B, C):
        if t.dim() == 2:
            assert t.shape == (d, n) and t.dtype == torch.float32
            continue
        t = t.unsqueeze(1) if t.dim() == 3 else t
        assert t.shape == (b, groups, n, l) and t.dtype == u.dtype
        assert l == 1 or t.stride(-1) == 1

    def tokens(t: Optional[Tensor]) -> Optional[Tensor]:
        return t if t is None or t.dim() == 2 else t.movedim(-1, 1)

    def scan(B: Tensor) -> Tuple[Tensor, Tensor]:
        return selective_scan_torch(
            tokens(u), tokens(delta), A, tokens(B), tokens(C), D, tokens(z),
            delta_bias, delta_softplus, False)

    y, last = scan(B)
    y = y.movedim(1, -1)
    if B.dim() == 2:
        # Left out of the state.
        last = scan(torch.ones_like(B))[1]
    return (y, last) if return_last_state else y


def stock_conv(x: Tensor,
               weight: Tensor,
               bias: Optional[Tensor] = None,
               activation: Optional[str] = None) -> Tensor:
    """Stand for the stock convolution."""
    assert x.numel() and weight.shape[1] in (2, 3, 4)
    assert x.stride(2) == 1 or x.shape[1] % 8 == 0
    assert bias is None or bias.dtype == weight.dtype
    y = causal_conv1d_torch(x.mT, weight, bias, activation, False)
    return y.mT.contiguous()


@pytest.fixture
def adapter(monkeypatch: pytest.MonkeyPatch) -> Iterator[ModuleType]:
    """Import the adapter on top of the stand-ins."""
    names = ('causal_conv1d', 'mamba_ssm', 'mamba_ssm.ops',
             'mamba_ssm.ops.selective_scan_interface')
    for name in names:
        monkeypatch.setitem(sys.modules, name, ModuleType(name))
    sys.modules[names[0]].causal_conv1d_fn = stock_conv
    sys.modules[names[3]].selective_scan_fn = stock_scan
    monkeypatch.delitem(sys.modules, NAME, raising=False)
    yield importlib.import_module(NAME)
    monkeypatch.delitem(sys.modules, NAME)


def single(inputs: Dict[str, Tensor]) -> Dict[str, Tensor]:
    """Return float32 leaves."""
    return leaves({k: x.float() for k, x in inputs.items()})


def scan(function, inputs: Dict[str, Tensor], softplus: bool,
         reverse: bool) -> Tuple[Tensor, Tensor, Dict]:
    """Return output, last state and gradients of a scan."""
    missing = {k: None for k in OPTIONAL if k not in inputs}
    y, last = function(
        **inputs, **missing, delta_softplus=softplus, reverse=reverse)
    assert not last.requires_grad
    torch.manual_seed(1)
    return y, last, gradients(y, inputs, torch.randn(y.shape))


def check_scan(adapter: ModuleType,
               inputs: Dict[str, Tensor],
               softplus: bool = True,
               reverse: bool = False) -> None:
    """Compare the adapter with the definition."""
    found, wanted = (
        scan(f, single(inputs), softplus, reverse)
        for f in (adapter.selective_scan, selective_scan_torch))
    assert_close(found[0], wanted[0])
    assert_close(found[1], wanted[1])
    for name in inputs:
        assert_close(found[2][name], wanted[2][name], 'gradient', name=name)


@pytest.mark.parametrize('reverse', [False, True])
@pytest.mark.parametrize('shape', [(2, 9, 12, 4), (1, 1, 5, 3), (3, 2, 8, 5),
                                   (0, 7, 12, 4)])
def test_scan(adapter, shape, reverse):
    check_scan(adapter, make_inputs(*shape), reverse=reverse)


@pytest.mark.parametrize('absent', [OPTIONAL, *((k, ) for k in OPTIONAL)])
def test_scan_without_options(adapter, absent):
    inputs = make_inputs(2, 5, 12, 4)
    for name in absent:
        del inputs[name]
    inputs['delta'] = inputs['delta'].abs()
    check_scan(adapter, inputs, softplus=False)


LAYOUTS = [('groups', 'groups'), ('constant', 'constant'),
           ('constant', 'groups'), ('groups', 'constant'), ('groups', 'plain'),
           ('plain', 'constant'), ('plain', 'finer'), ('groups', 'finer')]


@pytest.mark.parametrize('reverse', [False, True])
@pytest.mark.parametrize('layouts', LAYOUTS, ids='-'.join)
def test_layouts(adapter, layouts, reverse):
    inputs = make_inputs(2, 9, 12, 4)
    shapes = dict(
        groups=(2, 9, 2, 4),
        finer=(2, 9, 6, 4),
        constant=(12, 4),
        plain=(2, 9, 4))
    for name, layout in zip('BC', layouts):
        inputs[name] = torch.randn(shapes[layout])
    check_scan(adapter, inputs, reverse=reverse)


def test_mixed_dtypes_meet_in_the_widest(adapter):
    inputs = make_inputs(1, 5, 8, 4)
    u = inputs.pop('u').bfloat16()
    y, _ = adapter.selective_scan(
        u, **single(inputs), delta_softplus=True, reverse=False)
    wanted, _ = selective_scan_torch(
        u.float(), **single(inputs), delta_softplus=True, reverse=False)
    assert y.dtype == torch.bfloat16
    assert_close(y, wanted)


@pytest.mark.parametrize('activation', ['silu', None])
@pytest.mark.parametrize('reverse', [False, True])
@pytest.mark.parametrize('shape', [(2, 7, 12, 4), (1, 1, 5, 2), (2, 2, 5, 3),
                                   (0, 3, 4, 4)])
def test_conv(adapter, shape, reverse, activation):
    b, l, d, k = shape
    inputs = leaves(
        dict(
            x=torch.randn(b, l, d),
            weight=torch.randn(d, k),
            bias=torch.randn(d)))
    cotangent = torch.randn(b, l, d)
    found, wanted = (
        f(**inputs, activation=activation, reverse=reverse)
        for f in (adapter.causal_conv1d, causal_conv1d_torch))
    assert_close(found, wanted)
    found, wanted = (gradients(y, inputs, cotangent) for y in (found, wanted))
    for name in inputs:
        assert_close(found[name], wanted[name], 'gradient', name=name)


@pytest.mark.parametrize('ends', ['_f_b', '_f', '_b'])
@pytest.mark.parametrize('shape', [(2, 9, 12, 4), (1, 1, 5, 3), (0, 7, 12, 4)])
def test_bidirectional(adapter, shape, ends):
    inputs = cast_mixer(make_mixer(*shape), torch.float32)

    def op(*args):
        return adapter.bidirectional_selective_scan(*args, 'mamba_ssm')

    compare_mixer(
        run_mixer(inputs, op, ends),
        run_mixer(inputs, ends=ends, backend='torch'), torch.float32)


@pytest.mark.parametrize('bias', [False, True])
@pytest.mark.parametrize('shape', [(2, 9, 12, 4), (1, 1, 8, 3), (0, 7, 12, 4)])
def test_mixer(adapter, shape, bias):
    b, l, d, n = shape
    tensors = make_mixer(*shape)
    del tensors['xz']
    tensors.update(
        x=torch.randn(b, l, 6),
        in_weight=torch.randn(2 * d, 6) * 0.4,
        out_weight=torch.randn(6, d) * 0.3)
    if bias:
        tensors.update(in_bias=torch.randn(2 * d), out_bias=torch.randn(6))
    inputs = cast_mixer(tensors, torch.float32)

    def run(function, name):
        pair = (
            ScanParams(*(inputs[k + e] for k in ScanParams._fields))
            for e in ('_f', '_b'))
        return function(inputs['x'], inputs['in_weight'],
                        inputs['out_weight'], *pair, inputs.get('in_bias'),
                        inputs.get('out_bias'), name)

    found = run(adapter.bidirectional_mixer, 'mamba_ssm')
    wanted = run(bidirectional_mixer, 'torch')
    cotangent = torch.randn_like(wanted)
    compare_mixer((found, gradients(found, inputs, cotangent)),
                  (wanted, gradients(wanted, inputs, cotangent)),
                  torch.float32)


@pytest.mark.parametrize('dtype', [torch.float32, torch.bfloat16])
def test_autocast(adapter, dtype):
    inputs = cast_mixer(make_mixer(2, 9, 12, 4), torch.float32)
    inputs['xz'] = inputs['xz'].detach().to(dtype).requires_grad_()

    def op(*args):
        return adapter.bidirectional_selective_scan(*args, 'mamba_ssm')

    with torch.autocast('cpu', torch.bfloat16):
        found = run_mixer(inputs, op)
        wanted = run_mixer(inputs, backend='torch')
    assert found[0].dtype == wanted[0].dtype == dtype
    for name, gradient in found[1].items():
        assert gradient.dtype == inputs[name].dtype, name
    compare_mixer(found, wanted, torch.bfloat16)


@pytest.mark.parametrize('k', [1, 5])
def test_other_widths_are_refused(adapter, k):
    message = re.escape('the widths (2, 3, 4), but weight has '
                        f'{k} taps')
    with pytest.raises(RuntimeError, match=message):
        adapter.causal_conv1d(
            torch.zeros(1, 3, 8), torch.zeros(8, k), None, 'silu', False)
    inputs = cast_mixer(make_mixer(1, 3, 8, 4), torch.float32)
    for end in ('_f', '_b'):
        inputs['conv_weight' + end] = torch.zeros(8, 1, k)
    p, q = (
        ScanParams(*(inputs[name + e] for name in ScanParams._fields))
        for e in ('_f', '_b'))
    with pytest.raises(RuntimeError, match=message):
        adapter.bidirectional_selective_scan(inputs['xz'], p, q, '')


def test_more_states_than_there_is_room_for(adapter):
    inputs = single(make_inputs(1, 2, 3, 257))
    with pytest.raises(RuntimeError, match='at most 256 states, but A has'):
        adapter.selective_scan(**inputs, delta_softplus=True, reverse=False)
