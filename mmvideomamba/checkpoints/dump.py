"""Predictions in a pickle, as mmengine's ``DumpResults`` writes them."""
import io
import pickle
from collections import OrderedDict
from pathlib import Path
from typing import Any, Callable, Dict, Union, cast

import numpy as np
import torch
from torch import Tensor

from mmvideomamba.compat.checkpoint_types import (array_type, empty_array,
                                                  numeric_dtype)
from .plain_pickle import PlainUnpickler, StandIn, tensor_view

# A damaged pickle is a program of random steps: nearly any error.
_FAULTS = (pickle.UnpicklingError, EOFError, LookupError, ValueError,
           TypeError, AttributeError, RuntimeError, ImportError, MemoryError,
           RecursionError)


def _bytes(text: str, encoding: str) -> bytes:
    """Stand for ``codecs.encode``, by which old pickles write bytes."""
    if encoding != 'latin1' or not isinstance(text, str):
        raise pickle.UnpicklingError(f'encoding {encoding!r} is not allowed')
    return text.encode('latin1')


def _elements(content: bytes) -> Tensor:
    """Stand for ``torch.storage._load_from_bytes``; shape (n, ).

    torch's own function reads the bytes, a pickle again, without any check.
    """
    try:
        storage = torch.load(
            io.BytesIO(content), map_location='cpu', weights_only=True)
    except _FAULTS:
        # torch's own message advises to read without protection.
        storage = None
    if not isinstance(storage, torch.storage.TypedStorage):
        raise pickle.UnpicklingError('a tensor without a plain storage')
    whole = torch.empty(0, dtype=storage.dtype)
    return whole.set_(storage._untyped_storage)


def _array(kind: Any, shape: Any, typecode: Any) -> np.ndarray:
    """Stand for numpy's ``_reconstruct``."""
    return empty_array(array_type if kind is _ARRAY_TYPE else None, shape,
                       typecode)


_ARRAY_TYPE = StandIn(array_type)
_SCALAR = StandIn(cast(Callable, np.float64(0).__reduce__()[0]))
_ARRAY = StandIn(_array)
# Pickles up to protocol 2 write __builtin__, and numpy 2 has moved functions
# from core to _core.
_NAMES: Dict[str,
             Any] = {
                 'torch._utils._rebuild_tensor_v2': StandIn(tensor_view),
                 'torch.storage._load_from_bytes': StandIn(_elements),
                 'torch.Size': StandIn(torch.Size),
                 'collections.OrderedDict': StandIn(OrderedDict),
                 '_codecs.encode': StandIn(_bytes),
                 'numpy.ndarray': _ARRAY_TYPE,
                 'numpy.dtype': StandIn(numeric_dtype),
                 **{
                     f'{module}.{name}': StandIn(kind)
                     for module in ('builtins', '__builtin__')
                     for name, kind in dict(
                         set=set, frozenset=frozenset, complex=complex).items(
                     )
                 },
                 **{
                     f'numpy.{core}.multiarray.{name}': function
                     for core in ('core', '_core')
                     for name, function in dict(
                         scalar=_SCALAR, _reconstruct=_ARRAY).items()
                 },
             }


def read_dump(path: Union[str, Path]) -> Any:
    """Read a file of predictions without running code in the file.

    Args:
        path (str | Path): A pickle of containers, texts, numbers, tensors
            and numpy's arrays of numbers, as ``tools/test.py --dump`` or
            the hosts' tools write it.

    Returns:
        Any: The content, tensors on the CPU.

    Raises:
        FileNotFoundError: If the file does not exist.
        ValueError: If the file is damaged or holds anything else.
    """
    path = Path(path)
    if not path.is_file():
        raise FileNotFoundError(f'dump {path} does not exist; '
                                'tools/test.py --dump writes it')
    with path.open('rb') as file:
        try:
            return PlainUnpickler(file, _NAMES).load()
        except _FAULTS as error:
            # The cause of a refusal is in the message.
            reason = str(error).strip().split('\n')[0][:200]
            raise ValueError(
                f'dump {path} is damaged, or holds more than predictions '
                f'({reason or type(error).__name__}), which could run code: '
                'write it anew by tools/test.py --dump') from None
