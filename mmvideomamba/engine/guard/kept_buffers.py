"""Buffers of a model as they were before a bad step."""
from typing import Optional

import torch
from torch import Tensor, nn


class KeptBuffers:
    """Keep the running statistics of a model.

    Args:
        model (nn.Module, optional): Not wrapped; None keeps nothing.
    """

    def __init__(self, model: Optional[nn.Module]) -> None:
        # Other modules' buffers are constants, or follow from the data.
        layers = [
            x for x in (model.modules() if model is not None else ())
            if isinstance(x, nn.modules.batchnorm._NormBase)
        ]
        self.buffers = [b for x in layers for b in x.buffers()]
        self.before = [torch.empty_like(x) for x in self.buffers]

    def keep(self) -> None:
        """Copy the buffers, before a forward."""
        for before, buffer in zip(self.before, self.buffers):
            before.copy_(buffer)

    def restore(self, bad: Tensor) -> None:
        """Undo the changes of a bad step, without waiting for the device.

        Args:
            bad (Tensor): Boolean, shape (), on the buffers' device.
        """
        for before, buffer in zip(self.before, self.buffers):
            buffer.copy_(torch.where(bad, before, buffer))
