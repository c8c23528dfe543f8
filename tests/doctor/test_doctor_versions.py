"""Versions and declared ranges."""
import pytest

from mmvideomamba import compat
from mmvideomamba.doctor import versions


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
    finding = versions._check_package(extra, need)
    assert (finding.status, finding.text) == (status, text)


def test_compiled_mmcv_counts_as_mmcv_lite(monkeypatch) -> None:
    """Both distributions hold the same package."""
    installed = dict(mmcv='2.1.0')
    monkeypatch.setattr(compat, 'installed_version',
                        lambda name: installed.get(name, ''))
    finding = versions._check_package('', 'mmcv-lite==2.1.0')
    assert (finding.status, finding.name) == ('ok', 'mmcv')


def test_extras_for_developers_are_left_out() -> None:
    """Ranges come from the package's declared requirements."""
    python, rows = versions._declared()
    assert python.startswith('>=3.10')
    assert ('', 'mmengine==0.10.7') in rows
    assert {'multimodal', 'timm', ''} < {extra for extra, _ in rows}
    assert 'dev' not in {extra for extra, _ in rows}
