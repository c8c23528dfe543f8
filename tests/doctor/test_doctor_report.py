"""Healthy machines are healthy to the doctor, broken ones broken."""
import subprocess
import sys
from typing import Iterator

import pytest
from findings import by_name

from mmvideomamba import compat
from mmvideomamba.doctor import traps
from mmvideomamba.doctor.__main__ import main
from mmvideomamba.doctor.backends import check_devices
from mmvideomamba.doctor.finding import FAIL, NOTE, OK, Finding
from mmvideomamba.doctor.report import write_section
from mmvideomamba.version import __version__


def test_healthy_machine(capsys) -> None:
    """This machine passes, and the report names all parts."""
    assert main([]) == 0
    out = capsys.readouterr().out
    assert out.rstrip().endswith('healthy')
    for word in ('python', 'torch', 'mmengine', 'mmcv', 'mmaction2', 'decord',
                 'numba', 'setuptools', 'tokenizers', 'opencv', 'triton',
                 'mamba_ssm', 'pyav', "reader='auto'",
                 *(w.name for w in compat.WORKAROUNDS)):
        assert word in out
    assert FAIL not in out


def test_first_lines_wait_for_no_import(capsys) -> None:
    """Titles and findings are printed one by one, before slow imports."""
    code = """
import sys
from mmvideomamba.doctor import report
def write(*lines):
    if lines[0]:
        print(lines[0].split(',')[0], 'torch' in sys.modules)
    elif len(lines) == 2 and lines[1].startswith('Versions'):
        print(lines[1], 'torch' in sys.modules)
        raise SystemExit
report._write = write
report.report_machine()
"""
    done = subprocess.run([sys.executable, '-c', code],
                          capture_output=True,
                          text=True)
    assert done.stdout.splitlines() == [
        f'mmvideomamba {__version__} False', 'Versions (tested range) False'
    ], done.stderr
    found = iter([Finding(OK, 'one', ''), Finding(FAIL, 'two', '')])

    def slowly() -> Iterator[Finding]:
        yield next(found)
        assert 'one' in capsys.readouterr().out
        yield next(found)

    assert write_section('title', slowly()) == ['two']


def test_broken_machine(capsys, monkeypatch) -> None:
    """A failure is named with the reason, and by the exit code."""

    def break_down() -> str:
        raise RuntimeError('no\n decoder')

    monkeypatch.setattr(traps, '_probe_video', break_down)
    assert main([]) == 1
    out = capsys.readouterr().out
    assert 'FAIL  video                RuntimeError: no decoder' in out
    assert out.rstrip().endswith('broken: video')


def test_unsafe_loading_is_noticed(monkeypatch) -> None:
    """The security probe runs a payload, so an open torch is seen."""
    assert 'refused' in traps._probe_payloads()
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    with pytest.raises(RuntimeError, match='call payload was loaded and ran'):
        traps._probe_payloads()
    name = 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'
    assert by_name(check_devices())[name].status == NOTE
