"""Errors of unreadable inputs."""
import pytest

from mmvideomamba.cli.bad_inputs import report_bad_inputs


def test_report(capsys: pytest.CaptureFixture) -> None:
    assert report_bad_inputs([], 2, 'done') == 0
    assert capsys.readouterr().err == ''
    assert report_bad_inputs(['a.mp4: empty', 'b.mp4: gone'], 5, 'done') == 65
    assert capsys.readouterr().err == (
        'error: 2 of 5 inputs cannot be read; all others are done:\n'
        '  a.mp4: empty\n  b.mp4: gone\n')
