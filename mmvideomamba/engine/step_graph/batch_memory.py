"""Batches at fixed addresses, as CUDA graphs read memory."""
import copy
from itertools import count
from typing import Any, Dict, Iterator, List, Optional, Tuple

import numpy as np
import torch
from mmengine.structures import BaseDataElement
from torch import Tensor

# Facts of a sample, besides tensors, for a loss.
_FACTS = ('num_classes', )
_VALUES = (bool, int, float, complex, str, bytes, type(None), torch.dtype,
           torch.device, np.generic)


class Withheld:
    """Stands for a value of the host, unknown to a graph.

    A missing value could be taken for a default by a loss; each use of this
    object is an error instead.
    """

    def _refuse(self, *args: Any) -> Any:
        raise RuntimeError('a text, number or other object of a data sample '
                           'was used')

    __bool__ = __str__ = __format__ = __float__ = __int__ = _refuse
    # Python's own == would answer False without an error, and a loss would go
    # on.
    __eq__ = __ne__ = __hash__ = _refuse


class UnknownValueError(TypeError):
    """A batch with an object whose contents are not known."""


def _entries(sample: BaseDataElement) -> Dict[str, Any]:
    """Return the fields of a sample, without values of the host."""
    found = dict(sample.all_items())
    return {
        # Sets of the hosts have the names, in no order.
        name:
        found[name] if name in _FACTS or found[name] is None
        or isinstance(found[name], (Tensor, BaseDataElement)) else Withheld()
        for name in sorted(found)
    }


def _parts(batch: Any) -> Optional[Dict[Any, Any]]:
    """Return the values inside a value by name; None for a single value."""
    if isinstance(batch, BaseDataElement):
        return _entries(batch)
    if isinstance(batch, dict):
        return batch
    if isinstance(batch, (list, tuple)):
        return dict(enumerate(batch))
    return None


def layout(batch: Any) -> Tuple:
    """Describe a batch up to the values of its tensors.

    Args:
        batch (Any): Nested dictionaries, sequences, samples and tensors.

    Returns:
        tuple: Equal for batches of one graph. Numbers and texts are part of
        the layout, except in samples.

    Raises:
        UnknownValueError: If the batch holds any other object.
    """
    if isinstance(batch, Tensor):
        if batch.layout is not torch.strided or batch.is_nested:
            raise UnknownValueError(f'a batch holds a tensor of the layout '
                                    f'{batch.layout}')
        return 'tensor', tuple(batch.shape), batch.dtype, batch.device
    parts = _parts(batch)
    if parts is not None:
        fields = set()
        if isinstance(batch, BaseDataElement):
            fields = set(batch.metainfo_keys())
        return (type(batch), *((name, name in fields, layout(value))
                               for name, value in parts.items()))
    if isinstance(batch, Withheld):
        return ('withheld', )
    if not isinstance(batch, _VALUES):
        raise UnknownValueError(f'a batch holds a {type(batch).__name__}')
    # The type counts, since 1 equals True and 1.0. The text counts in place of
    # the value, since NaN differs from NaN and no graph would be found again.
    return 'value', type(batch), repr(batch)


def tensors_of(batch: Any) -> List[Tensor]:
    """List the tensors of a batch.

    Args:
        batch (Any): See ``layout``.

    Returns:
        list[Tensor]: In the order of the layout.
    """
    if isinstance(batch, Tensor):
        return [batch]
    parts = _parts(batch) or {}
    return [x for value in parts.values() for x in tensors_of(value)]


def _rebuild(batch: Any, tensors: Iterator[Tensor]) -> Any:
    """Copy a batch with other tensors, in the order of ``tensors_of``."""
    if isinstance(batch, Tensor):
        return next(tensors)
    parts = _parts(batch)
    if parts is None:
        return batch
    copies = {k: _rebuild(v, tensors) for k, v in parts.items()}
    if isinstance(batch, BaseDataElement):
        sample = type(batch)()
        for name, value in copies.items():
            meta = name in batch.metainfo_keys()
            # Setters of the hosts look at values, and copy tensors.
            sample.set_field(
                value,
                name,
                dtype=None,
                field_type='metainfo' if meta else 'data')
        return sample
    if isinstance(batch, dict):
        other = copy.copy(batch)  # of a class with other arguments, too
        other.update(copies)
        return other
    values = list(copies.values())
    if hasattr(batch, '_fields'):
        return type(batch)(*values)
    return type(batch)(values)


class BatchMemory:
    """A batch whose tensors stay where they are.

    Each tensor on the device is copied to a place of the same layout. All
    tensors on the CPU, such as labels, travel to the device in a single copy
    by dtype.

    Args:
        batch (Any): The first batch; see ``layout``. Samples of the copy
            hold tensors, ``num_classes``, and ``Withheld`` for other values.
        device (torch.device): Of the model.

    Attributes:
        batch (Any): The copy, on the device.
    """

    def __init__(self, batch: Any, device: torch.device) -> None:
        self.device = device
        tensors = tensors_of(batch)
        self._far: Dict[torch.dtype, Tensor] = {}
        # By position: two samples may share a tensor in the first batch.
        places: Dict[int, Tensor] = {
            i: torch.empty_like(tensor, requires_grad=False)
            for i, tensor in enumerate(tensors) if tensor.device == device
        }
        # Before the loop adds places for tensors of the CPU.
        self._near = list(places.values())
        for dtype, group in self._groups(tensors).items():
            flat = torch.empty(
                sum(x.numel() for x in group), dtype=dtype, device=device)
            self._far[dtype] = flat
            start = 0
            for i, tensor in enumerate(tensors):
                if i in places or tensor.dtype is not dtype:
                    continue
                end = start + tensor.numel()
                places[i] = flat[start:end].view(tensor.shape)
                start = end
        self.batch = _rebuild(batch, map(places.__getitem__, count()))
        self.fill(batch)

    def _groups(self, tensors: List[Tensor]) -> Dict[torch.dtype, List]:
        """Group the tensors on other devices by dtype."""
        groups: Dict[torch.dtype, List[Tensor]] = {}
        for tensor in tensors:
            if tensor.device != self.device:
                groups.setdefault(tensor.dtype, []).append(tensor)
        return groups

    def fill(self, batch: Any) -> None:
        """Take over the values of a batch of the same layout.

        The host does not wait for the device.

        Args:
            batch (Any): Of the layout of the first batch.
        """
        tensors = tensors_of(batch)
        near = [x.detach() for x in tensors if x.device == self.device]
        # torch copies a list by few kernels if all tensors have a dtype in
        # common.
        for group in _by_dtype(self._near, near):
            torch._foreach_copy_(*group)
        for dtype, values in self._groups(tensors).items():
            flat = torch.cat([x.detach().reshape(-1) for x in values])
            if self.device.type == 'cuda':
                # New pinned memory for each batch: the copy of the batch
                # before may still be under way. Pageable memory would make the
                # host wait.
                flat = flat.pin_memory()
            self._far[dtype].copy_(flat, non_blocking=True)


def _by_dtype(targets: List[Tensor],
              sources: List[Tensor]) -> List[Tuple[List, List]]:
    """Pair lists of tensors, by dtype."""
    groups: Dict[torch.dtype, Tuple[List, List]] = {}
    for target, source in zip(targets, sources):
        to, of = groups.setdefault(target.dtype, ([], []))
        to.append(target)
        of.append(source)
    return list(groups.values())
