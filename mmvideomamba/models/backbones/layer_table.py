"""Notice changes of the layers of a model."""
from typing import Any, Dict, List, Tuple

from torch import nn
from torch.nn.modules import module as nn_module
from torch.nn.utils.parametrize import is_parametrized

# Packages whose layers compute the same in each call.
_FIXED = ('torch', 'mmcv', 'mmengine', 'mmvideomamba')


class LayerTable:
    """The layers of a model at a time, to be compared with later times.

    Args:
        model (nn.Module): The model.
    """

    def __init__(self, model: nn.Module) -> None:
        self.model = model
        modules = list(model.modules())
        # Adapters, for instance, may be switched on and off.
        self.fixed = all(
            type(m).__module__.partition('.')[0] in _FIXED
            and not is_parametrized(m) for m in modules)
        self._rows: List[Tuple[nn.Module, type,
                               Dict[str, Any]]] = [(m, type(m), vars(m))
                                                   for m in modules]
        self._children = [(m._modules, list(m._modules.values()))
                          for m in modules if m._modules]

    def same(self) -> bool:
        """Tell whether all layers compute the same as at the start.

        Returns:
            bool: False if a layer was exchanged, added or taken out, has a
            hook, a parametrisation or another forward than its class, or is
            of a class whose calls may differ.
        """
        if not self.fixed or nn_module._has_any_global_hook():
            return False
        for module, kind, own in self._rows:
            if (type(module) is not kind or own['_forward_hooks']
                    or own['_forward_pre_hooks']
                    or ('forward' in own and module is not self.model)):
                return False
        return all(
            list(children.values()) == before
            for children, before in self._children)

    def weights(self) -> List[int]:
        """Tell where the parameters and buffers of all layers are stored.

        Returns:
            list[int]: Addresses; equal to an earlier list if no tensor was
            exchanged for another object or got another ``data``.
        """
        # Not the objects: merged adapters and others set ``data``, and an
        # object may get the id of a dead one.
        return [
            0 if tensor is None else tensor.data_ptr()
            for _, _, own in self._rows
            for tensors in (own['_parameters'], own['_buffers'])
            for tensor in tensors.values()
        ]
