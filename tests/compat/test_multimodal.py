"""Text models are switched off where the packages do not fit."""
from pathlib import Path

import pytest

from mmvideomamba.compat import multimodal
from .fresh_python import run_python


@pytest.mark.parametrize('host, versions, reason', [
    ('mmaction', {}, ''),
    ('mmaction', dict(transformers='4.55.4', timm='1.0'), ''),
    ('mmaction', dict(transformers='4.55.4'), 'timm is not installed'),
    ('mmaction', dict(transformers='4.56.0', timm='1.0'), '4.56.0 is not'),
    ('mmaction', dict(transformers='5.1.0', timm='1.0'), '5.1.0 is not'),
    ('mmaction', dict(transformers='4.30.0', timm='1.0'), '4.30.0 is not'),
    ('mmpretrain', dict(transformers='5.1.0'), ''),
    ('mmpretrain', dict(transformers='4.51.3', pycocotools='2'), ''),
    ('mmpretrain', dict(transformers='4.52.0',
                        pycocotools='2'), '4.52.0 is not'),
])
def test_trouble(monkeypatch, host: str, versions: dict, reason: str) -> None:
    monkeypatch.setattr(multimodal, 'installed_version',
                        lambda name: versions.get(name, ''))
    trouble = multimodal.multimodal_trouble(host)
    assert reason in trouble and bool(reason) == bool(trouble)


def test_new_transformers_leaves_the_hosts_importable(tmp_path: Path) -> None:
    for name in ('transformers', 'timm', 'pycocotools'):
        folder = tmp_path / f'{name}-9.0.dist-info'
        folder.mkdir()
        (folder / 'METADATA'
         ).write_text(f'Metadata-Version: 2.1\nName: {name}\nVersion: 9.0\n')
    code = '''
import mmvideomamba
import mmaction.models, mmaction.registry
import mmpretrain.models, mmpretrain.registry
for registry, name in ((mmaction.registry, 'VindLUVQA'),
                       (mmpretrain.registry, 'Blip2VQA')):
    try:
        registry.MODELS.build(dict(type=name))
    except ImportError as error:
        print(error)
'''
    done = run_python(code, tmp_path)
    assert done.returncode == 0, done.stderr
    said = done.stdout.splitlines()
    for host, name, line in zip(('mmaction', 'mmpretrain'),
                                ('VindLUVQA', 'Blip2VQA'), said[-2:]):
        assert f'{name}, a text model of {host}, is switched off' in line
        assert 'transformers 9.0 is not' in line and 'pip install' in line
    # Whoever needs no text model of a host reads nothing about them.
    assert 'switched off' not in done.stderr + ''.join(said[:-2])
