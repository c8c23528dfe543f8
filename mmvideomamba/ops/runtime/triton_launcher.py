"""Launch kernels without the host work of Triton's own launch.

At each call Triton binds the arguments, derives the specialisation of the
kernel, and looks the specialisation up. For the calls of a network's layers
this host work can take longer than the kernels. ``CachedLauncher`` keeps each
compiled kernel under a short key of the same facts, and launches an equal
call in Triton's documented way: ``compiled[grid](*args)``.

``MMVIDEOMAMBA_LAUNCHER=triton`` leaves every launch to Triton.
"""
import functools
from typing import Any, Dict, List, Optional, Tuple, Union

import torch
import triton
from torch import Tensor
from torch.nn import Parameter
from triton.compiler import CompiledKernel
from triton.runtime import driver

from .cache_folder import name_triton_cache
from .host import triton_version
from .settings import LAUNCHER, setting

# The oldest release with ``triton.knobs``, from which the launcher reads the
# settings.
OLDEST = (3, 4)
# Largest number of keys per kernel; a full table is emptied.
MAX_KEYS = 1024

# Before a kernel is compiled.
name_triton_cache()


class CachedLauncher:
    """A jitted kernel, launched by ``launcher[grid](*args, **kwargs)``.

    Triton itself handles the first call, and any call with an unusual
    argument: an unaligned pointer, an integer of more than 32 bits, an
    argument other than a tensor or number. Later calls do not compare the
    module constants used in a kernel. Kernels run on the GPU of the first
    argument, a tensor.

    Args:
        fn (JITFunction): Result of ``triton.jit``. Compile-time parameters
            come last. Attributes missing here are looked up on ``fn``.
    """

    def __init__(self, fn: triton.JITFunction) -> None:
        self.fn = fn
        self._num_runtime_args = len(fn.params) - len(fn.constexprs)
        assert min(
            fn.constexprs,
            default=self._num_runtime_args) == self._num_runtime_args
        # Whether a kernel is compiled for the value of an integer.
        self._by_value = [not p.do_not_specialize for p in fn.params]
        self._compiled: Dict[tuple, Tuple[CompiledKernel, tuple]] = {}

    def __getattr__(self, name: str) -> Any:
        return getattr(self.fn, name)

    def __getitem__(self, grid: tuple) -> 'functools.partial[Any]':
        return functools.partial(self._launch, grid)

    def _launch(self, grid: tuple, *args: Any,
                **kwargs: Any) -> Optional[CompiledKernel]:
        """Launch, and return the compiled kernel, as Triton does."""
        active = driver.active
        device = active.get_current_device()
        tensor_device = args[0].get_device()
        # Triton would launch on the current GPU; -1 stands for the CPU.
        if tensor_device >= 0 and tensor_device != device:
            with torch.cuda.device(tensor_device):
                return self._launch(grid, *args, **kwargs)
        key = self._key(device, args, kwargs)
        # Triton also accepts a function as grid.
        entry = None
        if key is not None and type(grid) is tuple:
            entry = self._compiled.get(key)
        if entry is None:
            compiled = self.fn[grid](*args, **kwargs)
            if key is not None and isinstance(compiled, CompiledKernel):
                if len(self._compiled) >= MAX_KEYS:
                    self._compiled.clear()
                self._compiled[key] = compiled, self._constants(kwargs)
            return compiled
        compiled, constants = entry
        compiled[grid + (1, ) * (3 - len(grid))](
            *args, *constants, stream=active.get_current_stream(device))
        return compiled

    def _key(self, device: int, args: tuple, kwargs: dict) -> Optional[tuple]:
        """Return all facts a kernel is compiled for, or None if unusual."""
        runtime, compilation = triton.knobs.runtime, triton.knobs.compilation
        # Some settings are newer than OLDEST.
        if (len(args) != self._num_runtime_args or self.fn.pre_run_hooks
                or getattr(runtime, 'add_stages_inspection_hook', None)):
            return None
        mode = getattr(compilation, 'instrumentation_mode', None)
        key: List[Any] = [device, runtime.debug, mode]
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
            kwargs.get(p.name, p.default)
            for p in parameters[self._num_runtime_args:])


def cached_launch(fn: Any) -> Union[CachedLauncher, Any]:
    """Decorate a jitted kernel to launch repeated calls without Triton.

    Args:
        fn (JITFunction): Result of ``triton.jit``.

    Returns:
        CachedLauncher: For NVIDIA's GPUs. ``fn`` itself under the
        interpreter, on other GPUs, for a Triton before 3.4, and with
        ``MMVIDEOMAMBA_LAUNCHER=triton``.

    Raises:
        ValueError: If ``MMVIDEOMAMBA_LAUNCHER`` holds an unknown value.
    """
    if (triton_version() < OLDEST or torch.version.hip is not None
            or not isinstance(fn, triton.JITFunction)
            or setting(LAUNCHER) == 'triton'):
        return fn
    return CachedLauncher(fn)
