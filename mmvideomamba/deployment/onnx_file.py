"""ONNX files."""
import json
import re
from pathlib import Path
from typing import Any, Callable, List, Sequence

import torch
from torch import Tensor

from .interface import KEY
from .program import Format, Outputs, Program

# The newest operator set known to the oldest onnxruntime of the extra.
OPSET = 23
_OPSETS = range(18, 26)


def check_opset(opset: int) -> int:
    """Check a version of ONNX's operators.

    Args:
        opset (int): The version.

    Returns:
        int: The version.

    Raises:
        ValueError: If torch's exporter cannot write the operator set.
    """
    if opset not in _OPSETS:
        raise ValueError(f'opset {opset} cannot be written; choose one from '
                         f'{_OPSETS[0]} to {_OPSETS[-1]} (default {OPSET})')
    return opset


def _graphs(graph: Any) -> List[Any]:
    """List a graph or function and the graphs inside of nodes."""
    found = [graph]
    for node in graph.node:
        for attribute in node.attribute:
            # A loop, as of the scan, keeps nodes in an inner graph.
            inner = [*attribute.graphs]
            if attribute.HasField('g'):
                inner.append(attribute.g)
            for each in inner:
                found += _graphs(each)
    return found


def _name_axes(model: Any, names: Sequence[Any]) -> None:
    """Name the free axes; the exporter's names are s41 and so on.

    Args:
        model (onnx.ModelProto): With a single input, changed in place.
        names (Sequence[int | str]): Shape of the input.
    """
    axes = model.graph.input[0].type.tensor_type.shape.dim
    known = {
        axis.dim_param: name
        for axis, name in zip(axes, names) if axis.dim_param
    }

    def rename(match: Any) -> str:
        return known.get(match[0], match[0])

    graph = model.graph
    for value in (*graph.input, *graph.output, *graph.value_info):
        for axis in value.type.tensor_type.shape.dim:
            if axis.dim_param:
                # Lengths may be products, for example s41*s45.
                axis.dim_param = re.sub(r'\w+', rename, axis.dim_param)


def _write(program: Program, path: Path) -> int:
    # Not at the top: the package belongs to an extra.
    import onnx
    written = torch.onnx.export(
        program.exported,
        dynamo=True,
        opset_version=check_opset(program.opset or OPSET),
        output_names=list(program.output_names),
        verbose=False)
    assert written is not None
    model = written.model_proto
    model.metadata_props.add(key=KEY, value=program.metadata)
    inputs = json.loads(program.metadata)['tensors']['inputs']
    _name_axes(model, inputs[0]['shape'])
    onnx.save(model, str(path))
    roots = [model.graph, *model.functions]
    return sum(len(g.node) for root in roots for g in _graphs(root))


def _open(path: Path) -> Callable[[Tensor], Outputs]:
    import onnxruntime
    options = onnxruntime.SessionOptions()
    # The times stand next to torch's: as many threads.
    options.intra_op_num_threads = torch.get_num_threads()
    session = onnxruntime.InferenceSession(
        str(path), options, providers=['CPUExecutionProvider'])
    name = session.get_inputs()[0].name

    def run(x: Tensor) -> Outputs:
        found = session.run(None, {name: x.numpy()})
        return tuple(torch.from_numpy(array) for array in found)

    return run


def _check(path: Path, inputs: Sequence[Tensor]) -> List[Outputs]:
    """Check a file by the rules of ONNX, and run the file."""
    import onnx
    onnx.checker.check_model(str(path), full_check=True)
    run = _open(path)
    return [run(x) for x in inputs]


ONNX = Format('.onnx', ('onnx', 'onnxruntime', 'onnxscript'), 'export', _write,
              _check, _open)
