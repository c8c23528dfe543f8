"""Pickles read as data: named stand-ins are called, nothing else.

A pickle names functions and calls them while it is read. The reader below
looks a name up in a table of harmless stand-ins, and refuses a name outside
the table, so that no code of the file's choice runs.
"""
import pickle
from typing import Any, Callable, Mapping, Sequence, Tuple

import torch
from torch import Tensor


class StandIn:
    """A function for pickles to call, neither to change nor to replace.

    Args:
        function (Callable): Runs in a call.
    """
    # No __dict__, which a pickle could fill without a call of __setattr__.
    __slots__ = ('_function', )
    _function: Callable

    def __init__(self, function: Callable) -> None:
        # The class refuses each setting of an attribute.
        object.__setattr__(self, '_function', function)

    def __call__(self, *args: Any) -> Any:
        """Call the function."""
        return self._function(*args)

    def __setattr__(self, name: str, value: Any) -> None:
        """Refuse a change."""
        raise pickle.UnpicklingError(f'setting {name!r} is not allowed')

    def __setstate__(self, state: Any) -> None:
        """Refuse the state that a pickle gives to an object."""
        raise pickle.UnpicklingError('a state of a function is not allowed')


class PlainUnpickler(pickle.Unpickler):
    """An unpickler that knows the names of a table alone.

    Args:
        file (BinaryIO): The pickle.
        names (Mapping[str, Any]): Full name to stand-in.
    """

    def __init__(self, file: Any, names: Mapping[str, Any]) -> None:
        super().__init__(file)
        self.names = names

    def find_class(self, module: str, name: str) -> Any:
        """Return the stand-in of a name.

        Args:
            module (str): Module of the name.
            name (str): Name within the module.

        Returns:
            Any: The stand-in.

        Raises:
            pickle.UnpicklingError: If the table has no such name.
        """
        full = f'{module}.{name}'
        if full not in self.names:
            raise pickle.UnpicklingError(f'{full} is not allowed')
        return self.names[full]

    def persistent_load(self, pid: Any) -> Any:
        """Refuse a reference to content outside the pickle.

        Args:
            pid (Any): The reference.

        Returns:
            Any: Never.

        Raises:
            pickle.UnpicklingError: Always.
        """
        raise pickle.UnpicklingError(f'the reference {pid!r} is not allowed')


def tensor_view(storage: Any, offset: Any, size: Sequence[int],
                stride: Sequence[int], requires_grad: Any, backward_hooks: Any,
                *metadata: Any) -> Tensor:
    """Stand for ``torch._utils._rebuild_tensor_v2``, within the storage.

    Args:
        storage (Tensor): All elements of the storage, shape (n, ).
        offset (int): Index of the view's first element.
        size (Sequence[int]): Shape of the view.
        stride (Sequence[int]): Steps of the view, in elements.
        requires_grad (Any): Not used; the view is a constant.
        backward_hooks (Any): Not used.
        *metadata (Any): Of conjugate and negated tensors: refused.

    Returns:
        Tensor: Shares the memory of ``storage``.

    Raises:
        pickle.UnpicklingError: If the view reaches beyond the storage.
    """
    if not isinstance(storage, Tensor) or any(metadata):
        raise pickle.UnpicklingError('a tensor without a plain storage')
    shape, steps = _numbers(size), _numbers(stride)
    first, = _numbers([offset])
    last = first + sum((n - 1) * step for n, step in zip(shape, steps))
    if len(shape) != len(steps) or (0 not in shape
                                    and last >= storage.numel()):
        raise pickle.UnpicklingError(
            f'a tensor of shape {shape} and strides {steps} reaches beyond '
            f'its storage of {storage.numel()} elements')
    if 0 in shape:
        return storage.new_empty(shape)
    return torch.as_strided(storage, shape, steps, first)


def _numbers(values: Any) -> Tuple[int, ...]:
    """Return whole numbers from 0 on, the only ones of sizes and strides."""
    if not isinstance(values, (tuple, list)) or not all(
            type(n) is int and n >= 0 for n in values):
        raise pickle.UnpicklingError(f'{values!r} are not sizes of a tensor')
    return tuple(values)
