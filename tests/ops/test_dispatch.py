import logging
import re

import pytest
import torch

from mmvideomamba.ops import (BACKENDS, ScanParams, add_rms_norm,
                              available_backends, bidirectional_selective_scan,
                              causal_conv1d, dispatch, selective_scan,
                              use_backend)
from mmvideomamba.ops.conv import api as conv_api
from mmvideomamba.ops.dispatch import default_backend, resolve
from mmvideomamba.ops.mixer import api as mixer_api
from mmvideomamba.ops.runtime import verdicts
from mmvideomamba.ops.runtime.settings import BACKEND as ENV_NAME
from mmvideomamba.ops.scan import api as scan_api


@pytest.fixture(autouse=True)
def no_environment(monkeypatch):
    monkeypatch.delenv(ENV_NAME, raising=False)


def scan(dtype=torch.float32, **kwargs):
    state = torch.promote_types(dtype, torch.float32)
    return selective_scan(
        torch.ones(1, 2, 3, dtype=dtype), torch.ones(1, 2, 3, dtype=dtype),
        -torch.ones(3, 2, dtype=state), torch.ones(1, 2, 2, dtype=dtype),
        torch.ones(1, 2, 2, dtype=dtype), **kwargs)


def picked(x=None, backend='auto', op='selective_scan', **kwargs):
    return resolve(op, backend, torch.ones(1) if x is None else x, **kwargs)[0]


def test_every_backend_is_judged():
    reasons = available_backends()
    assert tuple(reasons) == BACKENDS
    assert reasons['torch'] == ''


def test_backends_that_cannot_run_raise_their_reason():
    blocked = {n: why for n, why in available_backends().items() if why}
    for name, reason in blocked.items():
        pattern = re.escape(f"backend '{name}' cannot run selective_scan "
                            f'here: {reason}')
        with pytest.raises(RuntimeError, match=pattern):
            scan(backend=name)
        with use_backend(name), pytest.raises(RuntimeError, match=pattern):
            scan()


@pytest.fixture
def search_anew():
    """Search for modules again, before and after a test."""
    dispatch._absent.cache_clear()
    yield
    dispatch._absent.cache_clear()


def test_packages_are_searched_for_once(monkeypatch, search_anew):
    seen = []
    find = dispatch.importlib.util.find_spec
    monkeypatch.setattr(dispatch.importlib.util, 'find_spec', lambda name:
                        (seen.append(name), find(name))[1])
    for _ in range(3):
        picked()
        available_backends()
    assert 'numba' in seen and len(seen) == len(set(seen))


def test_missing_package_is_named(monkeypatch, search_anew):
    find = dispatch.importlib.util.find_spec
    monkeypatch.setattr(
        dispatch.importlib.util, 'find_spec', lambda name: None
        if name in ('numba', 'triton', 'mamba_ssm') else find(name))
    for name in ('numba', 'triton', 'mamba_ssm'):
        with pytest.raises(RuntimeError, match=f'not installed: {name}'):
            scan(backend=name)
    # Without them, auto still runs.
    if not torch.cuda.is_available():
        assert picked() == 'torch'


def test_old_triton_is_named(monkeypatch):
    triton = pytest.importorskip('triton')
    monkeypatch.setattr(dispatch, 'interpreting', lambda: True)
    monkeypatch.setattr(triton, '__version__', '3.3.0')
    assert picked() == 'triton'
    monkeypatch.setattr(triton, '__version__', '3.2.0')
    reason = 'Triton 3.2 cannot compile the kernels; they need 3.3'
    with pytest.raises(RuntimeError, match=re.escape(reason)):
        scan(backend='triton')
    if not torch.cuda.is_available():
        assert picked() != 'triton'


def test_dtype_is_named():
    for name in set(BACKENDS) - {'torch', 'mamba_ssm'}:
        if available_backends()[name]:
            continue
        with pytest.raises(RuntimeError, match='dtype torch.float64'):
            scan(torch.float64, backend=name)


def test_device_is_named(backend):
    if backend == 'torch':
        pytest.skip('runs on every device')
    x = torch.ones(1, device='meta')
    with pytest.raises(RuntimeError, match='on meta, not on'):
        picked(x, backend)


@pytest.mark.parametrize('call', [
    lambda name: scan(backend=name),
    lambda name: causal_conv1d(
        torch.ones(1, 2, 3), torch.ones(3, 4), backend=name),
    lambda name: add_rms_norm(
        torch.ones(1, 3), None, torch.ones(3), backend=name),
    lambda name: use_backend(name).__enter__(),
])
def test_unknown_name(call):
    with pytest.raises(ValueError, match="unknown backend 'cudnn'.*'torch'"):
        call('cudnn')
    assert default_backend() == 'auto'


def test_unknown_name_in_the_environment(monkeypatch):
    monkeypatch.setenv(ENV_NAME, 'cudnn')
    with pytest.raises(
            ValueError, match=f"{ENV_NAME} names the unknown "
            "backend 'cudnn'"):
        scan()


def test_precedence(monkeypatch):
    assert default_backend() == 'auto'
    monkeypatch.setenv(ENV_NAME, 'torch')
    assert default_backend() == 'torch'
    assert picked() == 'torch'
    with use_backend('auto'):
        assert default_backend() == 'auto'
        with use_backend('torch'):
            assert default_backend() == 'torch'
        assert default_backend() == 'auto'
    assert default_backend() == 'torch'
    # The argument of a call beats both.
    with use_backend('mamba_ssm'):
        assert picked(backend='torch') == 'torch'


