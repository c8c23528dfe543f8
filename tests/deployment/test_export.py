"""A file gets its name after a run with the results of the model."""
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch
from micro_models import backbone, build, classifier, recognizer

from mmvideomamba.deployment import (FORMATS, check_formats, export,
                                     export_model)
from mmvideomamba.extras import MissingExtraError
from mmvideomamba.inference.saved import describe


def test_a_recognizer_as_pt2(tmp_path: Path) -> None:
    """A process without this package runs the file; a report is written."""
    model = recognizer().half()
    file, = export_model(
        model, describe(model), tmp_path / 'a', ['pt2', 'pt2'], rounds=1)
    assert file.path == tmp_path / 'a' / 'model.pt2'
    assert file.size == file.path.stat().st_size
    assert file.difference < 1e-4
    assert {p.dtype for p in model.parameters()} == {torch.half}
    names = sorted(path.name for path in file.path.parent.iterdir())
    assert names == ['model.pt2', 'report.json', 'report.md']
    extra = dict(mmvideomamba='')
    program = torch.export.load(str(file.path), extra_files=extra)
    found = json.loads(extra['mmvideomamba'])
    assert found['task'] == 'video-classification'
    assert found['tensors']['inputs'][0]['name'] == 'frames'
    report = json.loads(file.path.with_name('report.json').read_text())
    assert report['metadata'] == found
    assert set(report['seconds']) == {'eager numba', 'eager torch', 'pt2'}
    assert report['files'][0]['seconds'] == report['seconds']['pt2']
    frames = torch.zeros(1, 5, 2, 16, 16, 3, dtype=torch.uint8)
    assert program.module()(frames)[1].shape == (1, 5, 3)


@pytest.mark.parametrize('found', [1.1e-3, float('nan')])
def test_a_wrong_file_keeps_another_name(found: float, tmp_path: Path,
                                         monkeypatch) -> None:
    """The error names the file; nothing else is written."""
    pt2 = FORMATS['pt2']._replace(
        write=lambda program, path: path.write_bytes(b'a'))
    monkeypatch.setitem(FORMATS, 'pt2', pt2)
    verifier: Any = SimpleNamespace(difference=lambda form, path: found)
    nothing: Any = None
    with pytest.raises(ValueError, match='model.failed.pt2 departs'):
        export._write('pt2', nothing, tmp_path, verifier)
    assert [p.name for p in tmp_path.iterdir()] == ['model.failed.pt2']


def test_a_file_of_other_weights(tmp_path: Path, monkeypatch) -> None:
    """The runtime's own results decide: a bias of a hundredth is found."""
    model = classifier()
    trace = export.trace

    def spoilt(plain: Any, interface: Any) -> Any:
        with torch.no_grad():
            dict(plain.named_parameters())['head.fc.bias'][0] += 0.01
        return trace(plain, interface)

    monkeypatch.setattr(export, 'trace', spoilt)
    with pytest.raises(ValueError, match='model.failed.pt2 departs'):
        export_model(model, describe(model), tmp_path, ['pt2'], rounds=0)
    assert [p.name for p in tmp_path.iterdir()] == ['model.failed.pt2']


def test_leftovers_of_an_earlier_export(tmp_path: Path) -> None:
    """Only files to be written by the export are removed."""
    folder = tmp_path / 'out'
    export._prepare(folder, ['pt2'])
    names = ('model.pt2', 'model.failed.pt2', 'report.md', 'report.json',
             'model.onnx', 'notes.txt')
    for name in names:
        folder.joinpath(name).write_text(name)
    export._prepare(folder, ['pt2'])
    assert {p.name for p in folder.iterdir()} == {'model.onnx', 'notes.txt'}
    with pytest.raises(ValueError, match='notes.txt is a file; name a folder'):
        export._prepare(folder / 'notes.txt', ['pt2'])


def test_a_backbone(tmp_path: Path, monkeypatch) -> None:
    """The shape of the features is in the metadata; times are left out."""

    def check(path: Path, inputs: Any) -> list:
        module = torch.export.load(str(path)).module()
        return [module(x) for x in inputs]

    monkeypatch.setitem(FORMATS, 'pt2', FORMATS['pt2']._replace(check=check))
    model = build(backbone(num_frames=1), 'mmaction')
    file, = export_model(
        model, describe(model), tmp_path, ['pt2'], batch=1, rounds=0)
    assert file.seconds is None
    report = json.loads((tmp_path / 'report.json').read_text())
    assert report['metadata']['tensors']['outputs'] == [
        dict(name='features', dtype='float32', shape=[1, 8])
    ]
    assert 'not timed' in (tmp_path / 'report.md').read_text()


def test_formats() -> None:
    """Names are checked, and packages before any work."""
    assert check_formats(['pt2', 'pt2']) == ('pt2', )
    with pytest.raises(ValueError, match="'tflite'; choose from pt2, onnx"):
        check_formats(['tflite'])
    with pytest.raises(ValueError, match='no format'):
        check_formats([])


def test_a_format_that_is_not_installed(monkeypatch) -> None:
    """The error names the extra."""
    onnx = FORMATS['onnx']._replace(packages=('onnx', 'no_such_package'))
    monkeypatch.setitem(FORMATS, 'onnx', onnx)
    line = r'no_such_package, not installed: pip install "onnx>=[^\n]*$'
    with pytest.raises(MissingExtraError, match=line):
        export_model(recognizer(), {}, 'nowhere', ['onnx'])


def test_frames(tmp_path: Path) -> None:
    """A number of frames not fitting the model is refused."""
    with pytest.raises(ValueError, match='frames=4: the model is built for 2'):
        export_model(recognizer(), {}, tmp_path, ['pt2'], frames=4)
    with pytest.raises(ValueError, match='the model takes images'):
        export_model(classifier(), {}, tmp_path, ['pt2'], frames=4)
    with pytest.raises(ValueError, match='opset 99 cannot be written'):
        export_model(classifier(), {}, tmp_path, ['pt2'], opset=99)
