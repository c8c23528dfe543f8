"""Exported files read and score as the models do."""
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

import mmvideomamba
from mmvideomamba.deployment import wrap
from mmvideomamba.deployment.interface import make_interface, metadata
from mmvideomamba.inference import Predictor
from mmvideomamba.inference.predictor import exported_file


def stand_in(monkeypatch: pytest.MonkeyPatch,
             model: Any,
             views: Any,
             change: Any = {}) -> None:
    """Let the model itself stand for the graph of an exported file."""
    wrapper: Any = wrap(model).eval()
    interface = make_interface(wrapper, views=views)
    with torch.no_grad():
        outputs = wrapper(wrapper.random_input(interface.example))
    text = metadata(
        dict(model.description, **change), wrapper, interface, outputs)

    def run(array: np.ndarray) -> Any:
        with torch.no_grad():
            return [x.numpy() for x in wrapper(torch.from_numpy(array))]

    monkeypatch.setattr(exported_file, '_open_pt2', lambda path: (run, text))


@pytest.mark.parametrize('views', [None, 1, 4])
@pytest.mark.parametrize('average', ['prob', 'score'])
def test_videos(trained_file: Any, tmp_path: Path,
                monkeypatch: pytest.MonkeyPatch, views: Any,
                average: str) -> None:
    """Any number of views at a time gives the numbers of the model."""
    model: Any = mmvideomamba.load(trained_file.file)
    model.cls_head.average_clips = average
    model.description['average'] = average
    expected = list(Predictor(model).predict(trained_file.folder, topk=99))
    assert sum(expected[0].probabilities) == pytest.approx(1, abs=1e-5)
    (tmp_path / 'm.pt2').touch()
    stand_in(monkeypatch, model, views)
    if views == 4:  # 6 views are not a multiple
        with pytest.raises(ValueError, match='was exported for inputs'):
            list(Predictor(tmp_path / 'm.pt2').predict(trained_file.folder))
        return
    found = Predictor(tmp_path / 'm.pt2').predict(trained_file.folder, topk=99)
    for one, other in zip(found, expected):
        assert one.labels == other.labels and one.names == other.names
        assert one.frames == other.frames
        np.testing.assert_allclose(
            one.probabilities, other.probabilities, atol=1e-5)


def test_images(image_file: Any, tmp_path: Path,
                monkeypatch: pytest.MonkeyPatch) -> None:
    file, folder = image_file
    model: Any = mmvideomamba.load(file)
    (tmp_path / 'm.pt2').touch()
    stand_in(monkeypatch, model, None)
    found = Predictor(tmp_path / 'm.pt2').predict(folder)
    for one, other in zip(found, Predictor(model).predict(folder)):
        assert one.labels == other.labels
        np.testing.assert_allclose(
            one.probabilities, other.probabilities, atol=1e-5)
    with pytest.raises(ValueError, match='an image has one view'):
        Predictor(tmp_path / 'm.pt2', views='one')


def test_unknown_rule(trained_file: Any, tmp_path: Path,
                      monkeypatch: pytest.MonkeyPatch) -> None:
    model: Any = mmvideomamba.load(trained_file.file)
    (tmp_path / 'm.pt2').touch()
    for rule, text in ((None, 'tells no way to read'),
                       (dict(kind='unknown', reason='odd step'), 'odd step')):
        stand_in(monkeypatch, model, None, dict(sampling=rule))
        with pytest.raises(ValueError, match=text):
            Predictor(tmp_path / 'm.pt2')


class Double(nn.Module):
    """A graph of one operation."""

    def forward(self, x: torch.Tensor) -> Any:
        return (x * 2, )


def test_opening_pt2(tmp_path: Path) -> None:
    path = str(tmp_path / 'double.pt2')
    texts = {exported_file.KEY: json.dumps(dict(a=1))}
    program = torch.export.export(Double(), (torch.ones(2), ))
    torch.export.save(program, path, extra_files=texts)
    run, text = exported_file._open_pt2(path)
    assert json.loads(text) == dict(a=1)
    outputs: Any = run(np.array([1, 2], np.float32))
    assert outputs[0].tolist() == [2, 4]


def test_opening_onnx(tmp_path: Path) -> None:
    onnx = pytest.importorskip('onnx')
    pytest.importorskip('onnxruntime')
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    graph = helper.make_graph([helper.make_node('Add', ['x', 'x'], ['y'])],
                              'double',
                              [helper.make_tensor_value_info('x', kind, [2])],
                              [helper.make_tensor_value_info('y', kind, [2])])
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid('', 18)], ir_version=10)
    helper.set_model_props(model, {exported_file.KEY: '{}'})
    path = tmp_path / 'double.onnx'
    path.write_bytes(model.SerializeToString())
    run, text = exported_file._open_onnx(str(path))
    assert run(np.array([1, 2], np.float32))[0].tolist() == [2, 4]
    assert text == '{}'
    path.write_bytes(b'none')
    with pytest.raises(ValueError, match='double.onnx cannot be opened'):
        Predictor(path)
