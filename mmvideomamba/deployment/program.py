"""A traced model, and formats of files."""
import importlib.util
from pathlib import Path
from typing import Callable, NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor
from torch.export import Dim, ExportedProgram

from mmvideomamba.extras import install_command
from mmvideomamba.ops.dispatch import use_backend
from .interface import Interface
from .wrappers import ExportWrapper

Outputs = Tuple[Tensor, ...]


class Program(NamedTuple):
    """Sources of an exported file.

    Args:
        exported (ExportedProgram): The graph, with the weights.
        metadata (str): JSON for the file.
        output_names (tuple[str]): In order.
        opset (int, optional): Version of ONNX's operators; None is the
            default.
    """
    exported: ExportedProgram
    metadata: str
    output_names: Tuple[str, ...]
    opset: Optional[int] = None


class Format(NamedTuple):
    """A kind of file.

    Args:
        suffix (str): Of the file name.
        packages (tuple[str]): To be imported, besides torch.
        extra (str): The extra with the packages, '' for none.
        write (Callable): From a program and a path to the number of nodes.
        check (Callable): From a path and inputs to the outputs for each; runs
            the file as a consumer does, without this package.
        open (Callable): From a path to the model as a function of an input,
            for timing.
    """
    suffix: str
    packages: Tuple[str, ...]
    extra: str
    write: Callable[[Program, Path], int]
    check: Callable[[Path, Sequence[Tensor]], Sequence[Outputs]]
    open: Callable[[Path], Callable[[Tensor], Outputs]]

    def missing(self) -> Tuple[str, ...]:
        """List the missing packages."""
        return tuple(
            p for p in self.packages if importlib.util.find_spec(p) is None)

    def install(self) -> str:
        """Return the command to install the packages."""
        if self.extra:
            return install_command(self.extra)
        return ' '.join(['pip install', *self.packages])


def trace(plain: ExportWrapper, interface: Interface) -> ExportedProgram:
    """Trace a model by ``torch.export``.

    Args:
        plain (ExportWrapper): Of ``plain_copy``.
        interface (Interface): Axes of fixed and of any length.

    Returns:
        ExportedProgram: The graph, of torch's own operators.
    """
    x = plain.random_input(interface.example)
    free = {
        plain.input_axes.index(axis): Dim(axis, min=1)
        for axis, length in zip(interface.axes, interface.lengths)
        if length is None
    }
    # Whatever backend the user chose: a tracer follows 'auto' alone.
    with torch.no_grad(), use_backend('auto'):
        return torch.export.export(
            plain, (x, ), dynamic_shapes=(free, ) if free else None)


def count_nodes(module: torch.nn.Module) -> int:
    """Count the operators of a graph and of the graphs inside.

    Args:
        module (nn.Module): A ``GraphModule``.

    Returns:
        int: Calls of functions.
    """
    graphs = (
        m.graph for m in module.modules()
        if isinstance(m, torch.fx.GraphModule))
    return sum(node.op == 'call_function' for graph in graphs
               for node in graph.nodes)
