"""Files of ExecuTorch, .pte, for phones and small devices.

A file has no room for texts: the metadata is the constant result of a method.
"""
from pathlib import Path
from typing import Callable, List, Sequence

import torch
from torch import Tensor

from .interface import KEY
from .program import Format, Outputs, Program, count_nodes


def _write(program: Program, path: Path) -> int:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import \
        XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower
    edge = to_edge_transform_and_lower(
        program.exported,
        partitioner=[XnnpackPartitioner()],
        constant_methods={KEY: program.metadata})
    nodes = count_nodes(edge.exported_program().graph_module)
    path.write_bytes(edge.to_executorch().buffer)
    return nodes


def _open(path: Path) -> Callable[[Tensor], Outputs]:
    from executorch.runtime import Runtime
    method = Runtime.get().load_program(path).load_method('forward')

    def run(x: Tensor) -> Outputs:
        return tuple(torch.as_tensor(y) for y in method.execute([x]))

    return run


def _check(path: Path, inputs: Sequence[Tensor]) -> List[Outputs]:
    """Run a file; an output lives until the next run."""
    run = _open(path)
    return [tuple(y.clone() for y in run(x)) for x in inputs]


PTE = Format('.pte', ('executorch', ), 'executorch', _write, _check, _open)
