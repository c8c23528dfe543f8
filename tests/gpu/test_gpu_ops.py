"""The ops at real sizes on a GPU, against the definition in float64.

Small and odd shapes are in tests/ops, which runs on a GPU as well.
"""
from importlib.util import find_spec
from typing import Any, Dict, Tuple

import pytest
import torch
from common import gradients, leaves
from gpu_marks import DEVICE, DTYPES, GPU_ONLY
# Fills new tensors with NaN in every test of the file.
from ops.conftest import poison_empty  # noqa: F401
from ops.conv import test_conv_api as conv_tests
from ops.mixer import test_mixer_api as mixer_tests
from ops.norm.test_norm_api import make_inputs as make_norm
from ops.scan import test_scan_api as scan_tests
from torch import Tensor

from mmvideomamba.ops import (add_rms_norm, bidirectional_mixer, causal_conv1d,
                              selective_scan)

pytestmark = GPU_ONLY

# b, l, d, n
SCANS = [(1, 1, 48, 16), (3, 63, 192, 5), (1, 197, 384, 4), (3, 197, 48, 64),
         (1, 1569, 1152, 16), (3, 1569, 192, 16), (1, 12545, 48, 16),
         (0, 63, 192, 16)]
# b, l, c, n; the inner width is 2 * c.
MIXERS = [(1, 1, 96, 16), (3, 63, 24, 5), (3, 197, 96, 16), (1, 197, 192, 4),
          (1, 63, 24, 64), (1, 1569, 576, 16), (3, 1569, 96, 16),
          (1, 12545, 24, 16), (0, 197, 96, 16)]
# b, l, d, taps
CONVS = [(3, 1569, 384, 4), (1, 12545, 48, 3), (3, 63, 1152, 2)]
# b, l, c
NORMS = [(3, 1569, 576), (1, 12545, 192), (3, 63, 1152), (6, 12545, 192)]

STOCK = 'mamba_ssm', 'causal_conv1d'

Run = Tuple[Tensor, Dict[str, Tensor]]


def exact(tests, low: Dict[str, Tensor]) -> Dict[str, Tensor]:
    """Return the same numbers as float64 leaves."""
    return tests.cast(low, torch.float64)


def check_dtypes(found: Run, low: Dict[str, Tensor],
                 dtype: torch.dtype) -> None:
    """Check the dtypes of an output and of all gradients."""
    assert found[0].dtype == dtype
    for name, gradient in found[1].items():
        assert gradient.dtype == low[name].dtype, name


@pytest.mark.parametrize('dtype', DTYPES, ids=str)
@pytest.mark.parametrize('reverse', [False, True])
@pytest.mark.parametrize('shape', SCANS, ids=str)
def test_scan(kernels, shape, reverse, dtype):
    low = scan_tests.cast(scan_tests.make_inputs(*shape), dtype, DEVICE)
    options = dict(delta_softplus=True, reverse=reverse)
    found = scan_tests.run(low, backend=kernels, **options)
    check_dtypes(found, low, dtype)
    wanted = scan_tests.run(exact(scan_tests, low), backend='torch', **options)
    scan_tests.compare(found, wanted, dtype, kernels)


@pytest.mark.parametrize('dtype', DTYPES, ids=str)
@pytest.mark.parametrize('reverse', [False, True])
@pytest.mark.parametrize('shape', CONVS, ids=str)
def test_conv(kernels, shape, reverse, dtype):
    inputs = conv_tests.make_inputs(*shape)
    low = leaves({k: t.to(DEVICE, dtype) for k, t in inputs.items()})
    found = conv_tests.run(low, reverse=reverse, backend=kernels)
    check_dtypes(found, low, dtype)
    wanted = conv_tests.run(
        leaves({
            k: t.double()
            for k, t in low.items()
        }),
        reverse=reverse,
        backend='torch')
    conv_tests.compare(found, wanted, dtype)


