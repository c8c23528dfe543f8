"""Batches of workers, sent in one piece of shared memory."""
import io
import pickle
from multiprocessing.reduction import ForkingPickler
from typing import Any, Callable, Dict, List, Optional, Tuple

import torch
from torch.utils.data import get_worker_info

ALIGNMENT = 64  # bytes; every dtype, and wide loads of a processor
# Offset in bytes, shape and dtype of a tensor.
Key = Tuple[int, Tuple[int, ...], torch.dtype]


class PackedCollate:
    """Collate samples, and send batches of a worker in one piece.

    torch gives each tensor of a batch a shared memory of its own, made by the
    worker and opened by the training process: two for each clip and label.
    Many small clips keep both processes busy with files. Here all tensors of
    a batch lie in one shared memory, and the training process gets views of
    the memory, with the values of the collated batch.

    Args:
        collate (Callable): From a list of samples to a batch.
    """

    def __init__(self, collate: Callable[[List[Any]], Any]) -> None:
        self.collate = collate
        # As of functools.partial: the function behind a loader's wrapper.
        self.func = getattr(collate, 'func', collate)

    def __call__(self, samples: List[Any]) -> Any:
        batch = self.collate(samples)
        return batch if get_worker_info() is None else PackedBatch(batch)


class PackedBatch:
    """A batch of a worker, which unpickles as the batch itself.

    Args:
        batch (Any): Of any structure.
    """

    def __init__(self, batch: Any) -> None:
        self.batch = batch

    def __reduce__(self) -> Tuple[Callable, tuple]:
        return unpack, pack(self.batch)


class _Packer(ForkingPickler):
    """Leave plain tensors out of a pickle, and note their places."""

    def __init__(self, file: io.BytesIO) -> None:
        super().__init__(file, pickle.HIGHEST_PROTOCOL)
        self.size = 0
        self.tensors: List[Tuple[int, torch.Tensor]] = []
        self._keys: Dict[int, Key] = {}

    def persistent_id(self, obj: Any) -> Optional[Key]:
        """Note a tensor.

        Args:
            obj (Any): A part of the batch.

        Returns:
            tuple: The place of a tensor; None for other objects, which are
            pickled.
        """
        if not is_plain(obj):
            return None
        if id(obj) not in self._keys:
            self._keys[id(obj)] = self.size, tuple(obj.shape), obj.dtype
            self.tensors.append((self.size, obj))
            self.size += -(-obj.nbytes // ALIGNMENT) * ALIGNMENT
        return self._keys[id(obj)]


class _Unpacker(pickle.Unpickler):
    """Put views of a memory into the places of tensors."""

    def __init__(self, file: io.BytesIO, memory: torch.Tensor) -> None:
        super().__init__(file)
        self.memory = memory
        self._views: Dict[int, torch.Tensor] = {}

    def persistent_load(self, pid: Any) -> torch.Tensor:
        """Return a tensor.

        Args:
            pid (tuple): See ``Key``.

        Returns:
            torch.Tensor: The same object for the same place.
        """
        start, shape, dtype = pid
        if not all(shape):
            return torch.empty(shape, dtype=dtype)
        if start not in self._views:
            size = torch.Size(shape).numel() * dtype.itemsize
            part = self.memory[start:start + size]
            self._views[start] = part.view(dtype).view(shape)
        return self._views[start]


def is_plain(obj: Any) -> bool:
    """Tell whether values, shape and dtype are all of a tensor.

    Args:
        obj (Any): Any object.

    Returns:
        bool: False for subclasses, for tensors with gradients, on a device,
        sparse or quantized: torch pickles those.
    """
    return type(obj) is torch.Tensor and obj.device.type == 'cpu' \
        and obj.layout == torch.strided and not obj.requires_grad \
        and not obj.is_quantized


def pack(batch: Any) -> Tuple[torch.Tensor, bytes]:
    """Copy the tensors of a batch into one shared memory.

    Args:
        batch (Any): Of any structure.

    Returns:
        tuple[torch.Tensor, bytes]: The memory, shape (bytes, ), uint8, and
        the pickled rest of the batch.
    """
    file = io.BytesIO()
    packer = _Packer(file)
    packer.dump(batch)
    storage = torch.UntypedStorage._new_shared(packer.size, device='cpu')
    memory = torch.empty(0, dtype=torch.uint8).set_(storage)
    for start, tensor in packer.tensors:
        if tensor.nbytes:
            part = memory[start:start + tensor.nbytes].view(tensor.dtype)
            part.view(tensor.shape).copy_(tensor)
    return memory, file.getvalue()


def unpack(memory: torch.Tensor, rest: bytes) -> Any:
    """Rebuild a batch.

    Args:
        memory (torch.Tensor): From ``pack``.
        rest (bytes): Likewise.

    Returns:
        Any: The batch; its tensors are views of the memory.
    """
    return _Unpacker(io.BytesIO(rest), memory).load()
