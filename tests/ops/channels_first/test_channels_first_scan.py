import functools
import itertools
import re
from typing import Any, Dict, Tuple

import pytest
import torch
from common import cyclic, gradients, leaves, skip_slow
from naive_ops import naive_scan
from ops.channels_first.published import (DTYPES, SCAN, SCAN_LENGTHS, TOKENS,
                                          close, low, scan_tolerance,
                                          token_major)
from torch import Tensor
from torch.autograd import gradcheck

from mmvideomamba.ops import dispatch, use_backend
from mmvideomamba.ops.channels_first import selective_scan_fn

OPTIONAL = ('D', 'z', 'delta_bias')


def make_inputs(l: int,
                groups: int = 1,
                constant: str = '',
                d: int = 4,
                n: int = 8) -> Dict[str, Tensor]:
    """Return float64 inputs of the published distributions."""
    torch.manual_seed(l + groups)
    b = 2
    varying = (b, n, l) if groups == 1 else (b, groups, n, l)
    inputs = dict(
        u=torch.randn(b, d, l),
        delta=0.5 * torch.rand(b, d, l),
        A=-0.5 * torch.rand(d, n),
        B=torch.randn((d, n) if 'B' in constant else varying),
        C=torch.randn((d, n) if 'C' in constant else varying),
        D=torch.randn(d),
        z=torch.randn(b, d, l),
        delta_bias=0.5 * torch.rand(d))
    return {k: low(t) for k, t in inputs.items()}


def exact(inputs: Dict[str, Tensor], cotangent: Tensor,
          softplus: bool) -> Tuple[Tensor, Tensor, Dict[str, Tensor]]:
    """Return output, last state and gradients of the loop in float64."""
    inputs = leaves(inputs)
    tokens = {
        k: token_major(t) if k in TOKENS else t
        for k, t in inputs.items()
    }
    y, last = naive_scan(**tokens, delta_softplus=softplus)
    y = y.transpose(1, 2)
    return y.detach(), last.detach(), gradients(y, inputs, cotangent)


@functools.lru_cache(maxsize=None)
def published(l: int, groups: int) -> tuple:
    """Return inputs, a cotangent and results, for all dtypes and backends."""
    inputs = make_inputs(l, groups)
    cotangent = low(torch.randn(inputs['u'].shape))
    return inputs, cotangent, exact(inputs, cotangent, True)


def check(inputs: Dict[str, Tensor], cotangent: Tensor, wanted: tuple,
          dtype: torch.dtype, device: torch.device, **options: Any) -> None:
    """Compare the function with a result of the loop."""
    given = leaves({
        k:
        t.to(device, dtype if k in TOKENS and t.dim() > 2 else torch.float32)
        for k, t in inputs.items()
    })
    y, last = selective_scan_fn(**given, return_last_state=True, **options)
    assert y.dtype == dtype and y.is_contiguous()
    assert last.dtype == torch.float32 and not last.requires_grad
    close(y, wanted[0], SCAN[dtype], 'output')
    close(last, wanted[1], SCAN[dtype], 'last state')
    found = gradients(y, given, cotangent.to(device, dtype))
    for name, gradient in found.items():
        assert gradient.dtype == given[name].dtype
        close(gradient, wanted[2][name], scan_tolerance(name, dtype), name)


@pytest.mark.parametrize('groups', [1, 2])
@pytest.mark.parametrize('dtype', DTYPES, ids=str)
@pytest.mark.parametrize('l', SCAN_LENGTHS)
def test_published_sizes(backend, device, l, dtype, groups):
    skip_slow(backend, 2 * l * 4 * 8)
    with use_backend(backend):
        check(*published(l, groups), dtype, device, delta_softplus=True)


# D, z, delta_bias and softplus, each or not.
SWITCHES = list(itertools.product([False, True], repeat=4))


