"""Host helpers of the ops: integer arithmetic, versions, dtypes, grids."""
import functools
import importlib
import os
from typing import Any, Callable, Tuple, TypeVar, Union

import torch
from torch import Tensor
from torch._subclasses.fake_tensor import FakeTensor, FakeTensorMode
from torch.autograd import forward_ad
from torch.fx import Proxy
from torch.fx.experimental.proxy_tensor import ProxyTorchDispatchMode
from torch.nn import Parameter
from torch.utils._python_dispatch import _get_current_dispatch_mode_stack

# Largest number of programs along the second or third axis of a CUDA grid.
GRID_LIMIT = 65535

_PLAIN = (Tensor, Parameter)
# Of the mode that counts; an import of the module takes Triton along.
_FLOP_COUNTER = 'torch.utils.flop_counter'

_Function = TypeVar('_Function', bound=Callable[..., Any])


def constant_result(function: _Function) -> _Function:
    """Let results enter the graphs of torch.compile as constants.

    ``torch.compiler.assume_constant_result`` does the same mark, but imports
    the compiler for the mark, two seconds long.

    Args:
        function (Callable): Marked in place.

    Returns:
        Callable: The function.
    """
    setattr(function, '_dynamo_marked_constant', True)
    return function


def ceil_div(x: int, y: int) -> int:
    """Divide and round up.

    ``triton.cdiv`` does the same, but is slow on the host.

    Args:
        x (int): Dividend.
        y (int): Divisor, positive.

    Returns:
        int: The smallest integer not below ``x / y``.
    """
    return -(-x // y)


def power_of_2(x: int) -> int:
    """Round up to a power of 2.

    ``triton.next_power_of_2`` does the same, but is slow on the host.

    Args:
        x (int): A positive integer.

    Returns:
        int: The smallest power of 2 not below ``x``.
    """
    return 1 << (x - 1).bit_length()


def interpreting() -> bool:
    """Tell whether Triton's interpreter runs the kernels on the CPU."""
    return os.environ.get('TRITON_INTERPRET', '0') == '1'


@functools.lru_cache()
def on_nvidia() -> bool:
    """Tell whether kernels are compiled for NVIDIA's GPUs.

    The answer is cached: several calls a layer ask for the answer, and Triton
    itself decides about the interpreter once, at the kernel's definition.
    """
    return not interpreting() and torch.version.hip is None


def triton_version_text() -> str:
    """Return the whole version of the installed Triton."""
    return importlib.import_module('triton').__version__


def triton_version() -> Tuple[int, ...]:
    """Return the major and minor version of the installed Triton."""
    return _major_minor(triton_version_text())


@functools.lru_cache()
def _major_minor(version: str) -> Tuple[int, ...]:
    return tuple(int(v) for v in version.split('.')[:2])


def compute_dtype(x: Tensor) -> torch.dtype:
    """Return the dtype of matrix products on a tensor.

    Args:
        x (Tensor): Input of the product, any shape.

    Returns:
        torch.dtype: Autocast's dtype where autocast is on, else the dtype of
        ``x``.
    """
    kind = x.device.type
    if torch.is_autocast_enabled(kind):
        return torch.get_autocast_dtype(kind)
    return x.dtype


def being_traced(x: Union[Tensor, Proxy]) -> str:
    """Tell why an op must consist of operators that torch sees.

    Tracers, exporters, fake tensors, transforms of ``torch.func`` and counters
    see operators of torch only: compiled loops on a CPU would fail or be left
    out without a word, and so would kernels on a GPU.

    Args:
        x (Tensor | Proxy): Input of the op, any shape.

    Returns:
        str: The reason, or '' for a plain call.
    """
    if isinstance(x, Proxy):
        return 'torch.fx looks on'
    if torch.compiler.is_compiling():
        if being_exported():
            return 'torch.export looks on'
        # Kernels for GPUs are registered with torch.compile.
        return '' if x.is_cuda else 'torch.compile looks on'
    if torch._C._get_tracing_state() is not None:
        return 'torch.jit.trace looks on'
    if torch._C._functorch.peek_interpreter_stack() is not None:
        return 'a transform of torch.func looks on'
    if forward_ad._current_level >= 0:
        return 'forward-mode differentiation looks on'
    if torch._C._len_torch_dispatch_stack():
        return _reason_of_modes(x)
    if type(x) not in _PLAIN and (isinstance(x, FakeTensor) or not x.is_cuda):
        return f'the input is a {type(x).__name__}'
    return ''


def being_exported() -> bool:
    """Tell whether torch.export, rather than torch.compile, is at work.

    Up to torch 2.11 and in a function that torch.compile traces,
    ``torch.compiler.is_exporting()`` is True without any export, but the flag
    of the function is right.

    Returns:
        bool: Also False where nothing is compiled.
    """
    if not torch.compiler.is_compiling():
        return False
    flag = getattr(torch.compiler, '_is_exporting_flag', None)
    if flag is not None:
        return flag
    # Before torch 2.7; there, an export does without the tracer of compile.
    return not torch.compiler.is_dynamo_compiling()


def _reason_of_modes(x: Tensor) -> str:
    """Tell why the active dispatch modes need operators of torch.

    On a GPU, the registered form of an op serves any mode without formulas
    for single operators.
    """
    for mode in _get_current_dispatch_mode_stack():
        inside = isinstance(mode, (FakeTensorMode, ProxyTorchDispatchMode))
        counts = type(mode).__module__ == _FLOP_COUNTER
        if inside or counts or not x.is_cuda:
            return f'{type(mode).__name__} looks on'
    return ''


def needs_registered_op(x: Tensor) -> bool:
    """Tell whether an op must run as a registered ``torch.library`` op.

    torch.compile, fake tensors and dispatch modes see registered ops only.
    Everywhere else a plain autograd function does the same in a third of the
    CPU time, and the CPU time of a call can exceed the time of its kernels.

    Args:
        x (Tensor): Input of the op.

    Returns:
        bool: False for a plain call.
    """
    return (torch.compiler.is_compiling() or type(x) is not Tensor
            or torch._C._len_torch_dispatch_stack() > 0)
