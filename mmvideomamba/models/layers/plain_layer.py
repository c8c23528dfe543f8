"""Plain layers: an op may take the weights and leave the layers out."""
import functools
from typing import Iterable, Tuple, Type

import torch
from mmengine.logging import print_log
from torch import Tensor, nn
from torch.nn.modules import module as nn_module

_WEIGHTS = (Tensor, nn.Parameter)


def is_plain(layer: nn.Module, kind: Type[nn.Module]) -> bool:
    """Tell whether class and weights say all that a layer does.

    An op that fuses several layers takes the weights and calls no layer. Plain
    layers allow it; adapters, hooks, parametrisations, pruning, quantisation
    and exchanged layers work only if a layer is called.

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


def tell_called(layers: Iterable[Tuple[str, nn.Module]]) -> None:
    """Say once which layer keeps an op from standing for all of them.

    Args:
        layers (Iterable[tuple[str, nn.Module]]): The layers by name.
    """
    if torch.compiler.is_compiling():
        return
    for name, layer in layers:
        if not any(is_plain(layer, kind) for kind in (nn.Linear, nn.Conv1d)):
            _tell(name, type(layer).__name__)
            return


@functools.lru_cache(maxsize=None)
def _tell(name: str, kind: str) -> None:
    print_log(
        f'{name} ({kind}) is not a plain layer or has hooks: layers of such a '
        'mixer are called one by one, which takes more time and memory than '
        'the op for all of them', 'current')
