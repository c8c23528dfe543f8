"""The scan kernels alone: both layouts of the sums, and the chunks."""
import importlib.util
import os
from typing import Dict, Tuple

import pytest
import torch
import torch.nn.functional as F
from common import assert_close, device_of, gradients
from torch import Tensor

from mmvideomamba.ops import selective_scan

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec('triton') is None, reason='no Triton here')

BOTH = 0b10  # the second of two directions runs backward
NAMES = ('u', 'delta', 'A', 'B', 'C', 'D')
Run = Tuple[Tensor, Tensor, Dict[str, Tensor]]


def make_inputs(b: int,
                l: int,
                d: int,
                n: int,
                dtype: torch.dtype,
                device: torch.device,
                steps: float = 1.) -> Tuple[Dict[str, Tensor], Tensor]:
    """Return inputs of two directions, and one gradient for both."""
    g = torch.Generator().manual_seed(0)

    def make(*shape: int, to: torch.dtype = dtype) -> Tensor:
        return torch.randn(*shape, generator=g).to(device, to)

    full = torch.float32
    inputs = dict(
        u=make(2, b, l, d),
        delta=(steps * F.softplus(make(2, b, l, d, to=full) - 1)).to(dtype),
        A=-make(2, d, n, to=full).abs(),
        B=make(2, b, l, n),
        C=make(2, b, l, n),
        D=make(2, d, to=full))
    return inputs, make(b, l, d)


def run_kernels(x: Dict[str, Tensor], dy: Tensor) -> Run:
    """Return outputs, last states and gradients of our kernels."""
    from mmvideomamba.ops.scan.triton import launch as kernels
    bc = torch.stack([x['B'], x['C']], 3)
    n16 = kernels.uses_n16_kernels(x['u'].dtype, *x['A'].shape[1:])
    if not n16:
        bc = bc.float()
    A = x['A'].transpose(1, 2).contiguous()
    args = x['u'], x['delta'], A, bc, x['D']
    y, last, states, starts = kernels.scan_forward(*args, BOTH, torch.float32,
                                                   True)
    assert starts.shape == kernels.chunk_starts_shape(x['u'], x['A'].shape[2])
    again = kernels.scan_forward(*args, BOTH, torch.float32, False, starts)
    assert torch.equal(again.y, y)
    grads = kernels.scan_backward(*args, dy, states, BOTH, False)
    dbc = kernels.reduce_bc(grads.bc, grads.bc.new_empty(len(grads.bc[0]), 0),
                            n16).view(bc.shape)
    sums, n = grads.added(), A.shape[1]
    found = (grads.u, grads.delta, sums[:, :n].transpose(1, 2),
             dbc[:, :, :, 0], dbc[:, :, :, 1], sums[:, n])
    return y, last.transpose(2, 3), dict(zip(NAMES, found))


def run_definition(x: Dict[str, Tensor], dy: Tensor) -> Run:
    """Return the same from the definition in float64."""
    exact = {k: t.double().requires_grad_() for k, t in x.items()}
    each = [
        selective_scan(
            *(exact[k][i] for k in NAMES),
            reverse=bool(i),
            backend='torch',
            return_last_state=True) for i in range(2)
    ]
    y, last = (torch.stack(t) for t in zip(*each))
    return y, last, gradients(y, exact, dy.double().expand_as(y))


def check(x: Dict[str, Tensor], dy: Tensor) -> None:
    """Compare our kernels with the definition."""
    found, wanted = run_kernels(x, dy), run_definition(x, dy)
    for one, other in zip(found[:2], wanted[:2]):
        assert_close(one, other, 'forward', torch.float32)
    for name, gradient in wanted[2].items():
        kind = x['u'].dtype if name in ('u', 'delta') else torch.float32
        assert_close(found[2][name], gradient, 'gradient', kind, name=name)


# b, l, d, n: whole and partial blocks of channels, turns of tokens.
@pytest.mark.parametrize(
    'shape,dtype,n16', [
        ((2, 9, 36, 16), torch.bfloat16, True),
        ((1, 3, 32, 16), torch.float16, True),
        ((1, 7, 34, 16), torch.bfloat16, False),
        ((1, 6, 36, 16), torch.float32, False),
        ((2, 9, 36, 8), torch.bfloat16, False),
    ],
    ids=str)
