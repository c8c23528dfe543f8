"""ONNX files run in onnxruntime, with names, shapes and metadata."""
import json
from pathlib import Path

import pytest
from micro_models import recognizer

from mmvideomamba.deployment import export_model
from mmvideomamba.deployment.onnx_file import OPSET, _graphs, check_opset
from mmvideomamba.inference.saved import describe

onnx = pytest.importorskip('onnx')
onnxruntime = pytest.importorskip('onnxruntime')
pytest.importorskip('onnxscript')


def test_a_recognizer(tmp_path: Path) -> None:
    """Axes have names; the metadata describe the model."""
    model = recognizer()
    file, = export_model(model, describe(model), tmp_path, ['onnx'], rounds=0)
    assert file.path.name == 'model.onnx' and file.difference < 1e-4
    session = onnxruntime.InferenceSession(
        str(file.path), providers=['CPUExecutionProvider'])
    given, = session.get_inputs()
    assert given.name == 'frames'
    assert given.shape == ['batch', 'views', 2, 16, 16, 3]
    assert [(x.name, x.shape) for x in session.get_outputs()
            ] == [('probabilities', ['batch', 3]),
                  ('logits', ['batch', 'views', 3])]
    text = session.get_modelmeta().custom_metadata_map['mmvideomamba']
    assert json.loads(text)['task'] == 'video-classification'
    written = onnx.load(str(file.path))
    assert {x.domain: x.version for x in written.opset_import}[''] == OPSET


def test_nodes_inside_are_counted() -> None:
    """Bodies of loops and branches are graphs, too."""
    inner = onnx.helper.make_graph(
        [onnx.helper.make_node('Relu', ['a'], ['b'])] * 3, 'inner', [], [])
    outer = onnx.helper.make_graph([
        onnx.helper.make_node(
            'If', ['c'], ['d'], then_branch=inner, else_branch=inner)
    ], 'outer', [], [])
    assert [len(graph.node) for graph in _graphs(outer)] == [1, 3, 3]


def test_opsets() -> None:
    """Unsupported opset versions are refused."""
    assert check_opset(18) == 18
    with pytest.raises(ValueError, match='opset 17 .* from 18 to 25'):
        check_opset(17)
