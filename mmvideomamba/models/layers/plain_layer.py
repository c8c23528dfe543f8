"""Plain layers: an op may take the weights and leave the layers out."""
import functools
from typing import Any, Dict, Iterable, Optional, Tuple, Type

import torch
from mmengine.logging import print_log
from torch import Tensor, nn
from torch.nn.modules import module as nn_module

_WEIGHTS = (Tensor, nn.Parameter)
_Sizes = Tuple[int, ...]
# Tools may put another forward into a class of torch.
_FORWARDS: Dict[Type[nn.Module], Any] = {
    c: c.forward
    for c in (nn.Linear, nn.Conv1d, nn.Conv3d)
}


def is_plain(layer: nn.Module,
             kind: Type[nn.Module],
             bias: Optional[bool] = None) -> bool:
    """Tell whether class and weights say all that a layer does.

    An op that fuses several layers takes the weights and calls no layer. Plain
    layers allow it; adapters, hooks, parametrisations, pruning, quantisation
    and exchanged layers work only if a layer is called.

    Args:
        layer (nn.Module): The layer.
        kind (type): ``nn.Linear``, ``nn.Conv1d`` or ``nn.Conv3d``, which the
            op computes; children do not count.
        bias (bool, optional): Whether the op takes a bias. Defaults to None,
            with or without.

    Returns:
        bool: False if the layer has to be called.
    """
    # Straight from the dictionaries: this runs for every layer in every call,
    # and an attribute of a module takes ten times as long.
    own = layer.__dict__
    if (type(layer) is not kind or own['_forward_hooks']
            or own['_forward_pre_hooks'] or own['_backward_hooks']
            or own['_backward_pre_hooks'] or 'forward' in own
            or kind.forward is not _FORWARDS[kind]
            or nn_module._has_any_global_hook()):
        return False
    weights = own['_parameters']
    weight, found = (
        # Sharding keeps a view of a weight as an attribute.
        weights[name] if name in weights else own.get(name)
        for name in ('weight', 'bias'))
    return (type(weight) in _WEIGHTS
            and (found is None or type(found) in _WEIGHTS)
            and (bias is None or bias is (found is not None)))


def is_plain_conv(layer: nn.Module, kind: Type[nn.Module], stride: _Sizes,
                  padding: _Sizes, groups: int) -> bool:
    """Tell whether a convolution is plain and has the geometry of an op.

    Args:
        layer (nn.Module): The layer.
        kind (type): ``nn.Conv1d`` or ``nn.Conv3d``.
        stride (tuple[int, ...]): Stride that the op computes.
        padding (tuple[int, ...]): Zeros at both ends of each axis.
        groups (int): Groups of channels.

    Returns:
        bool: False if the layer has to be called.
    """
    if not is_plain(layer, kind):
        return False
    own: Any = layer.__dict__
    return (own['padding'] == padding and own['stride'] == stride
            and own['groups'] == groups and max(own['dilation']) == 1
            and own['padding_mode'] == 'zeros')


def tell_called(layers: Iterable[Tuple[str, nn.Module]]) -> None:
    """Say once which layer keeps an op from standing for all of a mixer.

    Args:
        layers (Iterable[tuple[str, nn.Module]]): Layers to be called, by
            name; the first is told.
    """
    if torch.compiler.is_compiling():
        return
    for name, layer in layers:
        _tell(name, type(layer).__name__)
        return


@functools.lru_cache(maxsize=None)
def _tell(name: str, kind: str) -> None:
    print_log(
        f'{name} ({kind}) is not a plain layer or has hooks: layers of such a '
        'mixer are called one by one, which takes more time and memory than '
        'the op for all of them', 'current')
