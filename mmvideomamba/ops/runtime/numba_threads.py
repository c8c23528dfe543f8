"""Threads of the numba kernels: torch's own OpenMP team, or a thread pool.

torch's OpenMP threads spin for milliseconds after each operation of torch, so
a second set of threads would compete with the spinning threads for the cores.
The kernels therefore run on torch's team, entered through ``GOMP_parallel`` of
the GNU OpenMP runtime inside torch. ``MMVIDEOMAMBA_THREADS=pool`` takes a
``ThreadPoolExecutor`` instead, as does a torch built without GNU OpenMP; the
results have the same bits, since work items never share an output.
"""
import ctypes
import functools
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

import numpy as np
import torch

from .settings import THREADS, setting

_Work = ctypes.CFUNCTYPE(None, ctypes.c_void_p)
_pools: Dict[Tuple[int, int], ThreadPoolExecutor] = {}


@functools.lru_cache(maxsize=None)
def _openmp() -> Optional[ctypes.CDLL]:
    """Return the GNU OpenMP runtime inside torch, or None without one."""
    root = Path(torch.__file__).parent
    for folder in (root / 'lib', root.parent / 'torch.libs'):
        for path in sorted(folder.glob('libgomp*.so*')):
            return ctypes.CDLL(str(path))
    return None


def _run_openmp(openmp: ctypes.CDLL, threads: int, kernel: Callable,
                items: int, args: tuple) -> None:
    failures: List[BaseException] = []

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
    # A forked process (a data loader's worker) inherits no running threads.
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
        kernel (Callable): Compiled with ``nogil``; takes ``args``, the first
            item, and the item after the last.
        items (int): Number of work items.
        *args: Passed to the kernel.

    Raises:
        ValueError: If ``MMVIDEOMAMBA_THREADS`` holds an unknown value.
    """
    threads = max(1, min(torch.get_num_threads(), items))
    openmp = _openmp() if setting(THREADS) == 'openmp' else None
    if threads == 1:
        kernel(*args, 0, items)
    elif openmp is not None:
        _run_openmp(openmp, threads, kernel, items, args)
    else:
        _run_pool(threads, kernel, items, args)


def to_numpy(x: torch.Tensor) -> np.ndarray:
    """Copy or view a tensor as a contiguous float32 array.

    Args:
        x (Tensor): Any shape and dtype, on the CPU.

    Returns:
        ndarray: Same shape; shares memory with a contiguous float32 tensor
        of several axes.
    """
    x = x.detach().to(torch.float32).contiguous()
    # An array pins the storage of a tensor, but sharding frees the storage of
    # parameters between calls. Tensors of one axis are biases.
    return (x.clone() if x.dim() < 2 else x).numpy()
