"""What the numba kernels share: a fast exponential and a thread pool.

numba caches a kernel until the file it stands in changes. After an edit here,
touch the files of the kernels, or they keep the old functions.

What a kernel calls is inlined by force. A call would reach one of two copies,
compiled apart and rounding apart: that of the function itself in the process
that compiles, that inside the kernel's file in one that finds it cached.
"""
import ctypes
import functools
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Dict, Optional, Tuple

import numpy as np
import torch
from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

LOG2E = np.float32(1.4426950408889634)
# Channels of one work item: the state of 16 x 64 floats stays in L1 cache.
BLOCK = 64
# Options of the kernels, and of what they call.
KERNEL = dict(cache=True, nogil=True, fastmath=True, error_model='numpy')
INLINED = dict(KERNEL, forceinline=True)

_f4 = np.float32
# Minimax polynomial of 2**f on [-0.5, 0.5] among those that are exactly 1 at
# 0, so that a step of size 0 keeps the state; relative error 8e-8.
_C1, _C2, _C3, _C4, _C5, _C6 = (_f4(0.6931472), _f4(0.24022648),
                                _f4(0.055503324), _f4(0.009618437),
                                _f4(0.0013398875), _f4(0.00015353362))
# Adding it rounds a float to an integer, which the low bits then hold.
_ROUND = _f4(1.5 * 2**23)
_SHIFT = np.int32(23)


@intrinsic
def _float_bits(tyctx, x):
    return types.int32(types.float32), (
        lambda ctx, b, sig, args: b.bitcast(args[0], ir.IntType(32)))


@intrinsic
def _bits_float(tyctx, x):
    return types.float32(types.int32), (
        lambda ctx, b, sig, args: b.bitcast(args[0], ir.FloatType()))


# No reassociation here: it would cancel the rounding constant.
@njit(**{**INLINED, 'fastmath': {'contract', 'nsz'}})
def exp2(x: float) -> float:
    """Compute 2**x in float32 by operations that vectorise.

    The argument is clamped to [-126, 127].
    """
    x = min(max(x, _f4(-126.)), _f4(127.))
    shifted = x + _ROUND
    f = x - (shifted - _ROUND)
    p = ((((_C6 * f + _C5) * f + _C4) * f + _C3) * f + _C2) * f + _C1
    p = p * f + _f4(1)
    return _bits_float(_float_bits(p) + (_float_bits(shifted) << _SHIFT))


# Minimax polynomial of log1p(v) / v on [0, 1], relative error 3e-8.
_L0, _L1, _L2, _L3, _L4, _L5, _L6, _L7, _L8 = (_f4(0.99999994),
                                               _f4(-0.49999493),
                                               _f4(0.33319098),
                                               _f4(-0.24842982),
                                               _f4(0.19106004),
                                               _f4(-0.1366324),
                                               _f4(0.07822587),
                                               _f4(-0.029505193),
                                               _f4(0.0052326829))


@njit(**{**INLINED, 'fastmath': {'contract', 'nsz'}})
def softplus(x: float) -> float:
    """Compute log(1 + exp(x)) in float32 by operations that vectorise."""
    v = exp2(-LOG2E * abs(x))
    p = _L8 * v + _L7
    p = ((((p * v + _L6) * v + _L5) * v + _L4) * v + _L3) * v + _L2
    return max(x, _f4(0)) + ((p * v + _L1) * v + _L0) * v


_Work = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_pools: Dict[Tuple[int, int], ThreadPoolExecutor] = {}


@functools.lru_cache(maxsize=None)
def _openmp() -> Optional[ctypes.CDLL]:
    """Return the GNU OpenMP runtime that torch computes with, if it has one.

    Its threads spin for milliseconds after each operation of torch; threads
    of our own would have to share the cores with them.
    """
    root = Path(torch.__file__).parent
    for folder in (root / 'lib', root.parent / 'torch.libs'):
        for path in sorted(folder.glob('libgomp*.so*')):
            return ctypes.CDLL(str(path))
    return None


def _run_openmp(openmp: ctypes.CDLL, threads: int, kernel: Callable,
                items: int, args: tuple) -> None:
    failures = []

    def work(_: Any) -> None:
        i, size = openmp.omp_get_thread_num(), openmp.omp_get_num_threads()
        try:
            kernel(*args, items * i // size, items * (i + 1) // size)
        except BaseException as error:  # no error may pass through C
            failures.append(error)

    openmp.GOMP_parallel(_Work(work), None, threads, 0)
    if failures:
        raise failures[0]


def _run_pool(threads: int, kernel: Callable, items: int, args: tuple) -> None:
    edges = [items * i // threads for i in range(threads + 1)]
    # A fork (data loader workers) does not inherit running threads.
    key = (os.getpid(), threads)
    if key not in _pools:
        _pools[key] = ThreadPoolExecutor(threads, 'mmvideomamba-ops')
    jobs = [
        _pools[key].submit(kernel, *args, start, end)
        for start, end in zip(edges[:-1], edges[1:])
    ]
    for job in jobs:
        job.result()


def run(kernel: Callable, items: int, *args: Any) -> None:
    """Run a kernel over a range of work items on torch's number of threads.

    Args:
        kernel (Callable): Compiled with ``nogil``; takes ``args`` and then
            the first and last-but-one item.
        items (int): Number of work items.
        *args: Passed to the kernel.
    """
    threads = max(1, min(torch.get_num_threads(), items))
    openmp = _openmp()
    if threads == 1:
        kernel(*args, 0, items)
    elif openmp is not None:
        _run_openmp(openmp, threads, kernel, items, args)
    else:
        _run_pool(threads, kernel, items, args)


def to_numpy(x: torch.Tensor) -> np.ndarray:
    """Return a tensor as a contiguous float32 array."""
    return x.detach().to(torch.float32).contiguous().numpy()
