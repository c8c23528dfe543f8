"""The backends of the ops, each compared with the definition."""
from typing import Any

import torch
from findings import by_name

from mmvideomamba.doctor import backends
from mmvideomamba.doctor.finding import FAIL, NOTE, OK
from mmvideomamba.ops.runtime.verdicts import Verdict, Wrong


def test_backends(monkeypatch) -> None:
    """A backend unable to run is a note, a wrong backend is broken."""
    reasons = dict(torch='', triton='no CUDA device is available')
    monkeypatch.setattr(backends, 'available_backends', lambda: reasons)
    found = by_name(backends.check_backends())
    assert found['torch'].status == OK
    assert found['triton'].status == NOTE
    assert 'no CUDA device' in found['triton'].text

    scan: Any = backends.selective_scan

    def wrong(*inputs: Any, backend: str, **kwargs: Any) -> Any:
        y = scan(*inputs, backend='torch', **kwargs)
        return y if backend == 'torch' else y * 1.01

    monkeypatch.setattr(backends, 'selective_scan', wrong)
    monkeypatch.setattr(backends, 'available_backends', lambda: dict(numba=''))
    assert by_name(backends.check_backends())['numba'].status == FAIL


def test_verdicts(monkeypatch) -> None:
    """A GPU without a verdict is a note; so are wrong kernels."""
    monkeypatch.setattr(backends, 'available_backends', lambda: {'triton': ''})
    wrong = Wrong('causal_conv1d', torch.bfloat16, 'errors')
    verdicts = dict(
        a=None,
        b=Verdict('2026-11-28T01', ()),
        c=Verdict('2026-11-28T01', (wrong, )))
    monkeypatch.setattr(backends, 'device_verdicts', lambda: verdicts)
    unchecked, right, bad = backends.check_verdicts()
    assert unchecked.status == NOTE and 'doctor --gpu' in unchecked.text
    assert right.status == OK and right.text == 'checked on b, 2026-11-28'
    assert bad.status == NOTE and 'causal_conv1d bfloat16' in bad.text
    # Without Triton there is nothing to ask about.
    monkeypatch.setattr(backends, 'available_backends',
                        lambda: {'triton': 'not installed: triton'})
    assert backends.check_verdicts() == []
