"""The doctor sees a healthy machine as healthy and a broken one as broken."""
import importlib
import importlib.metadata
import sys
from email.message import Message
from typing import List

import av
import pytest

from mmvideomamba import compat, doctor


def texts(found: List[doctor.Finding]) -> dict:
    """Map the name of each finding to it."""
    return {finding.name: finding for finding in found}


def test_healthy_machine(capsys) -> None:
    """This machine passes, and the report names what a reader looks for."""
    assert doctor.main() == 0
    out = capsys.readouterr().out
    assert out.rstrip().endswith('healthy')
    for word in ('python', 'torch', 'mmengine', 'mmcv', 'mmaction2', 'decord',
                 'numba', 'setuptools', 'tokenizers', 'opencv', 'triton',
                 'mamba_ssm', 'pyav', "reader='auto'",
                 *(w.name for w in compat.WORKAROUNDS)):
        assert word in out
    assert doctor.FAIL not in out


def test_broken_machine(capsys, monkeypatch) -> None:
    """What fails is named with its reason, and the exit code says so."""

    def break_down() -> str:
        raise RuntimeError('no\n decoder')

    monkeypatch.setattr(doctor, '_probe_video', break_down)
    assert doctor.main() == 1
    out = capsys.readouterr().out
    assert 'FAIL  video                RuntimeError: no decoder' in out
    assert out.rstrip().endswith('broken: video')


def test_unsafe_loading_is_noticed(monkeypatch) -> None:
    """The security probe runs a payload, so it sees a torch that is open."""
    assert 'refused' in doctor._probe_payloads()
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    with pytest.raises(RuntimeError, match='call payload was loaded and ran'):
        doctor._probe_payloads()
    name = 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'
    assert texts(doctor.check_devices())[name].status == doctor.NOTE


@pytest.mark.parametrize('extra, need, version, status, text', [
    ('', 'torch>=2.6', '2.15.0+cu132', 'ok', '2.15.0+cu132 (>=2.6)'),
    ('', 'einops', '0.8', 'ok', '0.8 (any version)'),
    ('', 'torch>=2.6', '2.5.1', 'note', '2.5.1 is outside the tested >=2.6'),
    ('', 'torch>=2.6', '', 'FAIL', 'not installed, >=2.6'),
    ('', 'mmaction2==1.2.0', '', 'FAIL',
     'not installed: pip install --no-deps mmaction2==1.2.0, ==1.2.0'),
    ('demo', 'moviepy==1.0.3', '', 'note',
     'not installed (extra demo), ==1.0.3'),
    ('demo', 'moviepy==1.0.3', '2.1', 'note',
     '2.1 is outside the tested ==1.0.3'),
])
def test_version_lines(monkeypatch, extra: str, need: str, version: str,
                       status: str, text: str) -> None:
    """Only a missing requirement is broken; another version is a note."""
    monkeypatch.setattr(compat, 'installed_version', lambda name: version)
    finding = doctor._check_package(extra, need)
    assert (finding.status, finding.text) == (status, text)


def test_compiled_mmcv_counts_as_mmcv_lite(monkeypatch) -> None:
    """Both distributions hold the same package."""
    versions = dict(mmcv='2.1.0')
    monkeypatch.setattr(compat, 'installed_version',
                        lambda name: versions.get(name, ''))
    finding = doctor._check_package('', 'mmcv-lite==2.1.0')
    assert (finding.status, finding.name) == ('ok', 'mmcv')


def test_ranges_come_from_the_metadata(monkeypatch) -> None:
    """Extras for developers are left out; the hosts are needed anywhere."""
    meta = Message()
    meta['Requires-Python'] = '>=3.10'
    meta['Requires-Dist'] = 'torch>=2.6'
    meta['Requires-Dist'] = 'mmaction2; platform_machine == "none"'
    meta['Requires-Dist'] = 'tokenizers; extra == "multimodal"'
    meta['Requires-Dist'] = 'pytest; extra == "dev"'
    monkeypatch.setattr(importlib.metadata, 'metadata', lambda name: meta)
    assert doctor._declared() == ('>=3.10', [
        ('', 'torch>=2.6'), ('', 'mmaction2; '
                             'platform_machine == "none"'),
        ('multimodal', 'tokenizers; extra == "multimodal"')
    ])


def test_checkout_and_metadata_agree() -> None:
    """A checkout that is only on the path is judged by its setup.cfg."""
    python, rows = doctor._declared_in_checkout()
    assert python.startswith('>=3.10')
    assert ('', 'mmengine==0.10.7') in rows
    assert any(extra == 'multimodal' for extra, _ in rows)


def test_backends(monkeypatch) -> None:
    """A backend that cannot run is a note; one that lies is broken."""
    reasons = dict(torch='', triton='no CUDA device is available')
    monkeypatch.setattr(doctor, 'available_backends', lambda: reasons)
    found = texts(doctor.check_backends())
    assert found['torch'].status == doctor.OK
    assert found['triton'].status == doctor.NOTE
    assert 'no CUDA device' in found['triton'].text

    scan = doctor.selective_scan

    def wrong(*inputs, backend: str, **kwargs):
        y = scan(*inputs, backend='torch', **kwargs)
        return y if backend == 'torch' else y * 1.01

    monkeypatch.setattr(doctor, 'selective_scan', wrong)
    monkeypatch.setattr(doctor, 'available_backends', lambda: dict(numba=''))
    assert texts(doctor.check_backends())['numba'].status == doctor.FAIL


def test_readers(monkeypatch) -> None:
    """A reader that cannot run is a note, the one taken is named."""
    monkeypatch.setitem(sys.modules, 'decord', None)
    readers = importlib.import_module('mmvideomamba.datasets.video.choice')
    readers.reader_class.cache_clear()
    found = texts(doctor.check_readers())
    assert list(found) == [*readers.READERS, "reader='auto'"]
    assert found['pyav'].text == f'pyav {av.__version__} decodes'
    assert found['decord'].status == doctor.NOTE
    assert 'mmvideomamba[decord]' in found['decord'].text
    assert found["reader='auto'"].text == f'takes {readers.reader_in_use()}'


def test_no_reader_works(monkeypatch) -> None:
    readers = importlib.import_module('mmvideomamba.datasets.video.choice')

    def refuse() -> str:
        raise ImportError('no reader of videos works here')

    monkeypatch.setattr(readers, 'reader_in_use', refuse)
    finding, = doctor.check_readers()
    assert finding.status == doctor.FAIL
    assert 'no reader of videos works here' in finding.text
