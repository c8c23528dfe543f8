"""Which layers may be left out for an op that takes their weights."""
from typing import Type

from torch import Tensor, nn
from torch.nn.modules import module as nn_module

_WEIGHTS = (Tensor, nn.Parameter)


def is_plain(layer: nn.Module, kind: Type[nn.Module]) -> bool:
    """Tell whether a layer does nothing but what its class and weights say.

    An op that fuses several layers takes their weights and does not call
    them. That is right for plain layers only: adapters, hooks,
    parametrisations, pruning, quantisation and exchanged layers do their work
    when a layer is called.

    Args:
        layer (nn.Module): The layer.
        kind (type): The class that the op computes; children do not count.

    Returns:
        bool: False if the layer has to be called.
    """
    # Straight from the dictionaries: this runs for every layer in every call,
    # and an attribute of a module takes ten times as long.
    own = layer.__dict__
    if (type(layer) is not kind or own['_forward_hooks']
            or own['_forward_pre_hooks'] or own['_backward_hooks']
            or own['_backward_pre_hooks'] or 'forward' in own
            or nn_module._has_any_global_hook()):
        return False
    weights = own['_parameters']
    weight, bias = (
        # Sharding keeps a view of a weight as an attribute.
        weights[name] if name in weights else own.get(name)
        for name in ('weight', 'bias'))
    return type(weight) in _WEIGHTS and (bias is None
                                         or type(bias) in _WEIGHTS)
