"""Plain layers: an op may take the weights and leave the layers out."""
import functools
from typing import Any, Dict, Iterable, Optional, Tuple, Type

import torch
from mmcv.cnn.bricks import DropPath
from mmengine.logging import print_log
from torch import Tensor, nn
from torch.nn.modules import module as nn_module

# Exact classes: a subclass of Tensor, such as a quantised weight, computes by
# rules of the subclass, and a kernel would read the bare memory.
_WEIGHTS = (Tensor, nn.Parameter)
_Sizes = Tuple[int, ...]
# Tools may put another forward into a class of torch.
_FORWARDS: Dict[Type[nn.Module], Any] = {
    c: c.forward
    for c in (nn.Linear, nn.Conv1d, nn.Conv3d, DropPath)
}


def is_untouched(layer: nn.Module, kind: Type[nn.Module]) -> bool:
    """Tell whether a layer is of a class, without hooks or another forward.

    Args:
        layer (nn.Module): The layer.
        kind (type): The class; a derived class does not count.

    Returns:
        bool: Whether a call runs ``kind.forward`` and nothing else.
    """
    # Straight from the dictionaries: this runs for every layer in every call,
    # and an attribute of a module takes ten times as long.
    own = layer.__dict__
    return (type(layer) is kind and not own['_forward_hooks']
            and not own['_forward_pre_hooks'] and not own['_backward_hooks']
            and not own['_backward_pre_hooks'] and 'forward' not in own
            and kind.forward is _FORWARDS.get(kind, kind.forward)
            and not nn_module._has_any_global_hook())


def drop_prob_of(layer: nn.Module) -> float:
    """Return the drop probability of a plain ``DropPath``.

    An op may drop samples in the place of a plain ``DropPath``.

    Args:
        layer (nn.Module): The layer.

    Returns:
        float: 0 where nothing is dropped, in evaluation mode for instance,
        and where the layer has to be called.
    """
    own: Any = layer.__dict__
    if not is_untouched(layer, DropPath) or not own['training']:
        return 0.
    prob = own['drop_prob']
    # Another kind of number, or 1, is the layer's business.
    return prob if type(prob) is float and 0 < prob < 1 else 0.


def is_plain(layer: nn.Module,
             kind: Type[nn.Module],
             bias: Optional[bool] = None) -> bool:
    """Tell whether an op may compute a layer from the weights alone.

    A fused op takes the weights of several layers and calls no layer. Plain
    layers allow the fusion; adapters, hooks, parametrisations, pruning,
    quantisation and exchanged layers work only if a layer is called.

    Args:
        layer (nn.Module): The layer.
        kind (type): The class computed by the op: ``nn.Linear``,
            ``nn.Conv1d`` or ``nn.Conv3d``; derived classes do not count.
        bias (bool, optional): Whether the op takes a bias. Defaults to None,
            with or without.

    Returns:
        bool: False if the layer has to be called.
    """
    if not is_untouched(layer, kind):
        return False
    own = layer.__dict__
    weights = own['_parameters']
    # Sharding keeps a view of a weight as an attribute.
    weight = weights['weight'] if 'weight' in weights else own.get('weight')
    found = weights['bias'] if 'bias' in weights else own.get('bias')
    return (type(weight) in _WEIGHTS
            and (found is None or type(found) in _WEIGHTS)
            and (bias is None or bias is (found is not None)))


def is_plain_conv(layer: nn.Module, kind: Type[nn.Module], stride: _Sizes,
                  padding: _Sizes, groups: int) -> bool:
    """Tell whether a convolution is plain and has the geometry of an op.

    Args:
        layer (nn.Module): The layer.
        kind (type): ``nn.Conv1d`` or ``nn.Conv3d``.
        stride (tuple[int, ...]): Stride of the op.
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
    """Log once the first layer that prevents a fused mixer.

    Args:
        layers (Iterable[tuple[str, nn.Module]]): Layers to be called, by
            name; the first is told.
    """
    # A line of the log would break the graph of torch.compile.
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
