"""Checks of tensor shapes, devices and dtypes shared by the ops."""
from typing import List, Optional, Tuple

import torch
from torch import Tensor

Named = List[Tuple[str, Optional[Tensor]]]


def check_shape(name: str, tensor: Optional[Tensor], *shapes: tuple) -> None:
    """Check a tensor's shape.

    Args:
        name (str): Name of the argument, for the error.
        tensor (Tensor, optional): None passes.
        *shapes (tuple): The allowed shapes.

    Raises:
        ValueError: If the tensor has none of the shapes.
    """
    if tensor is not None and tuple(tensor.shape) not in shapes:
        expected = ' or '.join(str(s) for s in shapes)
        raise ValueError(f'{name} must have shape {expected}, but got '
                         f'{tuple(tensor.shape)}')


def check_dtypes(u: Tensor,
                 inputs: Named,
                 state: Named,
                 prefix: str = '') -> None:
    """Check the device of all tensors, and the dtype of the state's tensors.

    Args:
        u (Tensor): Input of the op; its device and dtype decide.
        inputs (list): Names and tensors with any floating dtype.
        state (list): Names and tensors kept in float32 (float64 for float64
            input), such as the rates A.
        prefix (str): Put before each name in errors. Defaults to ''.

    Raises:
        ValueError: If a device or dtype does not fit.
    """
    device, dtype = u.device, u.dtype
    for name, t in inputs + state:
        if t is None:
            continue
        if t.device != device:
            raise ValueError(f'{prefix}{name} is on {t.device}, but the input '
                             f'is on {device}')
        if not t.is_floating_point():
            raise ValueError(
                f'{prefix}{name} must be floating point, but is {t.dtype}')
    wanted = torch.float64 if dtype == torch.float64 else torch.float32
    for name, t in state:
        if t is not None and t.dtype != wanted:
            raise ValueError(f'{prefix}{name} must be {wanted} for {dtype} '
                             f'input, but is {t.dtype}')
