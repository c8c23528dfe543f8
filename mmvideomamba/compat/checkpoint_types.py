"""Types that a checkpoint of mmengine may hold, and no other.

Apart from ``checkpoint.py``, because torch and numpy are imported here.
"""
import io
from pickle import UnpicklingError
from typing import Any, Callable, List, Set

import numpy as np
import torch
from mmengine.logging import HistoryBuffer
from torch.serialization import add_safe_globals

from .workaround import installed_version


def _history_method(obj: Any, name: Any) -> Callable:
    """Stand for ``getattr`` in a checkpoint: four methods, no other name."""
    if obj is HistoryBuffer and name in ('min', 'max', 'current', 'mean'):
        return getattr(HistoryBuffer, name)
    raise UnpicklingError(
        f'getattr of {name!r} is not allowed in a checkpoint')


def _numeric_types() -> List[np.dtype]:
    # No objects: an array of objects may hold anything.
    codes = '?' + np.typecodes['AllInteger'] + np.typecodes['AllFloat']
    return [np.dtype(code) for code in codes]


# A pickle names a dtype without the order of the bytes.
_NUMERIC = {t.str[1:]: t for t in _numeric_types()}


def numeric_dtype(name: Any, align: Any = False, copy: Any = True) -> np.dtype:
    """Stand for ``numpy.dtype`` in a checkpoint: numbers only, and no copy.

    A pickled dtype is a name, then a state. On a copy numpy takes any state,
    an object type hidden inside a number among them, and then reads the
    bytes of an array as pointers: code execution. On built-in instances numpy
    ignores the state, so only built-in instances are returned.
    """
    if isinstance(name, str) and name in _NUMERIC:
        return _NUMERIC[name]
    raise UnpicklingError(
        f'numpy dtype {name!r} is not allowed in a checkpoint: only numbers')


def array_type(*args: Any) -> None:
    """Stand for ``numpy.ndarray`` in a checkpoint: a name, never called."""
    raise UnpicklingError('calling ndarray is not allowed in a checkpoint')


def empty_array(kind: Any, shape: Any, typecode: Any) -> np.ndarray:
    """Stand for numpy's ``_reconstruct``; the state fills the array."""
    if kind is not array_type and kind is not np.ndarray:
        raise UnpicklingError(
            f'an array of {kind!r} is not allowed in a checkpoint')
    return np.empty(0, np.int8)


def refusal() -> str:
    """Say why torch does not read the logs of mmengine, or ''."""
    file = io.BytesIO()
    torch.save(HistoryBuffer([0.0], [1]), file)
    file.seek(0)
    try:
        torch.load(file)
    except UnpicklingError:
        return (f'torch {torch.__version__} refuses the logs of '
                f'mmengine {installed_version("mmengine")}')
    return ''


def allow() -> None:
    """Allow the types of an mmengine checkpoint, and nothing to run code.

    ``weights_only`` stays True. The types without which torch would not
    fill an array get a name with a line break, impossible in a pickle, so
    no file can call such a type.
    """
    scalar: Any = np.float64(0).__reduce__()[0]
    unnamed: Set[type] = {np.ndarray, *(type(t) for t in _numeric_types())}
    add_safe_globals([
        HistoryBuffer,
        (_history_method, 'builtins.getattr'),
        (array_type, 'numpy.ndarray'),
        (numeric_dtype, 'numpy.dtype'),
        # Names of numpy 1 and of numpy 2, whichever wrote the file.
        (scalar, 'numpy._core.multiarray.scalar'),
        (scalar, 'numpy.core.multiarray.scalar'),
        (empty_array, 'numpy._core.multiarray._reconstruct'),
        (empty_array, 'numpy.core.multiarray._reconstruct'),
        *((kind, f'\n{kind.__name__}') for kind in unnamed),
    ])
