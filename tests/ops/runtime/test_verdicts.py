"""Verdicts of the self-check on the disk."""
import json
import logging
import os
import tempfile
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, Iterator

import pytest
import torch

from mmvideomamba.ops.runtime import verdicts
from mmvideomamba.ops.runtime.settings import VERDICTS
from mmvideomamba.ops.runtime.verdicts import (CPU, Wrong, assume_wrong,
                                               facts_of, is_wrong,
                                               keep_verdict, read_verdict,
                                               wrong_anywhere)

WRONG = [Wrong('causal_conv1d', torch.bfloat16, 'few: errors')]
GPU = 0


@pytest.fixture(autouse=True)
def two_gpus(tmp_path: Path,
             monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Have two GPUs and an empty cache folder."""
    pytest.importorskip('triton')
    cards = [
        SimpleNamespace(name=f'NVIDIA {i}', major=9, minor=i, gcnArchName='')
        for i in range(2)
    ]
    monkeypatch.setenv('XDG_CACHE_HOME', str(tmp_path / 'cache'))
    monkeypatch.setattr(tempfile, 'gettempdir', lambda: str(tmp_path))
    monkeypatch.setattr(verdicts, 'interpreting', lambda: False)
    monkeypatch.setattr(torch.cuda, 'device_count', lambda: len(cards))
    monkeypatch.setattr(torch.cuda, 'get_device_properties', cards.__getitem__)
    monkeypatch.setattr(verdicts, '_told', set())
    verdicts.forget()
    yield tmp_path
    verdicts.forget()


def file_of(folder: Path) -> Path:
    """Return the only verdict in the cache folder."""
    file, = (folder / 'cache/mmvideomamba/verdicts').glob('*')
    return file


def test_kept_and_read(two_gpus: Path) -> None:
    assert read_verdict(facts_of(GPU)) is None
    path = keep_verdict(facts_of(GPU), WRONG)
    assert path == file_of(two_gpus) and path.name.startswith('nvidia-0-')
    found = read_verdict(facts_of(GPU))
    assert found is not None and found.wrong == tuple(WRONG)
    # The other GPU has no verdict.
    assert read_verdict(facts_of(1)) is None
    # A newer verdict takes the place.
    keep_verdict(facts_of(GPU), [])
    found = read_verdict(facts_of(GPU))
    assert found is not None and found.wrong == ()
    assert path == file_of(two_gpus)


def test_asked(caplog: pytest.LogCaptureFixture) -> None:
    assert not is_wrong('causal_conv1d', torch.bfloat16, GPU)
    keep_verdict(facts_of(GPU), WRONG)
    caplog.set_level(logging.WARNING, verdicts.logger.name)
    for _ in range(2):
        assert is_wrong('causal_conv1d', torch.bfloat16, GPU)
        assert not is_wrong('causal_conv1d', torch.float16, GPU)
        assert not is_wrong('add_rms_norm', torch.bfloat16, GPU)
        assert not is_wrong('causal_conv1d', torch.bfloat16, 1)
        assert wrong_anywhere('causal_conv1d', torch.bfloat16)
        assert not wrong_anywhere('causal_conv1d', torch.float32)
    line, = caplog.messages
    for word in ('NVIDIA 0', 'causal_conv1d bfloat16 (few: errors)',
                 'doctor --gpu', f'{VERDICTS}=ignore'):
        assert word in line


def test_read_once(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_verdict(facts_of(GPU), WRONG)
    assert is_wrong('causal_conv1d', torch.bfloat16, GPU)
    monkeypatch.setattr(verdicts, 'facts_of', None)
    assert is_wrong('causal_conv1d', torch.bfloat16, GPU)
    assert not is_wrong('add_rms_norm', torch.bfloat16, GPU)


def test_without_any_file_nothing_is_computed(
        monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(verdicts, 'facts_of', None)
    assert not is_wrong('causal_conv1d', torch.bfloat16, GPU)


def test_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    keep_verdict(facts_of(GPU), WRONG)
    monkeypatch.setenv(VERDICTS, 'ignore')
    assert not is_wrong('causal_conv1d', torch.bfloat16, GPU)


@pytest.mark.parametrize('key', facts_of(CPU))
def test_of_something_else(key: str) -> None:
    """A changed fact makes a verdict void."""
    facts = facts_of(GPU)
    keep_verdict(facts, WRONG)
    assert read_verdict({**facts, key: 'another'}) is None


@pytest.mark.parametrize('spoil', [
    lambda c: '',
    lambda c: json.dumps(c)[:50],
    lambda c: '[]',
    lambda c: json.dumps(dict(c, format=2)),
    lambda c: json.dumps(dict(c, facts={})),
    lambda c: json.dumps(dict(c, wrong=[dict(family='conv')])),
    lambda c: json.dumps(dict(c, wrong=[dict(c['wrong'][0], dtype='int8')])),
    lambda c: json.dumps(dict(c, wrong=None)),
])
def test_damaged(spoil: Any, two_gpus: Path,
                 caplog: pytest.LogCaptureFixture) -> None:
    keep_verdict(facts_of(GPU), WRONG)
    path = file_of(two_gpus)
    content: Dict[str, Any] = json.loads(path.read_text())
    path.write_text(spoil(content))
    caplog.set_level(logging.WARNING, verdicts.logger.name)
    for _ in range(2):
        assert not is_wrong('causal_conv1d', torch.bfloat16, GPU)
    line, = caplog.messages
    assert 'is damaged and left out of account' in line and str(path) in line


def test_folders_that_cannot_be_written(two_gpus: Path) -> None:
    (two_gpus / 'cache').write_text('a file')
    path = keep_verdict(facts_of(GPU), WRONG)
    assert path is not None
    assert path.parent.name == f'mmvideomamba-verdicts-{os.getuid()}'
    assert is_wrong('causal_conv1d', torch.bfloat16, GPU)
    # The folder below the temporary folder is the user's own, or not used.
    path.parent.chmod(0o777)
    verdicts.forget()
    assert not is_wrong('causal_conv1d', torch.bfloat16, GPU)
    assert keep_verdict(facts_of(GPU), WRONG) is None


def test_assumed() -> None:
    keep_verdict(facts_of(GPU), WRONG)
    assert is_wrong('causal_conv1d', torch.bfloat16, GPU)
    with assume_wrong():
        assert not is_wrong('causal_conv1d', torch.bfloat16, GPU)
        assert not wrong_anywhere('causal_conv1d', torch.bfloat16)
        with assume_wrong([('add_rms_norm', torch.float32)]):
            assert is_wrong('add_rms_norm', torch.float32, GPU)
            assert wrong_anywhere('add_rms_norm', torch.float32)
    assert is_wrong('causal_conv1d', torch.bfloat16, GPU)


def test_each_kind_of_gpu() -> None:
    keep_verdict(facts_of(1), [])
    found = verdicts.device_verdicts()
    assert list(found) == ['NVIDIA 0', 'NVIDIA 1']
    assert found['NVIDIA 0'] is None and found['NVIDIA 1'] is not None
