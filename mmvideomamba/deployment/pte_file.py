"""Files of ExecuTorch, .pte, for phones and small devices.

A file has no room for texts: the metadata is the constant result of a method.
"""
from pathlib import Path
from typing import Callable, List, Optional, Sequence

import torch
from torch import Tensor
from torch.nn import functional as F

from .interface import KEY
from .program import Format, Outputs, Program, count_nodes


def conv3d(x: Tensor,
           weight: Tensor,
           bias: Optional[Tensor] = None,
           stride: Sequence[int] = (1, 1, 1),
           padding: Sequence[int] = (0, 0, 0),
           dilation: Sequence[int] = (1, 1, 1),
           groups: int = 1) -> Tensor:
    """Convolve clips as a sum of convolutions of pictures.

    ExecuTorch has no kernel for 3-D convolutions. The arguments are the same
    as of ``F.conv3d``, without padding and dilation in time.

    Args:
        x (Tensor): Clips, shape (b, c, t, h, w).
        weight (Tensor): Shape (d, c, kt, kh, kw).
        bias (Tensor, optional): Shape (d, ). Defaults to None.
        stride (Sequence[int]): In t, h, w. Defaults to 1 in each.
        padding (Sequence[int]): In t, h, w. Defaults to 0 in each.
        dilation (Sequence[int]): In t, h, w. Defaults to 1 in each.
        groups (int): Groups of channels. Defaults to 1.

    Returns:
        Tensor: Shape (b, d, t', h', w').

    Raises:
        ValueError: For padding or dilation in time.
    """
    if padding[0] != 0 or dilation[0] != 1:
        raise ValueError('a .pte file takes no convolution with padding or '
                         f'dilation in time: {padding[0]}, {dilation[0]}')
    step, length = stride[0], weight.shape[2]
    times = (x.shape[2] - length) // step + 1
    parts = []
    for i in range(length):
        frames = x[:, :, i:i + step * (times - 1) + 1:step]
        # Frames as pictures, (b * times, c, h, w); the bias comes once.
        parts.append(
            F.conv2d(
                frames.transpose(1, 2).flatten(0, 1), weight[:, :, i],
                None if i else bias, stride[1:], padding[1:], dilation[1:],
                groups))
    return sum(parts[1:],
               parts[0]).unflatten(0, (x.shape[0], times)).transpose(1, 2)


def _write(program: Program, path: Path) -> int:
    from executorch.backends.xnnpack.partition.xnnpack_partitioner import \
        XnnpackPartitioner
    from executorch.exir import to_edge_transform_and_lower
    exported, clips = program.exported, torch.ops.aten.conv3d.default
    if any(node.target == clips for node in exported.graph.nodes):
        exported = exported.run_decompositions({clips: conv3d})
    edge = to_edge_transform_and_lower(
        exported,
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


PTE = Format('.pte', ('executorch', ), '', _write, _check, _open)
