"""The command line of the export."""
import runpy
import sys
from pathlib import Path
from typing import Any

import pytest
from micro_models import backbone, build
from script import ROOT

from mmvideomamba.cli import main, run_export
from mmvideomamba.deployment import FORMATS
from mmvideomamba.deployment.onnx_file import OPSET


def run(*args: Any) -> None:
    """Call the command as a user does, in this process."""
    assert main(['export', *map(str, args)]) == 0


def test_a_saved_backbone(tmp_path: Path, monkeypatch, capsys) -> None:
    """The options reach the file, and the report is printed."""

    def write(program: Any, path: Path) -> int:
        path.write_text(program.metadata)
        return 7

    build(backbone(), 'mmaction').save_pretrained(tmp_path / 'saved')
    seen: list = []

    def check(path: Path, inputs: Any) -> Any:
        seen.extend(tuple(x.shape) for x in inputs)
        return [model(x) for x in inputs]

    model = run_export.load_backbone(str(tmp_path / 'saved'))[0]
    onnx = FORMATS['onnx']._replace(packages=(), write=write, check=check)
    monkeypatch.setitem(FORMATS, 'onnx', onnx)
    run(tmp_path / 'saved', '--out', tmp_path / 'out', '--formats', 'onnx',
        '--batch', 2, '--rounds', 0, '--backbone-only')
    assert seen == [(2, 3, 2, 16, 16)]
    assert '| model.onnx | ' in capsys.readouterr().out
    assert '"feature-extraction"' in (tmp_path / 'out/model.onnx').read_text()


@pytest.mark.parametrize('args, words', [
    ([], 'give a model, or --backbone ARCH'),
    (['a', '--backbone', 'tiny'], 'give a model, or --backbone ARCH'),
    (['a', 'b', '--backbone-only'], 'takes the checkpoint without'),
    (['nowhere'], 'nowhere is neither a file'),
    (['--backbone', 'huge'], "unknown arch 'huge'"),
    (['a', '--formats', 'tflite'], "unknown format 'tflite'"),
    (['--backbone', 'tiny', '--opset', '3'], 'opset 3 cannot be written'),
    (['--backbone', 'tiny', '--batch', '0'], 'batch must be'),
    (['--backbone', 'tiny', '--views', '3'], 'takes one view each'),
    (['--backbone', 'tiny', '--rounds', '-1'], 'rounds must be 0 or more'),
    (['--backbone', 'tiny', '--threads', '0'], '--threads must be at least'),
])
def test_errors(args: list, words: str, monkeypatch) -> None:
    """An error of a user is one line, before any tracing."""
    onnx = FORMATS['onnx']._replace(packages=())
    monkeypatch.setitem(FORMATS, 'onnx', onnx)
    with pytest.raises(SystemExit, match=f'^error: .*{words}'):
        run(*args, '--out', 'nowhere')


def test_help_names_all(capsys: pytest.CaptureFixture) -> None:
    """The help names the formats and defaults of the export."""
    with pytest.raises(SystemExit):
        main(['export', '--help'])
    words = capsys.readouterr().out.split()
    assert f'{", ".join(FORMATS)} (default:' in ' '.join(words)
    assert f'(default: {OPSET})' in ' '.join(words)


def test_script_of_a_clone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, 'argv', ['export.py', 'nowhere', '--out', 'x'])
    with pytest.raises(SystemExit, match='nowhere is neither a file'):
        runpy.run_path(
            str(ROOT / 'tools/deployment/export.py'), run_name='__main__')
