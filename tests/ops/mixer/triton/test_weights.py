"""Weights of directions, stacked by a kernel and by plain operations."""
import importlib.util
import os
from typing import List, Sequence, Tuple

import pytest
import torch
import torch.nn.functional as F
from common import device_of
from noting_driver import forget, noting_driver
from torch import Tensor

from mmvideomamba.ops import ScanParams

pytestmark = pytest.mark.skipif(
    importlib.util.find_spec('triton') is None, reason='no Triton here')

DTYPES = [torch.float32, torch.bfloat16, torch.float16]
# d, n, r, taps: blocks whole and not, ranks padded and not, and of two turns.
SIZES = [(48, 16, 3, 4), (33, 4, 8, 1), (70, 64, 45, 5), (1, 5, 1, 2)]


def make(sizes: Tuple[int, int, int, int],
         biases: Sequence[bool],
         dtype: torch.dtype = torch.float32,
         device: str = 'cpu') -> List[ScanParams]:
    """Return a direction for every choice of biases."""
    d, n, r, taps = sizes
    g = torch.Generator().manual_seed(0)

    def draw(*shape: int, to: torch.dtype = dtype) -> Tensor:
        return torch.randn(*shape, generator=g).to(device, to)

    full = torch.float32
    return [
        ScanParams(
            draw(d, 1, taps),
            draw(d) if bias else None, draw(r + 2 * n, d), draw(d, r),
            draw(d, to=full), draw(d, n, to=full), draw(d, to=full))
        for bias in biases
    ]


def wanted_of(each: Sequence[ScanParams], dtype: torch.dtype,
              log_rates: bool) -> List[Tensor]:
    """Return the stacked weights by plain operations."""
    conv_weight, conv_bias, x_proj, dt_proj, dt_bias, A, D = map(
        list, zip(*each))
    d, r = dt_proj[0].shape
    more = -r % 8
    zeros = A[0].new_zeros(more, d)
    x_proj = [torch.cat([w[:r].float(), zeros, w[r:].float()]) for w in x_proj]
    dt_proj = [F.pad(w, (0, more)) for w in dt_proj]
    conv_bias = [A[0].new_zeros(d) if b is None else b for b in conv_bias]
    rates = [(-a.exp() if log_rates else a).t() for a in A]
    return [
        torch.stack([t.to(to) for t in of_one])
        for of_one, to in zip(([w.squeeze(1) for w in conv_weight], conv_bias,
                               x_proj, dt_proj, dt_bias, rates,
                               D), (None, None, dtype, dtype, None, None,
                                    None)) for to in [to or torch.float32]
    ]


def check(each: List[ScanParams],
          dtype: torch.dtype,
          projections: Sequence[Tensor] = (),
          log_rates: bool = False) -> None:
    """Compare the kernel with plain operations, bit for bit."""
    from mmvideomamba.ops.mixer.triton import weights
    source = weights.Source(projections, each, log_rates)
    stacked, w = weights.stack(source, dtype)
    sizes = weights.stacked_sizes(source, dtype)
    assert sizes == tuple(t.numel() for t in stacked)
    views = weights.views(stacked, source)
    again = [*views[:-1], *views.projections]
    names = [*w._fields[:-1], 'in_weight', 'out_weight']
    found = [*w[:-1], *w.projections]
    wanted = wanted_of(each, dtype, log_rates)
    wanted += [t.to(dtype) for t in projections]
    for name, one, other, same in zip(names, found, wanted, again):
        assert one.data_ptr() == same.data_ptr(), name
        if all(one is not t for t in projections):
            assert one.is_contiguous() and one.data_ptr() % 16 == 0, name
        near = 1e-6 if log_rates and name == 'A' else 0
        torch.testing.assert_close(one, other, rtol=near, atol=0)
    for given, one in zip(projections, found[7:]):
        # Nothing is cast in vain.
        assert (one is given) == (given.dtype == dtype)


@pytest.mark.parametrize('dtype', DTYPES, ids=str)
@pytest.mark.parametrize('given', DTYPES, ids=str)
@pytest.mark.parametrize('sizes', SIZES, ids=str)
def test_kernel_is_the_plain_form(sizes, given, dtype):
    device, reason = device_of('triton')
    if device is None:
        pytest.skip(reason)
    for biases in ((True, ), (False, ), (True, False), (False, True)):
        check(make(sizes, biases, given, device), dtype)


@pytest.mark.parametrize('given', DTYPES, ids=str)
@pytest.mark.parametrize('biases', [(True, ), (True, False)], ids=str)
def test_projections_are_cast(biases, given):
    device, reason = device_of('triton')
    if device is None:
        pytest.skip(reason)
    each = make((34, 4, 5, 4), biases, device=device)
    # More numbers than a program casts, in either.
    wide, tall = (
        torch.randn(shape, device=device) for shape in ((68, 67), (67, 68)))
    for dtype in (torch.bfloat16, torch.float32):
        check(each, dtype, (wide.to(given), tall.to(given)))
        # One projection alone in the given dtype, and one not contiguous.
        check(each, dtype, (wide.to(given), tall.to(dtype).t()))
        check(each, dtype, (wide.to(dtype), tall.to(given).t()))


def test_logarithms_of_rates():
    device, reason = device_of('triton')
    if device is None:
        pytest.skip(reason)
    check(
        make((34, 4, 5, 4), (True, True), device=device),
        torch.bfloat16,
        log_rates=True)


def test_strides_and_mixed_dtypes():
    device, reason = device_of('triton')
    if device is None:
        pytest.skip(reason)
    one, other = make((34, 8, 5, 4), (True, True), device=device)
    strided = ScanParams(*(torch.stack([t] * 2, -1)[..., 0] for t in one))
    assert not any(t.is_contiguous() for t in strided)
    # Slices of one flat tensor, as kept by some optimizers.
    flat = torch.cat([t.flatten() for t in one])
    parts = flat.split([t.numel() for t in one])
    sliced = ScanParams(*(p.view(t.shape) for p, t in zip(parts, one)))
    transposed = other._replace(A=other.A.t().contiguous().t())
    low = ScanParams(*(t.half() for t in other[:4]), *other[4:])
    for first in (strided, sliced, transposed, low):
        check([first, other], torch.float32)
        check([other, first], torch.float16)


@pytest.mark.skipif(
    os.environ.get('TRITON_INTERPRET') == '1',
    reason='the interpreter compiles nothing')
def test_directions_of_other_dtypes_compile():
    from mmvideomamba.ops.mixer.triton import weights
    if not hasattr(weights.stack_kernel, '_compiled'):
        pytest.skip('Triton before 3.4, or not for NVIDIA')
    full, = make((34, 8, 5, 4), (True, ))
    low, = make((34, 8, 5, 4), (False, ), torch.float16)
    projections = torch.zeros(68, 17), torch.zeros(17, 34)
    with noting_driver() as driver:
        forget(weights.stack_kernel)
        for each in ([full, low], [low, full], [low]):
            for given in ((), projections):
                weights.stack(
                    weights.Source(given, each, bool(given)), torch.bfloat16)
                # Programs for stacking, and one cast program for each
                # projection.
                programs = 2 + len(given) // len(each)
                assert driver.launches[-1][:3] == (programs, len(each), 1)
        forget(weights.stack_kernel)
