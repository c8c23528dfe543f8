"""Lanes of the kernels for 16 states, as Triton compiles them for an H100."""
import os
import re
from typing import Dict, Iterator

import pytest
import torch
from noting_driver import forget, noting_driver

triton = pytest.importorskip('triton', reason='no Triton here')

pytestmark = [
    pytest.mark.skipif(
        os.environ.get('TRITON_INTERPRET') == '1',
        reason='the interpreter compiles nothing'),
    pytest.mark.skipif(
        torch.version.hip is not None, reason='not for AMD GPUs'),
    pytest.mark.skipif(
        not hasattr(triton, 'knobs'), reason='Triton before 3.4')
]

# Tensors (4, 8) have a number a lane: lane 8 r + c holds the entry [r, c].
# Stored states (4, 8, 4) have four neighbours a lane, and so have tiles of
# states and channels (4, 4, 32).
WANTED = {
    '4x8': ('sizePerThread = [1, 1], threadsPerWarp = [4, 8], '
            'warpsPerCTA = [1, 1], order = [1, 0]'),
    '4x8x4': ('sizePerThread = [1, 1, 4], threadsPerWarp = [4, 8, 1], '
              'warpsPerCTA = [1, 1, 1], order = [2, 1, 0]'),
    '4x4x32': ('sizePerThread = [1, 1, 4], threadsPerWarp = [1, 4, 8], '
               'warpsPerCTA = [1, 1, 1], order = [2, 1, 0]'),
}


@pytest.fixture(scope='module')
def compiled() -> Iterator[Dict[str, str]]:
    """Return the TTGIR of each kernel for 16 states, by name."""
    from mmvideomamba.ops.runtime.triton_launcher import CachedLauncher
    from mmvideomamba.ops.scan.triton import launch
    kernels = [k for k in vars(launch).values() if type(k) is CachedLauncher]
    if not kernels:
        pytest.skip('the launcher is switched off')
    u = torch.zeros(1, 1, 700, 36, dtype=torch.bfloat16)
    A, D = torch.zeros(1, 16, 36), torch.zeros(1, 36)
    bc = torch.zeros(1, 1, 700, 2, 16, dtype=torch.bfloat16)
    with noting_driver():
        states = launch.scan_forward(u, u, A, bc, D, 0, u.dtype, True).states
        launch.scan_backward(u, u, A, bc, D, u, states, 0, True)
        yield {
            kernel.fn.__name__: code.asm['ttgir']
            for kernel in kernels
            for code, _ in kernel._compiled.values()
        }
        # All of them, or later tests would launch on this driver.
        for kernel in kernels:
            forget(kernel)


@pytest.mark.parametrize('name,shape,accesses', [
    ('n16_fwd_kernel', '4x8', 10),
    ('n16_fwd_kernel', '4x8x4', 8),
    ('n16_fwd_kernel', '4x4x32', 2),
    ('n16_chunk_state_kernel', '4x8', 6),
    ('n16_bwd_kernel', '4x8', 30),
    ('n16_bwd_kernel', '4x8x4', 8),
])
def test_lanes_of_loads_and_stores(compiled, name, shape, accesses):
    layouts = dict(
        re.findall(r'^(#\w+) = #ttg\.blocked<\{(.*)\}>$', compiled[name],
                   re.M))
    pattern = rf'tt\.(?:load|store) .*tensor<{shape}x[!a-z][^,]*, (#\w+)>'
    found = [layouts[x] for x in re.findall(pattern, compiled[name])]
    assert len(found) >= accesses
    assert set(found) == {WANTED[shape]}
