"""Which implementations of the ops exist, and which one runs.

This is the only file that knows the backends. A backend is a name with a
check (why it cannot run, or '') and, per op, a row (module, function) that is
imported on first use:

- ``triton``: our kernels, for CUDA tensors (or under Triton's interpreter);
- ``mamba_ssm``: the stock packages ``mamba_ssm`` and ``causal_conv1d``;
- ``numba``: compiled loops for CPU tensors;
- ``torch``: the definition; runs everywhere.
"""
import contextlib
import functools
import importlib
import importlib.util
import logging
import os
from typing import Callable, Dict, Iterator, List, Optional, Tuple

import torch
from torch import Tensor

logger = logging.getLogger(__name__)

ENV_NAME = 'MMVIDEOMAMBA_BACKEND'
# Most programs along the second or third axis of a grid in CUDA.
GRID_LIMIT = 65535
# The first Triton whose kernels may hold tuples; torch 2.6 has an older one.
_OLDEST_TRITON = (3, 3)
_FLOATS = (torch.float32, torch.bfloat16, torch.float16)
_PACKAGE = 'mmvideomamba.ops'

# The order is that of ``auto``: the first whose check passes runs.
_OPS: Dict[str, Dict[str, Tuple[str, str]]] = {
    'selective_scan': {
        'triton': ('selective_scan_triton', 'selective_scan'),
        'mamba_ssm': ('selective_scan_mamba_ssm', 'selective_scan'),
        'numba': ('selective_scan_numba', 'selective_scan'),
        'torch': ('selective_scan_torch', 'selective_scan'),
    },
    'bidirectional_selective_scan': {
        'triton': ('mixer_triton', 'bidirectional_selective_scan'),
        'mamba_ssm':
        ('selective_scan_mamba_ssm', 'bidirectional_selective_scan'),
        'numba': ('selective_scan', 'bidirectional_composite'),
        'torch': ('selective_scan', 'bidirectional_composite'),
    },
    'bidirectional_mixer': {
        'triton': ('mixer_triton', 'bidirectional_mixer'),
        'mamba_ssm': ('selective_scan_mamba_ssm', 'bidirectional_mixer'),
        'numba': ('mixer', 'mixer_composite'),
        'torch': ('mixer', 'mixer_composite'),
    },
    'causal_conv1d': {
        'triton': ('causal_conv1d_triton', 'causal_conv1d'),
        'mamba_ssm': ('selective_scan_mamba_ssm', 'causal_conv1d'),
        'numba': ('causal_conv1d_numba', 'causal_conv1d'),
        'torch': ('causal_conv1d', 'causal_conv1d_torch'),
    },
    'add_rms_norm': {
        'triton': ('add_rms_norm_triton', 'add_rms_norm'),
        'torch': ('add_rms_norm', 'add_rms_norm_torch'),
    },
}

# Most states that the kernels of a backend are made for.
_MAX_STATES = dict(triton=64)

_override: List[str] = []
_logged: set = set()
_loaded: set = set()
_functions: Dict[Tuple[str, str], Callable] = {}


# torch.compile cannot trace the import system: it takes the answers of these
# functions as constants.
@torch.compiler.assume_constant_result
def _missing(*packages: str) -> str:
    gone = [p for p in packages if importlib.util.find_spec(p) is None]
    return f'not installed: {", ".join(gone)}' if gone else ''


def interpreting() -> bool:
    """Tell whether Triton's interpreter stands for a GPU."""
    return os.environ.get('TRITON_INTERPRET', '0') == '1'


@functools.lru_cache()
def on_nvidia() -> bool:
    """Tell whether kernels are compiled for NVIDIA's GPUs.

    Asked several times a layer, and never to change: Triton itself decides
    whether it interprets a kernel when that is defined.
    """
    return not interpreting() and torch.version.hip is None


def triton_version() -> Tuple[int, ...]:
    """Return the major and minor number of Triton, which is installed."""
    return _major_minor(importlib.import_module('triton').__version__)


@functools.lru_cache()
def _major_minor(version: str) -> Tuple[int, ...]:
    return tuple(int(v) for v in version.split('.')[:2])


