"""Gradients of all weights, from partial sums of all kinds."""
import importlib.util
import os
from typing import List, Sequence, Tuple

import pytest
import torch
from common import device_of
from noting_driver import forget, noting_driver
from test_weights import make
from torch import Tensor

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec('triton') is None, reason='no Triton here')

FULL, LOW = torch.float32, torch.bfloat16
# d, n, r, taps, as in test_weights.py; samples; programs of the convolution.
SIZES = [((48, 16, 3, 4), 3, 300), ((33, 4, 8, 1), 40, 2),
         ((1, 5, 1, 2), 1, 1), ((34, 4, 9, 4), 0, 0)]


def make_parts(source, b: int, programs: int, device: torch.device):
    """Return partial sums; the first direction has a row more of the scan."""
    from mmvideomamba.ops.mixer.triton.weight_gradients import WeightParts
    from mmvideomamba.ops.mixer.triton.weights import padded_rank
    k, first = len(source.each), source.each[0]
    (d, n), taps = first.A.shape, first.conv_weight.shape[2]
    q = padded_rank(first.dt_proj_weight.shape[1])
    rows = tuple(i * b + min(i, b) for i in range(k + 1))
    g = torch.Generator().manual_seed(0)

    def draw(*shape: int, to: torch.dtype = FULL) -> Tensor:
        return torch.randn(*shape, generator=g).to(device, to)

    return WeightParts(
        draw(programs, k, taps + 1, d), draw(rows[-1], n + 2, d), rows,
        draw(k, b, q + 2 * n, d, to=LOW), draw(k, b, d, q, to=LOW),
        tuple(draw(*t.shape, to=LOW) for t in source.projections))


def wanted_of(source, parts) -> List[Tensor]:
    """Return the gradients by plain operations, in float64."""
    found = [t.double() for t in parts.projections]
    for k, p in enumerate(source.each):
        r, n = p.dt_proj_weight.shape[1], p.A.shape[1]
        conv = parts.conv[:, k].double().sum(0)
        first, last = parts.scan_rows[k:k + 2]
        scan = parts.scan[first:last].double().sum(0)
        dA = scan[:n].t()
        if source.log_rates:
            dA = -dA * p.A.double().exp()
        x_proj = parts.x_proj[k].double().sum(0)
        x_proj = torch.cat([x_proj[:r], x_proj[len(x_proj) - 2 * n:]])
        bias = [] if p.conv_bias is None else [conv[-1]]
        found += [
            conv[:-1].t().unsqueeze(1), *bias, x_proj,
            parts.dt_proj[k].double().sum(0)[:, :r], scan[n + 1], dA, scan[n]
        ]
    return found


def check(source, b: int, programs: int, device: torch.device) -> None:
    """Compare the kernel with plain operations, and between two runs."""
    from mmvideomamba.ops.mixer.triton.weight_gradients import finish
    from mmvideomamba.ops.mixer.triton.weights import stack
    parts = make_parts(source, b, programs, device)
    w = stack(source, LOW)[1]
    found, again = (finish(parts, w, source) for _ in range(2))
    wanted = wanted_of(source, parts)
    weights = [*source.projections]
    weights += [t for p in source.each for t in p if t is not None]
    assert len(found) == len(wanted) == len(weights)
    for one, same, other, weight in zip(found, again, wanted, weights):
        assert one.dtype == weight.dtype and one.shape == weight.shape
        # As autograd takes them without a copy.
        assert one.is_contiguous() and one._base is None
        assert torch.equal(one, same)
        torch.testing.assert_close(
            one.double(), other, rtol=torch.finfo(one.dtype).eps, atol=1e-4)


def source_of(sizes: Tuple[int, int, int, int],
              biases: Sequence[bool],
              dtype: torch.dtype,
              device: str = 'cpu',
              log_rates: bool = False,
              projected: bool = True):
    """Return the weights of an op."""
    from mmvideomamba.ops.mixer.triton.weights import Source
    d = sizes[0]
    projections = [
        torch.zeros(shape, dtype=dtype, device=device)
        for shape in ((2 * d, d + 1), (d + 1, d))
    ]
    return Source(projections[:2 * projected],
                  make(sizes, biases, dtype, device), log_rates)


@pytest.mark.parametrize('dtype', [FULL, LOW], ids=str)
@pytest.mark.parametrize('sizes,b,programs', SIZES, ids=str)
def test_kernel_is_the_plain_form(sizes, b, programs, dtype):
    device, reason = device_of('triton')
    if device is None:
        pytest.skip(reason)
    for biases in ((True, ), (False, True)):
        check(source_of(sizes, biases, dtype, device), b, programs, device)


def test_without_projections_and_with_logarithms():
    device, reason = device_of('triton')
    if device is None:
        pytest.skip(reason)
    for projected in (False, True):
        check(
            source_of((34, 4, 9, 4), (True, False), FULL, device, True,
                      projected), 2, 5, device)


@pytest.mark.skipif(
    os.environ.get('TRITON_INTERPRET') == '1',
    reason='the interpreter compiles nothing')
@pytest.mark.parametrize('d', [1, 33, 48])
def test_kernel_compiles(d):
    from mmvideomamba.ops.mixer.triton import weight_gradients, weights
    if not hasattr(weights.stack_kernel, '_compiled'):
        pytest.skip('Triton before 3.4, or not for NVIDIA')
    kernels = weights.stack_kernel, weight_gradients.finish_kernel
    with noting_driver() as driver:
        for kernel in kernels:
            forget(kernel)
        for biases in ((True, ), (False, True)):
            source = source_of((d, 4, 3, 4), biases, FULL, log_rates=True)
            parts = make_parts(source, 2, 3, 'cpu')
            weight_gradients.finish(parts,
                                    weights.stack(source, LOW)[1], source)
        assert len(driver.launches) == 4
        for kernel in kernels:
            forget(kernel)
