import itertools
import re
from typing import Dict, Optional, Tuple

import pytest
import torch
import torch.nn.functional as F
from common import cyclic, gradients, leaves, skip_slow
from ops.channels_first.published import (CONV, CONV_LENGTHS, DTYPES, WEIGHTS,
                                          WIDTHS, close, low)
from torch import Tensor
from torch.autograd import gradcheck

from mmvideomamba.ops import use_backend
from mmvideomamba.ops.channels_first import causal_conv1d_fn

# silu, bias, channel last, initial states, final states
SWITCHES = list(itertools.product([False, True], repeat=5))


def make_inputs(l: int,
                k: int = 4,
                bias: bool = True,
                initial: bool = False,
                d: int = 6) -> Dict[str, Tensor]:
    """Return float64 inputs, equal in all dtypes."""
    inputs = dict(x=torch.randn(2, d, l), weight=torch.randn(d, k))
    if bias:
        inputs['bias'] = torch.randn(d)
    if initial:
        inputs['initial_states'] = torch.randn(2, d, k - 1)
    return {name: low(t) for name, t in inputs.items()}


def exact(x: Tensor,
          weight: Tensor,
          bias: Optional[Tensor] = None,
          initial_states: Optional[Tensor] = None,
          activation: Optional[str] = None) -> Tuple[Tensor, Tensor]:
    """Return the output and the final states, by torch's convolution."""
    k = weight.shape[1]
    if initial_states is None:
        initial_states = x.new_zeros(*x.shape[:2], k - 1)
    x = torch.cat([initial_states, x], 2)
    y = F.conv1d(x, weight[:, None], bias, groups=len(weight))
    return (F.silu(y) if activation else y), x[..., x.shape[2] - (k - 1):]


def as_given(inputs: Dict[str, Tensor], dtype: torch.dtype,
             device: torch.device, channel_last: bool) -> Dict[str, Tensor]:
    """Return leaves: tokens in a dtype and layout, weights in float32."""
    weights = ('weight', 'bias')
    given = {
        k: t.to(device, torch.float32 if k in weights else dtype)
        for k, t in inputs.items()
    }
    if channel_last:
        given['x'] = given['x'].mT.contiguous().mT
    # As leaves() does, with the strides kept.
    return {k: t.detach().requires_grad_() for k, t in given.items()}


@pytest.mark.parametrize('dtype', DTYPES, ids=str)
@pytest.mark.parametrize('l', CONV_LENGTHS)
def test_published_sizes(backend, device, l, dtype):
    i, j = CONV_LENGTHS.index(l), DTYPES.index(dtype)
    # All pairs of length and width, and of dtype and width.
    k = cyclic(WIDTHS, i + j)
    skip_slow(backend, 4 * 2 * l * 6 * k)
    index = 3 * i + j
    # 5 is prime to the number of switches: every combination has a turn.
    silu, bias, last, initial, final = cyclic(SWITCHES, 5 * index)
    inputs = make_inputs(l, k, bias, initial)
    activation = cyclic(['silu', 'swish'], index) if silu else None
    given = as_given(inputs, dtype, device, last)
    with use_backend(backend):
        found = causal_conv1d_fn(
            **given, activation=activation, return_final_states=final)
    reference = leaves(inputs)
    wanted, wanted_states = exact(**reference, activation=activation)
    y, states = found if final else (found, None)
    assert y.dtype == dtype
    # The layout of x, without gaps.
    assert (y.mT if last else y).is_contiguous()
    close(y, wanted, CONV[dtype], 'output')
    # Gradients flow through both, as in the published test.
    total, wanted_total = y.double(), wanted
    if final:
        assert states.shape == (2, 6, k - 1) and states.dtype == dtype
        assert torch.equal(states.cpu().double(), wanted_states)
        total, wanted_total = (a + s.double().sigmoid().sum(-1, keepdim=True)
                               for a, s in ((total, states), (wanted,
                                                              wanted_states)))
    cotangent = low(torch.randn(wanted.shape))
    expected = gradients(wanted_total, reference, cotangent)
    for name, g in gradients(total, given, cotangent.to(device)).items():
        assert g.dtype == given[name].dtype
        weight = name in ('weight', 'bias')
        close(g, expected[name], WEIGHTS if weight else CONV[dtype], name)


def test_pieces_are_the_whole():
    inputs = {k: t.float() for k, t in make_inputs(11).items()}
    x = inputs.pop('x')
    wanted = causal_conv1d_fn(x, **inputs, activation='silu')
    states, parts = None, []
    # Also fewer tokens than taps.
    for piece in x.split([1, 1, 7, 2], 2):
        y, states = causal_conv1d_fn(
            piece,
            **inputs,
            initial_states=states,
            return_final_states=True,
            activation='silu')
        parts.append(y)
    torch.testing.assert_close(torch.cat(parts, 2), wanted)
    assert torch.equal(states, x[..., -3:])


