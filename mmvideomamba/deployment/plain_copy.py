"""A copy of a model for export: on the CPU, float32, adapters merged."""
import copy
from typing import Any

import torch
from mmpretrain.models.peft import LoRAModel
from mmpretrain.models.peft.lora import LoRALinear
from torch import nn

from mmvideomamba.models import VideoMamba


def _merge_lora(layer: LoRALinear) -> nn.Linear:
    """Add a low-rank product to the weight of the layer below."""
    linear = layer.original_layer
    product = layer.lora_up.weight @ layer.lora_down.weight
    linear.weight.data += layer.scaling * product
    return linear


def _without_adapter(module: Any, name: str) -> nn.Module:
    """Return the plain module in the place of an adapter.

    peft is no requirement: methods tell the classes of peft.
    """
    if isinstance(module, LoRALinear):
        return _merge_lora(module)
    if isinstance(module, LoRAModel):
        return module.module
    if hasattr(module, 'get_base_layer'):
        if not hasattr(module, 'merge'):
            raise ValueError(f'the adapter {type(module).__name__} at {name} '
                             'cannot be merged; export the model without it')
        module.merge()
        return module.get_base_layer()
    if hasattr(module, 'merge_and_unload'):
        return module.merge_and_unload()
    return module


def _merge(parent: nn.Module, prefix: str = '') -> None:
    """Merge the adapters below a module, in place, the outermost first."""
    for key, child in list(parent.named_children()):
        name = prefix + key
        plain = _without_adapter(child, name)
        # An adapter may stand around another adapter.
        while plain is not child:
            child, plain = plain, _without_adapter(plain, name)
        if plain is not getattr(parent, key):
            setattr(parent, key, plain)
        _merge(plain, f'{name}.')


def plain_copy(model: nn.Module) -> nn.Module:
    """Copy a model into the form for the export.

    Adapters of mmpretrain's ``LoRAModel`` and of peft become part of the
    weights, so that the fused scan applies. Weights in half precision become
    float32; the backend becomes 'auto', as tracers cannot follow a backend
    named in the config; a CUDA graph is left out.

    Args:
        model (nn.Module): Any module, unchanged.

    Returns:
        nn.Module: On the CPU, float32, for evaluation, without gradients.

    Raises:
        ValueError: If an adapter cannot be merged; the message names the
            layer.
    """
    plain = copy.deepcopy(model).float().cpu().eval().requires_grad_(False)
    with torch.no_grad():
        _merge(plain)
    module: Any
    for module in plain.modules():
        if isinstance(getattr(module, 'backend', None), str):
            module.backend = 'auto'
        if isinstance(module, VideoMamba):
            # Of ``graphed``; the method of the class comes to light.
            module.__dict__.pop('forward', None)
    return plain
