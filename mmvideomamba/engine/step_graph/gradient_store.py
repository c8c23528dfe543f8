"""Gradients of a model at fixed addresses, summed over processes."""
from typing import Dict, List, Sequence, Tuple

import torch
from mmengine import dist
from torch import Tensor, nn


class GradientStore:
    """Memory for the gradients of a model.

    Gradients of a dtype lie side by side: processes sum all in a single
    collective.

    Args:
        parameters (Sequence[nn.Parameter]): With gradients.

    Attributes:
        views (list[Tensor]): Gradient of each parameter.
    """

    def __init__(self, parameters: Sequence[nn.Parameter]) -> None:
        self.parameters = list(parameters)
        sizes: Dict[torch.dtype, int] = {}
        for x in self.parameters:
            sizes[x.dtype] = sizes.get(x.dtype, 0) + x.numel()
        device = self.parameters[0].device
        self.flat = {
            dtype: torch.zeros(size, dtype=dtype, device=device)
            for dtype, size in sizes.items()
        }
        starts = dict.fromkeys(sizes, 0)
        self.views: List[Tensor] = []
        for x in self.parameters:
            start = starts[x.dtype]
            part = self.flat[x.dtype][start:start + x.numel()]
            self.views.append(part.view(x.shape))
            starts[x.dtype] += x.numel()

    def of(self, parameters: Sequence[nn.Parameter]) -> bool:
        """Tell whether the store is of these parameters.

        Args:
            parameters (Sequence[nn.Parameter]): In order.

        Returns:
            bool: Whether all are the same objects.
        """
        return len(parameters) == len(self.parameters) and all(
            x is y for x, y in zip(parameters, self.parameters))

    def take(self, gradients: Sequence[Tensor]) -> None:
        """Put gradients in, or add to the gradients of earlier batches.

        Earlier batches have left gradients where parameters have ``grad``.

        Args:
            gradients (Sequence[Tensor]): Of each parameter.
        """
        # The host's zero_grad and a loaded checkpoint change ``grad`` alone,
        # so ``grad`` tells whether the values in the store count.
        if not self.waiting():
            for targets, sources in self._by_layout(gradients):
                torch._foreach_copy_(targets, sources)
            return
        # Gradients of a checkpoint are elsewhere.
        for parameter, view in zip(self.parameters, self.views):
            if parameter.grad is None:
                view.zero_()
            elif parameter.grad is not view:
                view.copy_(parameter.grad)
        torch._foreach_add_(self.views, list(gradients))

    def _by_layout(
        self, gradients: Sequence[Tensor]
    ) -> List[Tuple[List[Tensor], List[Tensor]]]:
        """Part gradients by layout: mixed layouts slow a list down."""
        parts: Tuple = (([], []), ([], []))
        for view, gradient in zip(self.views, gradients):
            targets, sources = parts[view.stride() != gradient.stride()]
            targets.append(view)
            sources.append(gradient)
        return [part for part in parts if part[0]]

    def show(self, parameters_have: bool) -> None:
        """Let the parameters have the gradients, or none.

        Args:
            parameters_have (bool): Whether ``grad`` is set.
        """
        for parameter, view in zip(self.parameters, self.views):
            parameter.grad = view if parameters_have else None

    def reduce(self) -> None:
        """Average the gradients over the processes."""
        world = dist.get_world_size()
        if world == 1:
            return
        for flat in self.flat.values():
            # In the order of DistributedDataParallel.
            flat.mul_(1 / world)
            torch.distributed.all_reduce(flat)

    def waiting(self) -> bool:
        """Tell whether gradients of earlier batches wait for a step."""
        return any(x.grad is not None for x in self.parameters)
