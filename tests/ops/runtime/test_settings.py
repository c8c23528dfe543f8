"""The off switches of the ops."""
import re

import pytest
import torch
from common import device_of

from mmvideomamba.ops.runtime.settings import (BACKEND, LAUNCHER, SCAN_KERNELS,
                                               SWITCHES, THREADS, setting)


@pytest.mark.parametrize('name', SWITCHES)
def test_switches(name, monkeypatch):
    monkeypatch.delenv(name, raising=False)
    assert setting(name) == SWITCHES[name][0]
    monkeypatch.setenv(name, '')
    assert setting(name) == SWITCHES[name][0]
    for value in SWITCHES[name]:
        monkeypatch.setenv(name, value)
        assert setting(name) == value
    monkeypatch.setenv(name, 'of')
    message = f"{name} is 'of'; choose one of {list(SWITCHES[name])}"
    with pytest.raises(ValueError, match=re.escape(message)):
        setting(name)


def test_names_of_backends_are_left_to_the_dispatcher(monkeypatch):
    monkeypatch.delenv(BACKEND, raising=False)
    assert setting(BACKEND) == 'auto'
    monkeypatch.setenv(BACKEND, 'cudnn')
    assert setting(BACKEND) == 'cudnn'


def test_threads_of_a_pool(monkeypatch):
    pytest.importorskip('numba')
    from mmvideomamba.ops.runtime import numba_threads
    calls = []
    monkeypatch.setattr(numba_threads, '_openmp', lambda: object())
    monkeypatch.setattr(numba_threads, '_run_openmp',
                        lambda *args: calls.append('openmp'))
    monkeypatch.setattr(numba_threads, '_run_pool',
                        lambda *args: calls.append('pool'))
    monkeypatch.setattr(torch, 'get_num_threads', lambda: 2)
    monkeypatch.delenv(THREADS, raising=False)
    numba_threads.run(calls.append, 4)
    monkeypatch.setenv(THREADS, 'pool')
    numba_threads.run(calls.append, 4)
    assert calls == ['openmp', 'pool']


def test_launches_by_triton(monkeypatch):
    triton = pytest.importorskip('triton')
    from mmvideomamba.ops.runtime.triton_launcher import (CachedLauncher,
                                                          cached_launch)

    def kernel(x_p):
        pass

    jitted = triton.jit(kernel)
    monkeypatch.setenv(LAUNCHER, 'triton')
    assert cached_launch(jitted) is jitted
    monkeypatch.setenv(LAUNCHER, 'cached')
    if isinstance(jitted, triton.JITFunction) and hasattr(triton, 'knobs'):
        assert isinstance(cached_launch(jitted), CachedLauncher)


def test_general_scan_kernels(monkeypatch):
    device, reason = device_of('triton')
    if device is None and 'Triton' in reason:
        pytest.skip(reason)
    pytest.importorskip('triton')
    from mmvideomamba.ops.runtime.host import triton_version
    from mmvideomamba.ops.scan.n16_support import n16_reason
    from mmvideomamba.ops.scan.triton import launch
    try:
        for value, wanted in (('auto', True), ('general', False)):
            monkeypatch.setenv(SCAN_KERNELS, value)
            n16_reason.cache_clear()
            if triton_version() >= (3, 4):
                assert launch.uses_n16_kernels(torch.bfloat16, 32,
                                               16) is wanted
    finally:
        n16_reason.cache_clear()