def test_final_states_are_written_where_asked():
    inputs = {k: t.float() for k, t in make_inputs(5).items()}
    out = torch.full((2, 6, 3), float('nan'))
    _, states = causal_conv1d_fn(
        **inputs, return_final_states=True, final_states_out=out)
    assert states is out and torch.equal(out, inputs['x'][..., -3:])
    # The states are a copy: a caller may overwrite the input.
    _, states = causal_conv1d_fn(**inputs, return_final_states=True)
    inputs['x'].zero_()
    assert torch.equal(states, out)


def test_gradcheck():
    inputs = leaves(make_inputs(3, k=3, initial=True, d=2))

    def convolve(*given: Tensor) -> Tuple[Tensor, Tensor]:
        return causal_conv1d_fn(
            **dict(zip(inputs, given)),
            return_final_states=True,
            activation='silu')

    assert gradcheck(convolve, list(inputs.values()))


def test_one_tap():
    inputs = {k: t.float() for k, t in make_inputs(5, k=1).items()}
    y, states = causal_conv1d_fn(**inputs, return_final_states=True)
    assert states.shape == (2, 6, 0)
    torch.testing.assert_close(y, exact(**inputs)[0])


@pytest.mark.parametrize('dtype', DTYPES, ids=str)
@pytest.mark.parametrize('k', WIDTHS)
def test_packed_sequences(k, dtype):
    inputs = make_inputs(63, k)
    lengths = [[1, 20, 2, 40], [50, 1, 5]]
    seq_idx = torch.full((2, 63), -1, dtype=torch.int32)
    reference = leaves(inputs)
    wanted = torch.zeros(2, 6, 63, dtype=torch.float64)
    for b, row in enumerate(lengths):
        start = 0
        for i, length in enumerate(row):
            part = slice(start, start + length)
            seq_idx[b, part] = i
            y, _ = exact(reference['x'][b:b + 1, :, part], reference['weight'],
                         reference['bias'], None, 'silu')
            wanted[b:b + 1, :, part] = y
            start += length
    assert (seq_idx < 0).sum() == 7
    given = as_given(inputs, dtype, torch.device('cpu'), True)
    y = causal_conv1d_fn(**given, seq_idx=seq_idx, activation='silu')
    close(y, wanted, CONV[dtype], 'output')
    cotangent = low(torch.randn(wanted.shape))
    expected = gradients(wanted, reference, cotangent)
    for name, g in gradients(y, given, cotangent.to(dtype)).items():
        weight = name in ('weight', 'bias')
        close(g, expected[name], WEIGHTS if weight else CONV[dtype], name)


def bad(message: str, **change: object) -> tuple:
    return change, message


STATES = torch.zeros(2, 6, 3)
BAD = [
    bad('expects x (b, d, l) with l >= 1', x=torch.zeros(2, 6)),
    bad('expects x (b, d, l) with l >= 1', x=torch.zeros(2, 6, 0)),
    bad('weight must have shape (6, 4)', weight=torch.zeros(5, 4)),
    bad('weight (d, k), but got (2, 6, 5) and (6, 1, 4)',
        weight=torch.zeros(6, 1, 4)),
    bad('bias must have shape (6, )', bias=torch.zeros(5)),
    bad("activation must be None, 'silu' or 'swish', but got 'relu'",
        activation='relu'),
    bad('initial_states must have shape (2, 6, 3)',
        initial_states=torch.zeros(2, 6, 4)),
    bad('final_states_out must have shape (2, 6, 3)',
        final_states_out=torch.zeros(2, 3, 6)),
    bad('final_states_out needs return_final_states=True',
        final_states_out=STATES),
    bad('seq_idx cannot be combined with initial_states',
        seq_idx=torch.zeros(2, 5).int(),
        initial_states=STATES),
    bad('seq_idx cannot be combined with initial_states or return_final',
        seq_idx=torch.zeros(2, 5).int(),
        return_final_states=True),
    bad('seq_idx must have shape (2, 5)', seq_idx=torch.zeros(2, 6).int()),
    bad('seq_idx must hold integers, but is torch.float32',
        seq_idx=torch.zeros(2, 5)),
]


@pytest.mark.parametrize('change,message', BAD)
def test_bad_input(change, message):
    inputs = {k: t.float() for k, t in make_inputs(5).items()}
    causal_conv1d_fn(**inputs)
    with pytest.raises(ValueError, match=re.escape(message)):
        causal_conv1d_fn(**{**inputs, **change})