@pytest.mark.parametrize('drop_prob', [0, .25])
@pytest.mark.parametrize('dtype', DTYPES, ids=str)
@pytest.mark.parametrize('shape', NORMS, ids=str)
def test_norm(shape, dtype, drop_prob):
    drop: Dict[str, Any] = {}
    if drop_prob:
        draw = torch.rand(shape[0] + 1, device=DEVICE)
        # At an address not divisible by 16 bytes.
        drop = dict(draw=draw[1:], drop_prob=drop_prob)

    def run(tensors: Dict[str, Tensor], backend: str) -> Run:
        y, stream = add_rms_norm(**tensors, backend=backend, **drop)
        g = torch.Generator().manual_seed(1)
        cotangent = torch.randn(y.shape, generator=g).to(DEVICE)
        both = torch.stack([y.to(stream.dtype), stream])
        weight = torch.stack([cotangent, cotangent.flip(1)]).to(both.dtype)
        return both, gradients(both, tensors, weight)

    low = leaves({
        k: t.to(DEVICE, dtype if k == 'x' else torch.float32)
        for k, t in make_norm(*shape).items()
    })
    wanted = run(leaves({k: t.double() for k, t in low.items()}), 'torch')
    found = run(low, 'triton')
    conv_tests.compare(found, wanted, dtype)


def check_mixer(kernels: str,
                low: Dict[str, Tensor],
                dtype: torch.dtype,
                ends: str = '_f_b') -> None:
    """Compare the whole op, all its gradients included."""
    found = mixer_tests.run(low, ends=ends, backend=kernels)
    check_dtypes(found, low, dtype)
    wanted = mixer_tests.run(
        exact(mixer_tests, low), ends=ends, backend='torch')
    mixer_tests.compare(found, wanted, dtype, kernels)


@pytest.mark.parametrize('dtype', DTYPES, ids=str)
@pytest.mark.parametrize('shape', MIXERS, ids=str)
def test_mixer(kernels, shape, dtype):
    low = mixer_tests.cast(mixer_tests.make_inputs(*shape), dtype, DEVICE)
    check_mixer(kernels, low, dtype)


@pytest.mark.parametrize('dtype', DTYPES[:2], ids=str)
@pytest.mark.parametrize('ends', ['_f', '_b'])
def test_mixer_of_one_direction(kernels, ends, dtype):
    inputs = mixer_tests.make_inputs(2, 1569, 96, 16, bias=True)
    check_mixer(kernels, mixer_tests.cast(inputs, dtype, DEVICE), dtype, ends)


@pytest.mark.parametrize('low,high', [(-60, -40), (-12, -8), (19, 21),
                                      (88, 1e4)])
def test_extreme_steps_in_the_mixer(kernels, low, high):
    inputs = mixer_tests.make_inputs(1, 1569, 24, 16)
    for name in ('dt_proj_bias_f', 'dt_proj_bias_b'):
        inputs[name] = low + (high - low) * torch.rand_like(inputs[name])
    check_mixer(kernels, mixer_tests.cast(inputs, torch.float32, DEVICE),
                torch.float32)


@pytest.mark.parametrize('dtype', DTYPES, ids=str)
@pytest.mark.parametrize(
    'tests,shape', [(scan_tests, (3, 1569, 192, 16)),
                    (scan_tests, (1, 12545, 48, 16)),
                    (mixer_tests, (3, 1569, 96, 16)),
                    (mixer_tests, (1, 12545, 24, 16))],
    ids=['scan', 'long scan', 'mixer', 'long mixer'])
def test_repeated_runs_are_equal_bit_by_bit(tests, shape, dtype):
    low = tests.cast(tests.make_inputs(*shape), dtype, DEVICE)
    options = dict(backend='triton')
    if tests is scan_tests:
        options['delta_softplus'] = True
    first, again = (tests.run(low, **options) for _ in range(2))
    assert first[0].isfinite().all()
    assert torch.equal(first[0], again[0])
    for name, gradient in first[1].items():
        assert torch.equal(again[1][name], gradient), name


