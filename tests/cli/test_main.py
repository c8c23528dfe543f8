"""The command and its verbs."""
import runpy
import sys

import pytest

from mmvideomamba import exit_codes
from mmvideomamba.cli import main as command
from mmvideomamba.cli import run_doctor
from mmvideomamba.cli.main import VERBS
from mmvideomamba.version import __version__


def test_help(capsys: pytest.CaptureFixture) -> None:
    """The help lists each verb, and every help fits a terminal."""
    for words in ([], *([verb] for verb in VERBS)):
        with pytest.raises(SystemExit) as ended:
            command([*words, '--help'])
        text = capsys.readouterr().out
        assert ended.value.code == 0
        assert max(map(len, text.splitlines())) <= 80
    with pytest.raises(SystemExit):
        command(['--help'])
    text = capsys.readouterr().out
    assert all(f'    {verb} ' in text for verb in VERBS)


def test_version_and_mistakes(capsys: pytest.CaptureFixture) -> None:
    with pytest.raises(SystemExit):
        command(['--version'])
    assert capsys.readouterr().out.strip() == __version__
    for words in ([], ['fly'], ['predict', 'model.pth']):
        with pytest.raises(SystemExit) as ended:
            command(words)
        assert ended.value.code == 2


def test_doctor(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def doctor(args: list) -> int:
        seen.append(args)
        return 69

    monkeypatch.setattr(run_doctor, 'main', doctor)
    assert command(['doctor', '--gpu']) == 69 and command(['doctor']) == 69
    assert seen == [['--gpu'], []]


def test_interruption(monkeypatch: pytest.MonkeyPatch,
                      capsys: pytest.CaptureFixture) -> None:

    def stop(args: list) -> int:
        raise KeyboardInterrupt

    monkeypatch.setattr(run_doctor, 'main', stop)
    assert command(['doctor']) == exit_codes.INTERRUPTED == 130
    assert capsys.readouterr().err == 'interrupted\n'


def test_module(monkeypatch: pytest.MonkeyPatch,
                capsys: pytest.CaptureFixture) -> None:
    """``python -m mmvideomamba`` is the command."""
    monkeypatch.setattr(sys, 'argv', ['x', '--version'])
    with pytest.raises(SystemExit):
        runpy.run_module('mmvideomamba', run_name='__main__')
    assert capsys.readouterr().out.strip() == __version__
