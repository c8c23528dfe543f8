"""Notice changes of private and compound attributes of layers."""
import random
from types import BuiltinFunctionType, FunctionType
from typing import Any, Collection, Dict, List, NamedTuple, Tuple

import numpy as np
import torch
from torch import Tensor, nn

# Depth of containers and objects inside of an attribute.
_DEPTH = 3
# Most entries of a searched container: a table of words is larger.
_LARGEST = 1000
# Immutable types: an unchanged object has unchanged contents.
_CONSTANT = (bool, int, float, str, FunctionType, BuiltinFunctionType)
# LayerTable follows the attributes that every module has: hooks, weights,
# children.
_MODULE = frozenset(vars(nn.Module()))


# The operator == of tensors and arrays compares elements, and an id passes to
# a new object once the old object is freed. Held here, an object keeps the id.
class _Same:
    """An object, equal only to the same object."""

    def __init__(self, value: Any) -> None:
        self.value = value

    def __eq__(self, other: Any) -> bool:
        return isinstance(other, _Same) and self.value is other.value


def _mark(value: Any, depth: int = _DEPTH) -> Any:
    """Describe a value, to be compared with a later description."""
    if value is None or isinstance(value, (int, float, complex, str, bytes)):
        return value
    if isinstance(value, Tensor):
        # Graphs read the memory of device tensors, and have the numbers of
        # host tensors.
        if value.device.type != 'cpu':
            return _Same(value), value.data_ptr()
        return _Same(value), None if value.is_inference() else value._version
    if isinstance(value, (nn.Module, type)) or not depth:
        return _Same(value)
    if isinstance(value, (dict, list, tuple, set, frozenset)) and \
            len(value) > _LARGEST:
        return _Same(value)
    # Contents are copied and compared at every look: only of small arrays.
    if isinstance(value, np.ndarray):
        return _Same(value), value.tobytes() if value.nbytes < 4096 else None
    if isinstance(value, dict):
        return [(_mark(k, 0), _mark(v, depth - 1)) for k, v in value.items()]
    if isinstance(value, (list, tuple)):
        return [_mark(x, depth - 1) for x in value]
    if isinstance(value, (set, frozenset)):
        return set(value)
    return _Same(value), _state(value, depth)


def _state(value: Any, depth: int) -> Any:
    """Describe the contents of an object."""
    if isinstance(value, random.Random):
        return value.getstate()
    if isinstance(value, np.random.RandomState):
        return repr(value.get_state(legacy=False)['state'])
    if isinstance(value, np.random.Generator):
        return repr(value.bit_generator.state)
    if isinstance(value, torch.Generator):
        return value.get_state().numpy().tobytes()
    return _mark(getattr(value, '__dict__', None), depth - 1)


def _is_constant(value: Any) -> bool:
    """Tell whether an identical object has the same contents."""
    if type(value) is tuple:
        return all(map(_is_constant, value))
    return type(value) in _CONSTANT


class _Attribute(NamedTuple):
    """An attribute of a layer."""
    path: str
    own: Dict[str, Any]
    key: str
    value: Any
    constant: bool
    mark: Any


class AttributeMarks:
    """Attributes of layers at a time, to be compared with later times.

    ``LayerTable`` leaves out private attributes, and attributes with
    functions, tensors, arrays, generators or other objects. An object counts
    as changed if exchanged, or if the contents have changed.

    Args:
        named (Collection[tuple[str, nn.Module]]): Layers by path.
        plain (Collection[tuple[str, str]]): Paths of layers and names of
            attributes of a ``LayerTable``.
    """

    def __init__(self, named: Collection[Tuple[str, nn.Module]],
                 plain: Collection[Tuple[str, str]]) -> None:
        left_out = set(plain)
        self._attributes: List[_Attribute] = []
        self._layers = []
        for path, module in named:
            own = vars(module)
            self._layers.append((path, own, len(own)))
            for key, value in own.items():
                if key not in _MODULE and (path, key) not in left_out:
                    name = f'{path}.{key}' if path else key
                    self._attributes.append(
                        _Attribute(name, own, key, value, _is_constant(value),
                                   _mark(value)))

    def settle(self, earlier: 'AttributeMarks') -> None:
        """Leave out attributes with results of a step.

        Args:
            earlier (AttributeMarks): Before a training step.
        """
        before = {x.path: x.mark for x in earlier._attributes}
        # Numbers and strings stay in any case: a graph would freeze a counter
        # at the value of the capture.
        self._attributes = [
            x for x in self._attributes
            if isinstance(x.own[x.key], (bool, int, float, str)) or (
                x.path in before and before[x.path] == x.mark)
        ]

    def changed(self) -> str:
        """Name the first changed attribute.

        Returns:
            str: Path in the model; '' for none.
        """
        # A new attribute has no mark to compare.
        for path, own, number in self._layers:
            if len(own) != number:
                return f'the set of attributes of {path or "the model"}'
        for path, own, key, value, constant, mark in self._attributes:
            if constant and own.get(key) is value:
                continue
            if key not in own or _mark(own[key]) != mark:
                return path
        return ''