def test_use_backend_ends_with_an_error():
    with pytest.raises(KeyError):
        with use_backend('torch'):
            raise KeyError
    assert default_backend() == 'auto'


def test_auto_takes_what_fits():
    if torch.cuda.is_available():
        pytest.skip('the order is that of a machine without a GPU')
    fast = 'torch' if available_backends()['numba'] else 'numba'
    for dtype in (torch.float32, torch.bfloat16, torch.float16):
        assert picked(torch.ones(1, dtype=dtype)) == fast
    assert picked(torch.ones(1, dtype=torch.float64)) == 'torch'
    assert picked(refused=dict(numba='shape', triton='shape')) == 'torch'
    assert picked(op='add_rms_norm') == fast
    assert scan(torch.float64).dtype == torch.float64


def test_named_backend_that_refuses_the_shapes():
    with pytest.raises(RuntimeError, match="'torch' cannot run .*: no luck"):
        picked(backend='torch', refused=dict(torch='no luck'))


def test_named_backend_reaches_the_inner_ops(monkeypatch):
    seen = []

    def spy(op, backend, *args):
        seen.append((op, backend))
        return resolve(op, backend, *args)

    for module in (conv_api, mixer_api, scan_api):
        monkeypatch.setattr(module, 'resolve', spy)
    shapes = ((3, 1, 4), (3, ), (6, 3), (3, 2), (3, ), (3, 2), (3, ))
    params = ScanParams(*(-torch.rand(s) for s in shapes))
    bidirectional_selective_scan(torch.rand(1, 2, 6), params, None, 'torch')
    assert seen == [('bidirectional_selective_scan', 'torch'),
                    ('causal_conv1d', 'torch'), ('selective_scan', 'torch')]


def test_auto_is_logged_once_per_op(monkeypatch, caplog):
    monkeypatch.setattr(dispatch, '_logged', set())
    caplog.set_level(logging.INFO, dispatch.logger.name)
    for _ in range(3):
        scan()
        scan(backend='torch')
        add_rms_norm(torch.ones(1, 3), None, torch.ones(3))
    lines = [record.getMessage() for record in caplog.records]
    assert len(lines) == 2
    assert re.match('selective_scan runs on backend .+', lines[0])
    assert re.match('add_rms_norm runs on backend .+', lines[1])


@pytest.fixture
def gpu_ops(monkeypatch):
    """Let CPU tensors pass for a GPU's; the kernels are not called."""
    monkeypatch.setitem(dispatch._CHECKS, 'triton', dispatch._dtype_reason)
    monkeypatch.setattr(dispatch, '_logged', set())
    monkeypatch.setattr(dispatch, '_load', lambda backend, traced: True)
    monkeypatch.setattr(dispatch, '_function', lambda row: row)


def test_wrong_kernels_are_avoided_in_their_dtype(gpu_ops, caplog):
    caplog.set_level(logging.INFO, dispatch.logger.name)
    half = torch.ones(1, dtype=torch.bfloat16)
    wrong = [('bidirectional_mixer', torch.bfloat16)]
    with verdicts.assume_wrong(wrong):
        for op in ('bidirectional_mixer', 'bidirectional_selective_scan'):
            assert picked(half, op=op) != 'triton'
            assert picked(op=op) == 'triton'
            # An op casts to autocast's dtype.
            with torch.autocast('cpu', torch.bfloat16):
                assert picked(op=op) != 'triton'
        assert picked(half) == 'triton'
        # A named backend runs in spite of the verdict, with one warning.
        caplog.clear()
        for _ in range(2):
            op = 'bidirectional_mixer'
            assert picked(half, 'triton', op) == 'triton'
            assert picked(backend='triton', op=op) == 'triton'
    line, = caplog.messages
    assert "'triton' is named and runs although the self-check" in line


def test_refused_is_left_as_it_is(gpu_ops):
    refused = {}
    with verdicts.assume_wrong([('selective_scan', torch.float32)]):
        assert picked(refused=refused) != 'triton'
    assert refused == {}


@pytest.mark.parametrize('named', [False, True])
def test_the_question_is_a_constant_of_compiled_graphs(gpu_ops, monkeypatch,
                                                       named):
    # torch.compile shows the definition to CPU tensors.
    monkeypatch.setattr(dispatch, 'being_traced', lambda x: '')

    @torch.compile(backend='eager', fullgraph=True)
    def count(x):
        with torch.autocast('cpu', torch.bfloat16):
            name = 'triton' if named else 'auto'
            picked = resolve('bidirectional_mixer', name, x)[0]
        return x + len(picked)

    wrong = [('bidirectional_mixer', torch.bfloat16)]
    # Without verdicts the question is the same, with another answer.
    for assumed in ([], wrong):
        torch.compiler.reset()
        with verdicts.assume_wrong(assumed):
            found = count(torch.zeros(1)).item()
        is_triton = found == len('triton')
        assert is_triton is (named or not assumed)


def test_first_call_of_two_backends_is_traced(monkeypatch):
    """A trace started before the first import of backends has no break."""
    monkeypatch.setattr(dispatch, '_loaded', set())
    monkeypatch.setattr(dispatch, '_functions', {})

    def call(x: torch.Tensor) -> torch.Tensor:
        names = [
            dispatch.resolve('add_rms_norm', name, x)[0]
            for name in ('torch', 'numba')
        ]
        return x + len(names)

    torch.compiler.reset()
    compiled = torch.compile(call, backend='eager', fullgraph=True)
    x = torch.zeros(2, 3, 4)
    assert torch.equal(compiled(x), x + 2)
    assert {'torch', 'numba'} <= dispatch._loaded