@pytest.mark.parametrize('chunks', [1, 5])
def test_kernels(shape, dtype, n16, chunks, monkeypatch):
    device, reason = device_of('triton')
    if device is None:
        pytest.skip(reason)
    from mmvideomamba.ops.scan.triton import launch as kernels
    from mmvideomamba.ops.scan.triton import schedule
    assert kernels.uses_n16_kernels(dtype, *shape[2:]) == n16
    monkeypatch.setattr(schedule, 'MIN_CHUNK', 8)
    launch = schedule.make_launch(0, 2 * shape[0],
                                  shape[1] + 16 * (chunks - 1), shape[2],
                                  chunks)
    assert launch.chunks == chunks
    monkeypatch.setattr(kernels, 'schedule', lambda *_: [launch])
    b, l, d, n = shape
    check(*make_inputs(b, l + 16 * (chunks - 1), d, n, dtype, device))


@pytest.mark.parametrize('n', [8, 16])
def test_whole_sequences_and_chunks_side_by_side(n, monkeypatch):
    device, reason = device_of('triton')
    if device is None:
        pytest.skip(reason)
    from mmvideomamba.ops.scan.triton import launch as kernels
    launches = [kernels.Launch(0, 3, 24, 1), kernels.Launch(3, 1, 8, 3)]
    monkeypatch.setattr(kernels, 'schedule', lambda *_: launches)
    x, dy = make_inputs(2, 22, 32, n, torch.bfloat16, device)
    found, wanted = run_kernels(x, dy), run_definition(x, dy)
    for one, other in zip(found[:2], wanted[:2]):
        assert_close(one, other, 'forward', torch.float32)
    for name, gradient in wanted[2].items():
        kind = torch.bfloat16 if name in ('u', 'delta') else torch.float32
        assert_close(found[2][name], gradient, 'gradient', kind, name=name)


@pytest.mark.parametrize('hip,version,quick', [
    (None, '3.3.1', False),
    (None, '3.4.0', True),
    ('6.4', '3.8.0', False),
])
def test_where_the_kernels_for_16_states_compile(hip, version, quick,
                                                 monkeypatch):
    triton = pytest.importorskip('triton')
    from mmvideomamba.ops.scan.n16_support import n16_reason
    from mmvideomamba.ops.scan.triton import launch as kernels
    monkeypatch.setattr(torch.version, 'hip', hip)
    monkeypatch.setattr(triton, '__version__', version)
    n16_reason.cache_clear()
    try:
        assert kernels.uses_n16_kernels(torch.bfloat16, 32, 16) == quick
    finally:
        n16_reason.cache_clear()


def test_the_other_kernels_take_16_states_in_half_precision(monkeypatch):
    device, reason = device_of('triton')
    if device is None:
        pytest.skip(reason)
    from mmvideomamba.ops.scan.triton import launch as kernels
    monkeypatch.setattr(kernels, 'n16_kernels_run', lambda dtype: False)
    check(*make_inputs(2, 9, 36, 16, torch.bfloat16, device))


def test_nothing_beyond_a_tensor_is_fetched_ahead(monkeypatch):
    if os.environ.get('TRITON_INTERPRET') != '1':
        pytest.skip('only the interpreter shows addresses')
    from mmvideomamba.ops.scan.triton import launch as kernels
    from mmvideomamba.ops.scan.triton import n16_bwd as backward
    fetched = []
    monkeypatch.setattr(backward, 'fetch_ahead',
                        lambda p, _: fetched.append(p.handle.data))
    x, dy = make_inputs(1, 4, 36, 16, torch.bfloat16, torch.device('cpu'))
    A = x['A'].transpose(1, 2).contiguous()
    args = x['u'], x['delta'], A, torch.stack([x['B'], x['C']], 3), x['D']
    states = kernels.scan_forward(*args, BOTH, torch.float32, True).states
    kernels.scan_backward(*args, dy, states, BOTH, False)
    # One fetch per tensor in each program's single turn, in the kernel's
    # order.
    tensors = (states, args[0], args[1], dy, args[3])
    assert len(fetched) == 2 * 2 * len(tensors)
    for i, addresses in enumerate(fetched):
        tensor = tensors[i % len(tensors)]
        assert addresses.min() >= tensor.data_ptr()
        assert addresses.max() < tensor.data_ptr() + tensor.nbytes


@pytest.mark.parametrize('steps', [0.01, 300.])
def test_chunks_that_nothing_or_all_is_left_of(steps, monkeypatch):
    """Small and large steps: a chunk's final state is exact for any decay."""
    device, reason = device_of('triton')
    if device is None:
        pytest.skip(reason)
    from mmvideomamba.ops.scan.triton import launch as kernels
    launch = kernels.Launch(0, 2, 40, 2)
    monkeypatch.setattr(kernels, 'schedule', lambda *_: [launch])
    x, dy = make_inputs(1, 67, 32, 16, torch.bfloat16, device, steps)
    # One state of one channel does not decay.
    x['A'][0, 3, 5] = 0
    if steps > 1:
        x['A'][0, 3] = -1
    check(x, dy)
