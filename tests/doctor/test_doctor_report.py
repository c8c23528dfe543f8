"""The doctor sees a healthy machine as healthy and a broken one as broken."""
import pytest
from findings import by_name

from mmvideomamba import compat
from mmvideomamba.doctor import traps
from mmvideomamba.doctor.__main__ import main
from mmvideomamba.doctor.backends import check_devices
from mmvideomamba.doctor.finding import FAIL, NOTE


def test_healthy_machine(capsys) -> None:
    """This machine passes, and the report names what a reader looks for."""
    assert main([]) == 0
    out = capsys.readouterr().out
    assert out.rstrip().endswith('healthy')
    for word in ('python', 'torch', 'mmengine', 'mmcv', 'mmaction2', 'decord',
                 'numba', 'setuptools', 'tokenizers', 'opencv', 'triton',
                 'mamba_ssm', 'pyav', "reader='auto'",
                 *(w.name for w in compat.WORKAROUNDS)):
        assert word in out
    assert FAIL not in out


def test_broken_machine(capsys, monkeypatch) -> None:
    """What fails is named with its reason, and the exit code says so."""

    def break_down() -> str:
        raise RuntimeError('no\n decoder')

    monkeypatch.setattr(traps, '_probe_video', break_down)
    assert main([]) == 1
    out = capsys.readouterr().out
    assert 'FAIL  video                RuntimeError: no decoder' in out
    assert out.rstrip().endswith('broken: video')


def test_unsafe_loading_is_noticed(monkeypatch) -> None:
    """The security probe runs a payload, so it sees a torch that is open."""
    assert 'refused' in traps._probe_payloads()
    monkeypatch.setenv('TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD', '1')
    with pytest.raises(RuntimeError, match='call payload was loaded and ran'):
        traps._probe_payloads()
    name = 'TORCH_FORCE_NO_WEIGHTS_ONLY_LOAD'
    assert by_name(check_devices())[name].status == NOTE
