"""Weights of directions, stacked by a kernel and by plain operations."""
import importlib.util
import os
from typing import List, Sequence, Tuple

import pytest
import torch
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
    """Return a direction for every bias that there is or is not."""
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


def check(each: List[ScanParams], dtype: torch.dtype) -> None:
    """Compare the kernel with plain operations, bit for bit."""
    from mmvideomamba.ops.mixer.triton.weights import stack, stack_compilable
    found, wanted = stack(each, dtype), stack_compilable(each, dtype)
    # The interpreter does not round to bfloat16 but cuts off.
    cuts = os.environ.get('TRITON_INTERPRET') == '1'
    for name, one, other in zip(found._fields, found, wanted):
        assert one.is_contiguous() and one.data_ptr() % 16 == 0, name
        given = each[0].x_proj_weight.dtype
        exact = not cuts or one.dtype in (torch.float32, given)
        near = 0 if exact or dtype != torch.bfloat16 else 2**-7
        torch.testing.assert_close(one, other, rtol=near, atol=0)


@pytest.mark.parametrize('dtype', DTYPES, ids=str)
@pytest.mark.parametrize('given', DTYPES, ids=str)
@pytest.mark.parametrize('sizes', SIZES, ids=str)
def test_kernel_is_the_plain_form(sizes, given, dtype):
    device, reason = device_of('triton')
    if device is None:
        pytest.skip(reason)
    for biases in ((True, ), (False, ), (True, False), (False, True)):
        check(make(sizes, biases, given, device), dtype)


def test_strides_and_mixed_dtypes():
    device, reason = device_of('triton')
    if device is None:
        pytest.skip(reason)
    one, other = make((34, 8, 5, 4), (True, True), device=device)
    strided = ScanParams(*(torch.stack([t] * 2, -1)[..., 0] for t in one))
    assert not any(t.is_contiguous() for t in strided)
    # Slices of one flat tensor, as some optimizers keep weights.
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
    with noting_driver() as driver:
        forget(weights.stack_kernel)
        for each in ([full, low], [low, full], [low]):
            weights.stack(each, torch.bfloat16)
            assert driver.launches[-1][:3] == (2, len(each), 1)
        forget(weights.stack_kernel)


@pytest.mark.parametrize('biases', [(True, ), (False, True)], ids=str)
@pytest.mark.parametrize('sizes', SIZES, ids=str)
def test_unstacked_are_those_stacked(sizes, biases):
    from mmvideomamba.ops.mixer.triton.weights import stack_compilable, unstack
    each = make(sizes, biases, torch.bfloat16)
    found = unstack(stack_compilable(each, torch.float32), each)
    assert len(found) == len(each)
    for one, other in zip(found, each):
        for name, a, b in zip(one._fields, one, other):
            if b is None:
                assert a is None
            else:
                assert a.dtype == b.dtype and torch.equal(a, b), name