def test_strides_of_the_stock_kernels():
    # The same as for the other backends, but not bit by bit: the stock
    # kernels add with atomics.
    for package in STOCK:
        pytest.importorskip(package)
    inputs = mixer_tests.cast(
        mixer_tests.make_inputs(2, 9, 24, 4), torch.float32, DEVICE)
    moved = {
        k: torch.stack([t.detach()] * 2, -1)[..., 0].requires_grad_()
        for k, t in inputs.items()
    }
    check_mixer('mamba_ssm', moved, torch.float32)


def test_tensors_on_the_cpu_are_refused():
    inputs = scan_tests.cast(
        scan_tests.make_inputs(1, 3, 48, 16), torch.float32)
    stock = ['mamba_ssm'] if all(map(find_spec, STOCK)) else []
    for name in ('triton', *stock):
        with pytest.raises(RuntimeError, match='on cpu, not on a CUDA'):
            selective_scan(**inputs, backend=name)
    moved = {k: t.to(DEVICE) for k, t in inputs.items()}
    with pytest.raises(ValueError, match='A is on cpu, but the input is on'):
        selective_scan(**{**moved, 'A': inputs['A']}, backend='triton')


def test_auto_takes_our_kernels(caplog, monkeypatch):
    from mmvideomamba.ops import dispatch
    monkeypatch.setattr(dispatch, '_logged', set())
    caplog.set_level('INFO', dispatch.logger.name)
    inputs = mixer_tests.cast(
        mixer_tests.make_inputs(1, 3, 24, 16), torch.float32, DEVICE)
    mixer_tests.call(inputs, op=bidirectional_mixer)
    assert caplog.messages == ['bidirectional_mixer runs on backend triton']


# Tokens whose numbers take more than 32 bits to count, at the widths below.
FAR = 2**21


def ends_agree(whole: Tensor, start: Tensor, end: Tensor) -> None:
    """Compare both ends of a sequence but for tokens next to the cuts."""
    half = start.shape[1] // 2
    for part, own in ((slice(half), start), (slice(-half, None), end)):
        torch.testing.assert_close(
            whole[:, part], own[:, part], rtol=2e-2, atol=2e-2)


@pytest.mark.parametrize('reverse', [False, True])
def test_conv_of_a_very_long_sequence(reverse):
    xz = torch.randn(1, FAR, 2 * 520, dtype=torch.bfloat16, device=DEVICE)
    weight = torch.randn(520, 1, 4, device=DEVICE)

    def differentiate(x: Tensor) -> Tuple[Tensor, Tensor]:
        x = x.detach().requires_grad_()
        y = causal_conv1d(x, weight, reverse=reverse, backend='triton')
        y.backward(torch.ones_like(y))
        return y.detach(), x.grad

    x = xz[..., :520]
    for three in zip(*map(differentiate, (x, x[:, :64], x[:, -64:]))):
        ends_agree(*three)


@pytest.mark.parametrize('reverse_bits', [0, 1])
def test_backward_scan_of_a_very_long_sequence(reverse_bits):
    from mmvideomamba.ops.scan.triton.launch import scan_backward, scan_forward
    d = 1025
    u, dy = (
        torch.randn(1, FAR, d, dtype=torch.bfloat16, device=DEVICE)
        for _ in range(2))
    bc = torch.randn(1, 1, FAR, 2, 1, device=DEVICE)
    # After 64 tokens nothing is left of a state.
    A = torch.full((1, 1, d), -4., device=DEVICE)

    def differentiate(part: slice) -> Tuple[Tensor, Tensor]:
        x = u[None, :, part].contiguous()
        given = (x, torch.ones_like(x), A, bc[:, :, part].contiguous(),
                 A.new_ones(1, d))
        states = scan_forward(*given, reverse_bits, x.dtype, True).states
        grads = scan_backward(*given, dy[:, part].contiguous(), states,
                              reverse_bits, False)
        return grads.u[0], grads.delta[0]

    parts = slice(None), slice(0, 128), slice(-128, None)
    for three in zip(*map(differentiate, parts)):
        ends_agree(*three)