def ceil_div(x: int, y: int) -> int:
    """Divide and round up; Triton's function is slow on the host."""
    return -(-x // y)


def power_of_2(x: int) -> int:
    """Return x or the next power of 2; see ``ceil_div``."""
    return 1 << (x - 1).bit_length()


def compute_dtype(x: Tensor) -> torch.dtype:
    """Return the dtype of the products: autocast's, else that of x."""
    kind = x.device.type
    if torch.is_autocast_enabled(kind):
        return torch.get_autocast_dtype(kind)
    return x.dtype


def traced(x: Tensor) -> bool:
    """Tell whether an op must show itself as a registered one.

    To torch.compile and fake tensors, that is. Otherwise a plain autograd
    function does the same in a third of the time on the CPU, which can be
    longer than its kernels take.
    """
    return torch.compiler.is_compiling() or type(x) is not Tensor


def _dtype_reason(x: Optional[Tensor]) -> str:
    if x is None or x.dtype in _FLOATS:
        return ''
    return (f'dtype {x.dtype} is not among '
            f'{", ".join(str(t) for t in _FLOATS)}')


def _cuda_reason(x: Optional[Tensor]) -> str:
    if not torch.cuda.is_available():
        return 'no CUDA device is available'
    if x is not None and not x.is_cuda:
        return f'the tensors are on {x.device}, not on a CUDA device'
    return ''


@torch.compiler.assume_constant_result
def _triton_reason() -> str:
    if triton_version() >= _OLDEST_TRITON:
        return ''
    found, oldest = ('.'.join(str(v) for v in version)
                     for version in (triton_version(), _OLDEST_TRITON))
    return (f'Triton {found} cannot compile the kernels; they need {oldest}, '
            'which comes with torch 2.7')


def _check_triton(x: Optional[Tensor]) -> str:
    reason = _missing('triton')
    if not reason and not interpreting():
        reason = _cuda_reason(x)
    return reason or _triton_reason() or _dtype_reason(x)


def _check_mamba_ssm(x: Optional[Tensor]) -> str:
    reason = _missing('mamba_ssm', 'causal_conv1d')
    if reason:
        return reason + " (pip install 'mmvideomamba[cuda]')"
    # Newer releases leave the Mamba-1 scan out of their default build.
    extensions = [
        e for e in ('selective_scan_cuda', 'causal_conv1d_cuda')
        if importlib.util.find_spec(e) is None
    ]
    if extensions:
        return ('the CUDA extension is missing: '
                f'{", ".join(extensions)}; build mamba_ssm with '
                'MAMBA_KEEP_CUDA_BUILD=TRUE')
    return _cuda_reason(x) or _dtype_reason(x)


def _check_numba(x: Optional[Tensor]) -> str:
    reason = _missing('numba')
    if not reason and x is not None and x.device.type != 'cpu':
        reason = f'the tensors are on {x.device}, not on the CPU'
    return reason or _dtype_reason(x)


def _check_torch(x: Optional[Tensor]) -> str:
    return ''


_CHECKS: Dict[str, Callable[[Optional[Tensor]], str]] = {
    'triton': _check_triton,
    'mamba_ssm': _check_mamba_ssm,
    'numba': _check_numba,
    'torch': _check_torch,
}
BACKENDS = tuple(_CHECKS)


def available_backends() -> Dict[str, str]:
    """Say which backends can run on this machine.

    Returns:
        Dict[str, str]: Name to '' if it can run, else to the reason why not.
    """
    return {name: check(None) for name, check in _CHECKS.items()}


def _check_name(name: str, source: str) -> str:
    if name != 'auto' and name not in BACKENDS:
        raise ValueError(f'{source} names the unknown backend {name!r}; '
                         f"choose 'auto' or one of {list(BACKENDS)}")
    return name


def default_backend() -> str:
    """Return the backend that ``backend='auto'`` stands for right now.

    Returns:
        str: The innermost ``use_backend`` name, else the value of the
        environment variable ``MMVIDEOMAMBA_BACKEND``, else 'auto'.

    Raises:
        ValueError: If the environment names an unknown backend.
    """
    if _override:
        return _override[-1]
    return _check_name(os.environ.get(ENV_NAME, 'auto'), ENV_NAME)


@contextlib.contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Make every op inside the ``with`` block use one backend.

    Args:
        name (str): A name in ``BACKENDS``, or 'auto'.

    Raises:
        ValueError: If the name is unknown.
    """
    _override.append(_check_name(name, 'use_backend'))
    try:
        yield
    finally:
        _override.pop()


def _function(row: Tuple[str, str]) -> Callable:
    module, function = row
    return getattr(importlib.import_module(f'{_PACKAGE}.{module}'), function)


@torch.compiler.assume_constant_result
def _load(backend: str) -> bool:
    """Import what a backend needs on first use.

    All its ops at once: while torch.compile traces, it sees no entries of
    ``_functions`` that are made after its first look.
    """
    if backend not in _loaded:
        _loaded.add(backend)
        for rows in _OPS.values():
            row = rows.get(backend, rows['torch'])
            _functions[row] = _function(row)
    return True


def refuse_states(n: int) -> Dict[str, str]:
    """Say which backends hold fewer states than wanted, and why.

    Args:
        n (int): States of a channel.

    Returns:
        dict[str, str]: For ``refused`` of ``resolve``.
    """
    return {
        name: f'it holds at most {most} states, but A has {n}'
        for name, most in _MAX_STATES.items() if n > most
    }


def resolve(op: str,
            backend: str,
            x: Tensor,
            refused: Optional[Dict[str, str]] = None) -> Tuple[str, Callable]:
    """Pick the implementation of an op for a tensor.

    A named backend runs or raises; there is no silent fall back. An op
    that a named backend does not implement on its own runs the torch form
    (``add_rms_norm`` for 'mamba_ssm' and 'numba').

    Args:
        op (str): Name of the op.
        backend (str): A name in ``BACKENDS``, or 'auto'.
        x (Tensor): A tensor whose device and dtype decide.
        refused (dict[str, str], optional): Backends that cannot run these
            shapes, with the reason. Defaults to None.

    Returns:
        tuple: Name of the backend and its function.

    Raises:
        ValueError: If the backend is unknown.
        RuntimeError: If a named backend cannot run here.
    """
    _check_name(backend, 'backend')
    if backend == 'auto':
        backend = default_backend()
    rows, refused = _OPS[op], refused or {}
    if backend == 'auto':
        backend = next(n for n in rows
                       if n not in refused and not _CHECKS[n](x))
        if not torch.compiler.is_compiling() and op not in _logged:
            _logged.add(op)
            logger.info('%s runs on backend %s', op, backend)
    else:
        reason = refused.get(backend) or _CHECKS[backend](x)
        if reason:
            raise RuntimeError(
                f'backend {backend!r} cannot run {op} here: {reason}')
    _load(backend)
    row = rows.get(backend, rows['torch'])
    return backend, _functions.get(row) or _function(row)
