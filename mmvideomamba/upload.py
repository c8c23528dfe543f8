"""Copies from the host to a device that do not wait for the device."""
import torch
from torch import Tensor


def upload(x: Tensor, device: torch.device) -> Tensor:
    """Copy a tensor to a device, on a GPU without waiting for it.

    Args:
        x (Tensor): Any shape and dtype.
        device (torch.device): Device of the copy.

    Returns:
        Tensor: On the device; ``x`` itself if already there.
    """
    if device.type == 'cuda' and x.device.type == 'cpu':
        # From pageable memory a copy waits for all kernels before it.
        return x.pin_memory().to(device, non_blocking=True)
    return x.to(device)
