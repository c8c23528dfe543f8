"""Kernels that are launched again without Triton's work of every call.

At each call Triton binds the arguments, finds out what the kernel must be
compiled for, and looks that up. For the calls of a network's layers this can
take longer than the kernels do. Here a short key of the same facts leads to
what an equal call compiled, which is launched as Triton documents it:
``compiled[grid](*args)``.
"""
import functools
from typing import Any, Dict, Optional, Tuple, Union

import torch
import triton
from torch import Tensor
from torch.nn import Parameter
from triton.compiler import CompiledKernel
from triton.runtime import driver

from .backends import triton_version

# The oldest release with ``triton.knobs``, which settings are asked of here.
OLDEST = (3, 4)
# Keys that a kernel remembers, before it forgets all of them.
MOST_KEYS = 1024


class Launcher:
    """A jitted kernel; ``launcher[grid](*args, **kwargs)`` launches it.

    A first call is Triton's own, and so is a call with anything unusual: an
    unaligned pointer, an integer of more than 32 bits, an argument that is
    neither tensor nor number. Constants of the module that a kernel reads are
    not compared at later calls. The GPU is that of the first argument, a
    tensor.

    Args:
        fn (JITFunction): What ``triton.jit`` returned. Compile-time
            parameters come last. Other attributes than those of this class
            are its.
    """

    def __init__(self, fn: triton.JITFunction) -> None:
        self.fn = fn
        self._plain = len(fn.params) - len(fn.constexprs)
        assert min(fn.constexprs, default=self._plain) == self._plain
        # Whether a kernel is compiled for the value of an integer.
        self._by_value = [not p.do_not_specialize for p in fn.params]
        self._found: Dict[tuple, Tuple[CompiledKernel, tuple]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.fn, name)

    def __getitem__(self, grid: tuple) -> 'functools.partial[Any]':
        return functools.partial(self._launch, grid)

    def _launch(self, grid: tuple, *args: Any,
                **kwargs: Any) -> Optional[CompiledKernel]:
        """Launch, and return what was compiled, as Triton does."""
        active = driver.active
        device = active.get_current_device()
        own = args[0].get_device()
        # Triton would launch on the current one; of the CPU it is -1.
        if own >= 0 and own != device:
            with torch.cuda.device(own):
                return self._launch(grid, *args, **kwargs)
        key = self._key(device, args, kwargs)
        # Triton's way may call a grid that is a function.
        found = self._found.get(key) if type(grid) is tuple else None
        if found is None:
            compiled = self.fn[grid](*args, **kwargs)
            if key is not None and isinstance(compiled, CompiledKernel):
                if len(self._found) >= MOST_KEYS:
                    self._found.clear()
                self._found[key] = compiled, self._constants(kwargs)
            return compiled
        compiled, constants = found
        compiled[grid + (1, ) * (3 - len(grid))](
            *args, *constants, stream=active.get_current_stream(device))
        return compiled

    def _key(self, device: int, args: tuple, kwargs: dict) -> Optional[tuple]:
        """Return all that a kernel is compiled for, or None if unusual."""
        runtime, compilation = triton.knobs.runtime, triton.knobs.compilation
        # Some settings are newer than OLDEST.
        if (len(args) != self._plain or self.fn.pre_run_hooks
                or getattr(runtime, 'add_stages_inspection_hook', None)):
            return None
        mode = getattr(compilation, 'instrumentation_mode', None)
        key = [device, runtime.debug, mode]
        for arg, by_value in zip(args, self._by_value):
            kind = type(arg)
            if kind is Tensor or kind is Parameter:
                if arg.data_ptr() % 16:
                    return None
                key.append(arg.dtype)
            elif kind is int and -2**31 <= arg < 2**31:
                key.append(arg if by_value else int)
            elif kind is float:
                key.append(float)
            else:
                return None
        return (*key, *kwargs, *kwargs.values())

    def _constants(self, kwargs: dict) -> tuple:
        """Return the compile-time arguments in the order of parameters."""
        parameters = list(self.fn.signature.parameters.values())
        return tuple(
            kwargs.get(p.name, p.default) for p in parameters[self._plain:])


def launched(fn: Any) -> Union[Launcher, Any]:
    """Make a jitted kernel quick to launch again, where that is possible.

    Args:
        fn: What ``triton.jit`` returned.

    Returns:
        Launcher: For NVIDIA's GPUs; ``fn`` itself under the interpreter, for
        other GPUs and for a Triton before 3.4.
    """
    if (triton_version() < OLDEST or torch.version.hip is not None
            or not isinstance(fn, triton.JITFunction)):
        return fn
    return Launcher(fn)
