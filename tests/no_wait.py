"""A mode to find the waits of a host for a GPU, without a GPU."""
from typing import Any, List

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

# Ops reading a value, or a number of values, on the host.
_READS = {
    '_local_scalar_dense', 'bincount', 'equal', 'is_nonzero', 'item',
    'masked_select', 'multinomial', 'nonzero', 'nonzero_static',
    'repeat_interleave', '_unique2', 'unique_dim', 'unique_consecutive'
}
_INDEXES = {'index', 'index_put', 'index_put_', '_unsafe_index'}


class HostWaits(RuntimeError):
    """The host would wait for an op, or would have to give data."""


class NoWait(TorchDispatchMode):
    """Refuse ops of a step with a wait of the host for the device.

    Tensors on ``device`` stand for tensors on a GPU; tensors on 'meta' have no
    values. Refused are reads of values, outputs of a shape by values, boolean
    indices, and copies from or to the device. Tensors on the CPU may do
    anything among themselves.

    Args:
        device (str): Type of the device.
        uploads (bool): Whether copies to the device are allowed, made by
            ``upload``; a captured step must have none. Defaults to False.
    """

    def __init__(self, device: str, uploads: bool = False) -> None:
        super().__init__()
        self.device, self.uploads = device, uploads

    def __torch_dispatch__(self,
                           func: Any,
                           types: Any,
                           args: tuple = (),
                           kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        name = func.overloadpacket.__name__
        inputs = _tensors([args, kwargs])
        if any(x.device.type == self.device for x in inputs):
            if name in _READS:
                raise HostWaits(f'{func} reads a value of the device')
            if name in _INDEXES and any(
                    x.dtype in (torch.bool, torch.uint8)
                    for x in _tensors(args[1])):
                raise HostWaits(f'{func} counts a mask of the device')
        if name == '_to_copy':
            source, target = inputs[0].device, kwargs.get('device')
            self._check_copy(func, source, target or source)
        elif name == 'copy_':
            self._check_copy(func, inputs[1].device, inputs[0].device)
        else:
            # A number on the CPU goes along as an argument of the kernel.
            places = {x.device.type for x in inputs if x.dim()}
            if self.device in places and len(places) > 1:
                raise HostWaits(f'{func} takes tensors of {sorted(places)}')
        return func(*args, **kwargs)

    def _check_copy(self, func: Any, source: torch.device,
                    target: torch.device) -> None:
        """Refuse a copy from or to the device."""
        if source.type == target.type or self.device not in (source.type,
                                                             target.type):
            return
        if source.type == self.device or not self.uploads:
            raise HostWaits(f'{func} copies from {source} to {target}')


def _tensors(tree: Any) -> List[Tensor]:
    """Return all tensors of arguments."""
    return [x for x in tree_leaves(tree) if isinstance(x, Tensor)]
