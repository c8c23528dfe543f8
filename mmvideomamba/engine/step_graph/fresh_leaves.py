"""Parameters of a model as new leaves of autograd."""
from contextlib import contextmanager
from typing import Dict, Iterator, List, Sequence, Tuple

from torch import nn


@contextmanager
def fresh_leaves(
        model: nn.Module,
        parameters: Sequence[nn.Parameter]) -> Iterator[List[nn.Parameter]]:
    """Exchange the parameters of a model for new objects for a while.

    A wrapper of distributed trainings keeps autograd's nodes of the
    parameters, and each node belongs to the stream where the node was made.
    Work of a second stream ends the capture of a CUDA graph, so the backward
    pass within a graph needs nodes of the capture's stream: new leaves have
    new nodes. Old and new objects share memory.

    Args:
        model (nn.Module): Not wrapped.
        parameters (Sequence[nn.Parameter]): To be replaced; a parameter of
            several modules gets a single object.

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
