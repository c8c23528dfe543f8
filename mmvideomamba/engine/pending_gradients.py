"""Gradients of accumulated batches, between two steps of the optimizer."""
from typing import Any, Dict, List, Optional

import torch
from mmengine import dist
from torch import nn

from .inner_model import inner_model

KEY = 'pending_gradients'  # in a checkpoint


def gather_gradients(
        model: nn.Module) -> Optional[List[Dict[str, torch.Tensor]]]:
    """Collect the gradients that wait for a step of the optimizer.

    Args:
        model (nn.Module): After a batch; all processes call the function.

    Returns:
        list[dict[str, Tensor]], optional: Gradients by parameter, an entry
        for each process, on the CPU; None on all processes but the main one,
        and where no gradient waits.
    """
    own = {
        name: x.grad.cpu()
        for name, x in inner_model(model).named_parameters()
        if x.grad is not None
    }
    if not own:
        return None
    if dist.get_world_size() == 1:
        return [own]
    everyone: Any = dist.all_gather_object(own)
    return everyone if dist.is_main_process() else None


def restore_gradients(model: nn.Module,
                      found: List[Dict[str, torch.Tensor]]) -> None:
    """Give the parameters the gradients of a checkpoint.

    Args:
        model (nn.Module): The model.
        found (list[dict[str, Tensor]]): Of ``gather_gradients``. On another
            number of processes each gets the mean.
    """
    if len(found) == dist.get_world_size():
        own = found[dist.get_rank()]
    else:
        own = {
            # An update averages over processes: the mean everywhere gives the
            # same.
            name: torch.stack([one[name] for one in found]).mean(0)
            for name in found[0]
        }
    for name, x in inner_model(model).named_parameters():
        if name in own:
            x.grad = own[name].to(x.device, x.dtype, copy=True)
