"""Batches at fixed addresses, as CUDA graphs read memory."""
from typing import Any, Dict, List, Sequence, Tuple

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor

# Facts of a sample, besides tensors, for a loss.
_FACTS = ('num_classes', )


def _entries(sample: BaseDataElement) -> Dict[str, Any]:
    """Return the tensors of a sample, nested samples, and the known facts."""
    return {
        name: value
        for name, value in sample.all_items()
        if isinstance(value, (Tensor, BaseDataElement)) or name in _FACTS
    }


def layout(batch: Any) -> Tuple:
    """Describe a batch up to the values of its tensors.

    Args:
        batch (Any): Nested dictionaries, sequences, samples and tensors.

    Returns:
        tuple: Equal for batches of one graph. Numbers and texts are part of
        the layout, except in samples.
    """
    if isinstance(batch, Tensor):
        return 'tensor', tuple(batch.shape), batch.dtype
    if isinstance(batch, BaseDataElement):
        return (type(batch), *((name, layout(value))
                               for name, value in _entries(batch).items()))
    if isinstance(batch, dict):
        return ('dict', *((name, layout(value))
                          for name, value in batch.items()))
    if isinstance(batch, (list, tuple)):
        return (type(batch), *map(layout, batch))
    return 'value', repr(batch)


def tensors_of(batch: Any) -> List[Tensor]:
    """List the tensors of a batch.

    Args:
        batch (Any): See ``layout``.

    Returns:
        list[Tensor]: In the order of the layout.
    """
    if isinstance(batch, Tensor):
        return [batch]
    values: Sequence[Any] = ()
    if isinstance(batch, BaseDataElement):
        values = list(_entries(batch).values())
    elif isinstance(batch, dict):
        values = list(batch.values())
    elif isinstance(batch, (list, tuple)):
        values = batch
    return [tensor for value in values for tensor in tensors_of(value)]


def _rebuild(batch: Any, tensors: Dict[int, Tensor]) -> Any:
    """Copy a batch with other tensors, found by the ids of the old."""
    if isinstance(batch, Tensor):
        return tensors[id(batch)]
    if isinstance(batch, BaseDataElement):
        copy = type(batch)()
        for name, value in _entries(batch).items():
            if name in batch.metainfo_keys():
                copy.set_metainfo({name: _rebuild(value, tensors)})
            else:
                # Past the setters of the hosts, which look at values.
                copy.set_field(_rebuild(value, tensors), name, dtype=None)
        return copy
    if isinstance(batch, dict):
        return type(batch)((k, _rebuild(v, tensors)) for k, v in batch.items())
    if isinstance(batch, (list, tuple)):
        return type(batch)([_rebuild(value, tensors) for value in batch])
    return batch


class BatchMemory:
    """A batch whose tensors stay where they are.

    Each tensor on the device is copied to a place of the same layout. All
    tensors on the CPU, such as labels, travel to the device in a single copy
    by dtype.

    Args:
        batch (Any): The first batch; see ``layout``. Samples of the copy
            hold tensors alone, besides ``num_classes``.
        device (torch.device): Of the model.

    Attributes:
        batch (Any): The copy, on the device.
    """

    def __init__(self, batch: Any, device: torch.device) -> None:
        self.device = device
        tensors = tensors_of(batch)
        self._near: List[Tensor] = []
        self._far: Dict[torch.dtype, Tensor] = {}
        places: Dict[int, Tensor] = {}
        for tensor in tensors:
            if tensor.device == device:
                places[id(tensor)] = torch.empty_like(tensor)
        for dtype, group in self._groups(tensors).items():
            flat = torch.empty(
                sum(x.numel() for x in group), dtype=dtype, device=device)
            self._far[dtype] = flat
            start = 0
            for tensor in group:
                places[id(tensor)] = flat[start:start + tensor.numel()].view(
                    tensor.shape)
                start += tensor.numel()
        self.batch = _rebuild(batch, places)
        self._near = [places[id(x)] for x in tensors if x.device == device]
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
        near = [x for x in tensors if x.device == self.device]
        for group in _by_dtype(self._near, near):
            torch._foreach_copy_(*group)
        for dtype, values in self._groups(tensors).items():
            flat = torch.cat([x.detach().reshape(-1) for x in values])
            if self.device.type == 'cuda':
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