@pytest.mark.parametrize('index', range(len(SWITCHES)))
def test_published_switches(backend, device, index):
    *given, softplus = SWITCHES[index]
    # Each kind, and each number of groups, meets both values of each switch.
    constant = cyclic(['', 'B', 'C', 'BC'], index + index // 4)
    groups = cyclic([1, 2], index // 2 + index // 4)
    inputs = make_inputs(23, groups, constant)
    for name, present in zip(OPTIONAL, given):
        if not present:
            del inputs[name]
    if constant and backend in ('numba', 'triton'):
        # Named, a backend without constants raises.
        backend = 'auto'
    cotangent = low(torch.randn(inputs['u'].shape))
    with use_backend(backend):
        check(
            inputs,
            cotangent,
            exact(inputs, cotangent, softplus),
            cyclic(DTYPES, index),
            device,
            delta_softplus=softplus)


def test_the_state_is_asked_for():
    inputs = {k: t.float() for k, t in make_inputs(8).items()}
    y = selective_scan_fn(**inputs)
    also, last = selective_scan_fn(**inputs, return_last_state=True)
    assert torch.equal(y, also) and last.shape == (2, 4, 8)
    # In the package's order.
    assert torch.equal(y, selective_scan_fn(*inputs.values(), False, False))


def test_gradcheck():
    inputs = leaves(make_inputs(3, groups=2, d=4, n=2))
    assert gradcheck(lambda *given: selective_scan_fn(*given, True),
                     list(inputs.values()))


def test_channel_last_inputs():
    inputs = {k: t.float() for k, t in make_inputs(8, groups=2).items()}
    moved = {
        k: token_major(t).contiguous().movedim(1, -1) if t.dim() > 2 else t
        for k, t in inputs.items()
    }
    assert not moved['u'].is_contiguous()
    wanted = selective_scan_fn(**inputs)
    torch.testing.assert_close(selective_scan_fn(**moved), wanted)


def test_the_log_tells_why_constants_are_slow(monkeypatch, caplog):
    monkeypatch.setattr(dispatch, '_logged', set())
    caplog.set_level('INFO', dispatch.logger.name)
    for groups, constant in ((1, ''), (2, ''), (1, 'B'), (1, 'B')):
        inputs = make_inputs(8, groups, constant)
        with use_backend('auto'):
            selective_scan_fn(**{k: t.float() for k, t in inputs.items()})
    first, second = caplog.messages
    # Triton under the interpreter, else numba.
    taken = first.removeprefix('selective_scan runs on backend ')
    assert taken in ('numba', 'triton')
    assert second.startswith('selective_scan runs on backend torch (')
    assert f'not {taken}: B or C is constant, of shape (d, n)' in second


BAD = [
    (dict(u=torch.zeros(2, 4)), 'u must have shape (b, d, l) with l >= 1'),
    (dict(u=torch.zeros(2, 4, 0)), 'u must have shape (b, d, l) with l >= 1'),
    (dict(A=torch.zeros(4, 8, dtype=torch.complex64)),
     'A is torch.complex64: complex rates are not supported'),
    (dict(A=torch.zeros(4)), 'A must have shape (d, n), but got (4,)'),
    (dict(A=torch.zeros(5, 8)), 'A must have shape (4, 8), but got (5, 8)'),
    (dict(A=-torch.ones(4, 8).double()), 'A must be torch.float32'),
    (dict(delta=torch.zeros(2, 5, 4)), 'delta must have shape (2, 4, 5)'),
    (dict(z=torch.zeros(2, 5, 4)), 'z must have shape (2, 4, 5)'),
    (dict(B=torch.zeros(2, 5, 8)), 'B must have shape (2, 8, 5) or'),
    (dict(C=torch.zeros(2, 8, 10)), 'C must have shape (2, 8, 5) or'),
    (dict(C=torch.zeros(2, 2, 8, 6)), 'or (2, 2, 8, 5) or (4, 8), but got'),
    (dict(D=torch.zeros(5)), 'D must have shape (4,)'),
    (dict(D=torch.zeros(4).half()), 'D must be torch.float32'),
    (dict(B=torch.zeros(2, 3, 8, 5)),
     'B has 3 groups, but 3 does not divide the 4 channels'),
]


@pytest.mark.parametrize('change,message', BAD)
def test_bad_input(change, message):
    inputs = {k: t.float() for k, t in make_inputs(5).items()}
    selective_scan_fn(**inputs)
    with pytest.raises(ValueError, match=re.escape(message)):
        selective_scan_fn(**{**inputs, **change})
