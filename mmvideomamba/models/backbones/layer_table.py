"""Notice changes of the layers of a model."""
import enum
import operator
from typing import Any, Callable, Dict, List, NamedTuple, Sequence

import numpy as np
import torch
from torch import nn
from torch.nn.modules import module as nn_module
from torch.nn.utils.parametrize import is_parametrized

from .attribute_marks import AttributeMarks

# Packages whose layers compute the same in each call.
TRUSTED = ('torch', 'mmcv', 'mmengine', 'mmvideomamba')
_NUMBERS = (int, float, bool, str, type(None), complex, bytes, enum.Enum,
            np.generic, torch.dtype, torch.device)
_HOOKS = ('_forward_hooks', '_forward_pre_hooks')
_BACKWARD_HOOKS = ('_backward_hooks', '_backward_pre_hooks')


class _Row(NamedTuple):
    """A layer at the start.

    Attributes:
        name (str): Path in the model.
        module (nn.Module): The layer.
        kind (type): Class of the layer.
        own (dict): The layer's attributes, alive.
        keys (list[str]): Names of the plain attributes.
        read (Callable): Reads the plain attributes from ``own``.
        settings (Any): The values at the start.
    """
    name: str
    module: nn.Module
    kind: type
    own: Dict[str, Any]
    keys: List[str]
    read: Callable
    settings: Any


class LayerTable:
    """The layers of a model at a time, to be compared with later times.

    Args:
        model (nn.Module): The model.
        packages (Sequence[str]): Packages whose layers are known to compute
            the same in each call. Defaults to ``TRUSTED``.
        training (bool): Whether the calls are training steps: the layers'
            modes and backward hooks, and the parameters' hooks and
            ``requires_grad``, are then compared as well. Defaults to False.
        outside (Sequence[str]): Names of children outside of the calls;
            hooks, classes and settings of these children are not compared.
            Defaults to ().
    """

    def __init__(self,
                 model: nn.Module,
                 packages: Sequence[str] = TRUSTED,
                 training: bool = False,
                 outside: Sequence[str] = ()) -> None:
        self.model = model
        self.training = training
        named = [(name, m) for name, m in model.named_modules()
                 if name.partition('.')[0] not in outside]
        modules = [m for _, m in named]
        # Adapters, for instance, may be switched on and off.
        self.fixed = all(
            type(m).__module__.partition('.')[0] in packages
            and not is_parametrized(m) for m in modules)
        self._hooks = _HOOKS + (_BACKWARD_HOOKS if training else ())
        self._rows = [self._row(name, m) for name, m in named]
        self._children = [(m._modules, list(m._modules.values()))
                          for m in modules if m._modules]
        parameters = list(model.named_parameters()) if training else []
        self._parameters = [p for _, p in parameters]
        self._names = [name for name, _ in parameters]
        self._learning = self._flags()

    def other_attributes(self) -> AttributeMarks:
        """Note the attributes left out of the table.

        Returns:
            AttributeMarks: As of now.
        """
        plain = [(row.name, key) for row in self._rows for key in row.keys]
        return AttributeMarks([(row.name, row.module) for row in self._rows],
                              plain)

    def _row(self, name: str, module: nn.Module) -> _Row:
        own = vars(module)
        # The first name exists in every module: itemgetter needs a key.
        keys = ['_is_full_backward_hook'] + [
            key for key, value in own.items()
            if (key != 'training' or self.training) and key[:1] != '_'
            and _is_plain(value)
        ]
        read = operator.itemgetter(*keys)
        return _Row(name, module, type(module), own, keys, read,
                    _copy(read(own)))

    def same(self) -> bool:
        """Tell whether all layers compute the same as at the start.

        Returns:
            bool: Whether ``same_layers`` and ``same_settings`` both hold.
        """
        return self.same_layers() and self.same_settings()

    def same_layers(self) -> bool:
        """Tell whether the model has the layers of the start and no others.

        Returns:
            bool: False if a layer was exchanged, added or taken out, has a
            hook, a parametrisation or another forward than its class, or is
            of a class whose calls may differ; for training also if a
            parameter has a hook.
        """
        if not self.fixed or nn_module._has_any_global_hook():
            return False
        hooks = self._hooks
        for _, module, kind, own, _, _, _ in self._rows:
            # graphed() itself puts a forward into the model.
            if (type(module) is not kind
                    or ('forward' in own and module is not self.model)):
                return False
            for name in hooks:
                if own[name]:
                    return False
        for children, before in self._children:
            if list(children.values()) != before:
                return False
        for p in self._parameters:
            if p._backward_hooks or p._post_accumulate_grad_hooks:
                return False
        return True

    def same_settings(self) -> bool:
        """Tell whether the plain attributes of all layers are unchanged.

        Returns:
            bool: False if a number, flag, string, or a tuple, list or dict
            of numbers, flags and strings, has another value; for training
            also if ``training`` of a layer or ``requires_grad`` of a
            parameter has.
        """
        return not self.changed_setting()

    def changed_setting(self) -> str:
        """Name the first plain attribute with another value than before.

        Returns:
            str: Path in the model, as ``layers.3.drop_path.drop_prob``; ''
            for none. Attributes of the model itself stand alone.
        """
        for row in self._rows:
            if not _equal(row.read, row.own, row.settings):
                path = f'{row.name}.' if row.name else ''
                # A row of a single attribute has no tuple of values.
                values = row.settings if row.keys[1:] else [row.settings]
                return path + next(
                    key for key, value in zip(row.keys, values)
                    if not _equal(operator.itemgetter(key), row.own, value))
        if self._flags() != self._learning:
            flags = zip(self._names, self._flags(), self._learning)
            return next(f'{n}.requires_grad' for n, a, b in flags if a != b)
        return ''

    def _flags(self) -> List[bool]:
        return [p.requires_grad for p in self._parameters]

    def weights(self) -> List[int]:
        """Tell where the parameters and buffers of all layers are stored.

        Returns:
            list[int]: Addresses; equal to an earlier list if no tensor was
            exchanged for another object or got another ``data``.
        """
        # Addresses, not objects: merged adapters and others set ``data``, and
        # a new object may get the id of a freed object.
        return [
            0 if tensor is None else tensor.data_ptr() for row in self._rows
            for tensors in (row.own['_parameters'], row.own['_buffers'])
            for tensor in tensors.values()
        ]


def _is_plain(value: Any) -> bool:
    """Tell whether a value is made of numbers, flags and strings only."""
    if isinstance(value, (tuple, list)):
        return all(map(_is_plain, value))
    if isinstance(value, dict):
        return all(map(_is_plain, value.values()))
    return isinstance(value, _NUMBERS)


def _copy(value: Any) -> Any:
    """Copy lists and dicts: the model may change both in place."""
    if isinstance(value, dict):
        return {k: _copy(v) for k, v in value.items()}
    if type(value) in (tuple, list):
        return type(value)(map(_copy, value))
    return value


def _equal(read: Callable, own: Dict[str, Any], settings: Any) -> bool:
    """Tell whether attributes have the values of before."""
    try:
        return bool(read(own) == settings)
    except (KeyError, RuntimeError, ValueError):
        # Gone, or a tensor or array is in the place of a number.
        return False
