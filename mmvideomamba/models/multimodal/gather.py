"""Features of all processes, with a gradient."""
from typing import Any, Tuple

import torch
from mmengine import dist
from torch import Tensor

GATHER_GRADS = ('own', 'summed')


class _Gather(torch.autograd.Function):
    """Concatenate equal shapes of all processes along the first axis."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, summed: bool) -> Tensor:
        ctx.size, ctx.summed = len(x), summed
        # Collectives take contiguous memory alone.
        return torch.cat(dist.all_gather(x.contiguous()))

    @staticmethod
    def backward(ctx: Any, grad: Tensor) -> Tuple[Tensor, None]:
        if ctx.summed:
            grad = grad.contiguous()
            dist.all_reduce(grad)
        start = dist.get_rank() * ctx.size
        return grad[start:start + ctx.size], None


def gather_features(x: Tensor, gather_grad: str = 'own') -> Tensor:
    """Gather features of all processes.

    Each process then computes the same loss L of all W * b features, and
    ``DistributedDataParallel`` averages the gradients of the processes.
    With 'own', as published, a process hands back its own part of its own
    gradient, and the average is 1 / W of the gradient of L. With 'summed'
    the gradients of all processes are added up first, and the average is the
    gradient of L, as in one process with a batch of W * b.

    Args:
        x (Tensor): Shape (b, ...), the same on each process.
        gather_grad (str): 'own' or 'summed'. Defaults to 'own'.

    Returns:
        Tensor: Shape (W * b, ...).
    """
    if dist.get_world_size() == 1:
        return x
    return _Gather.apply(x, gather_grad == 'summed')
