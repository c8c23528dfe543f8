"""Parameters of a model as new leaves of autograd."""
from contextlib import contextmanager
from typing import Dict, Iterator, List, Sequence, Tuple

from torch import nn


@contextmanager
def fresh_leaves(
        model: nn.Module,
        parameters: Sequence[nn.Parameter]) -> Iterator[List[nn.Parameter]]:
    """Let a model have other objects for its parameters for a while.

    A wrapper of distributed trainings keeps autograd's nodes of the
    parameters, and each node belongs to the stream of its making. A CUDA
    graph cannot hold work of two streams that do not meet, so the backward
    pass within a graph needs nodes of the graph's own stream: new leaves have
    them. Old and new objects share memory.

    Args:
        model (nn.Module): Not wrapped.
        parameters (Sequence[nn.Parameter]): To be replaced; a parameter of
            several modules gets one object.

    Yields:
        list[nn.Parameter]: New objects, in order.
    """
    fresh = [nn.Parameter(p.detach()) for p in parameters]
    by_id = {id(p): q for p, q in zip(parameters, fresh)}
    places: List[Tuple[Dict, str, nn.Parameter]] = []
    for module in model.modules():
        for name, p in module._parameters.items():
            if p is not None and id(p) in by_id:
                places.append((module._parameters, name, p))
    for own, name, p in places:
        own[name] = by_id[id(p)]
    try:
        yield fresh
    finally:
        for own, name, p in places:
            own[name] = p
