"""Registry of the ops' implementations, and the choice among them.

This file alone knows the backends. A backend is a name, a check (the reason
why the backend cannot run, or '') and a row (module, function) per op,
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
from typing import Callable, Dict, Iterator, List, Optional, Tuple

import torch
from torch import Tensor

from mmvideomamba.extras import install_command
from .runtime.host import (being_traced, compute_dtype, constant_result,
                           interpreting, triton_version)
from .runtime.settings import BACKEND, setting
from .runtime.verdicts import COMMAND, CPU, is_wrong

logger = logging.getLogger(__name__)

# The first Triton with tuples in kernels; torch 2.6 brings an older Triton.
_OLDEST_TRITON = (3, 3)
_FLOATS = (torch.float32, torch.bfloat16, torch.float16)
_PACKAGE = 'mmvideomamba.ops'

# For each op, backends in the order of ``auto``: the first backend with a
# passing check runs.
_OPS: Dict[str, Dict[str, Tuple[str, str]]] = {
    'selective_scan': {
        'triton': ('scan.triton.op', 'selective_scan'),
        'mamba_ssm': ('mamba_ssm_adapter', 'selective_scan'),
        'numba': ('scan.numba_kernels', 'selective_scan'),
        'torch': ('scan.reference', 'selective_scan'),
    },
    'bidirectional_selective_scan': {
        'triton': ('mixer.triton.op', 'bidirectional_selective_scan'),
        'mamba_ssm': ('mamba_ssm_adapter', 'bidirectional_selective_scan'),
        'numba': ('mixer.numba_op', 'bidirectional_selective_scan'),
        'torch': ('mixer.reference', 'bidirectional_selective_scan'),
    },
    'bidirectional_mixer': {
        'triton': ('mixer.triton.op', 'bidirectional_mixer'),
        'mamba_ssm': ('mamba_ssm_adapter', 'bidirectional_mixer'),
        'numba': ('mixer.numba_op', 'bidirectional_mixer'),
        'torch': ('mixer.reference', 'bidirectional_mixer'),
    },
    'causal_conv1d': {
        'triton': ('conv.triton.op', 'causal_conv1d'),
        'mamba_ssm': ('mamba_ssm_adapter', 'causal_conv1d'),
        'numba': ('conv.numba_kernels', 'causal_conv1d'),
        'torch': ('conv.reference', 'causal_conv1d'),
    },
    'add_rms_norm': {
        'triton': ('norm.triton.op', 'add_rms_norm'),
        'numba': ('norm.numba_kernels', 'add_rms_norm'),
        'torch': ('norm.reference', 'add_rms_norm'),
    },
}

# Kernels judged by the self-check, by op; an op casts its tokens to
# autocast's dtype if so marked.
_FAMILIES: Dict[str, Tuple[str, bool]] = {
    'selective_scan': ('selective_scan', False),
    'bidirectional_selective_scan': ('bidirectional_mixer', True),
    'bidirectional_mixer': ('bidirectional_mixer', True),
    'causal_conv1d': ('causal_conv1d', False),
    'add_rms_norm': ('add_rms_norm', False),
}

# Largest number of states of a backend with a limit.
_MAX_STATES = dict(triton=64)

_override: List[str] = []
_logged: set = set()
_loaded: set = set()
_functions: Dict[Tuple[str, str], Callable] = {}


# torch.compile cannot trace the import system; the results of the decorated
# functions enter its graphs as constants.
@constant_result
def _missing(*packages: str) -> str:
    gone = _absent(packages)
    return f'not installed: {", ".join(gone)}' if gone else ''


@constant_result
def _cuda_command() -> str:
    return install_command('cuda')


# A search of the import path takes 0.1 ms, ten times an op's other host work.
@functools.lru_cache()
def _absent(modules: Tuple[str, ...]) -> List[str]:
    """List the modules that are not installed."""
    return [m for m in modules if importlib.util.find_spec(m) is None]


def _dtype_reason(x: Optional[Tensor]) -> str:
    if x is None or x.dtype in _FLOATS:
        return ''
    return (f'dtype {x.dtype} is not among '
            f'{", ".join(str(t) for t in _FLOATS)}')


def _cuda_reason(x: Optional[Tensor]) -> str:
    if x is not None and x.is_cuda:
        return ''
    if not torch.cuda.is_available():
        return 'no CUDA device is available'
    if x is not None:
        return f'the tensors are on {x.device}, not on a CUDA device'
    return ''


@constant_result
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
        return f'{reason} ({_cuda_command()})'
    # Newer releases leave the Mamba-1 scan out of their default build.
    extensions = _absent(('selective_scan_cuda', 'causal_conv1d_cuda'))
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
    """List the backends, each with the reason why it cannot run here.

    Returns:
        dict[str, str]: Reason by name; '' for a backend able to run.
    """
    return {name: check(None) for name, check in _CHECKS.items()}


def _check_name(name: str, source: str) -> str:
    if name != 'auto' and name not in BACKENDS:
        raise ValueError(f'{source} names the unknown backend {name!r}; '
                         f"choose 'auto' or one of {list(BACKENDS)}")
    return name


def default_backend() -> str:
    """Return the backend meant by ``backend='auto'`` right now.

    Returns:
        str: The innermost ``use_backend`` name, else the value of the
        environment variable ``MMVIDEOMAMBA_BACKEND``, else 'auto'.

    Raises:
        ValueError: If the environment names an unknown backend.
    """
    if _override:
        return _override[-1]
    return _check_name(setting(BACKEND), BACKEND)


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


@constant_result
def _load(backend: str, traced: bool) -> bool:
    """Import all ops of a backend on first use.

    A running trace of torch.compile does not see entries added to
    ``_functions`` after the first look, so a trace imports all backends:
    ops of one model may use several.
    """
    for name in [backend, *BACKENDS] if traced else [backend]:
        if name not in _loaded:
            try:
                _import(name)
            except ImportError:
                if name == backend:
                    raise
    return True


def _import(backend: str) -> None:
    for rows in _OPS.values():
        row = rows.get(backend, rows['torch'])
        _functions[row] = _function(row)
    _loaded.add(backend)


def refuse_states(n: int) -> Dict[str, str]:
    """List the backends without room for n states, with the reason.

    Args:
        n (int): States of a channel.

    Returns:
        dict[str, str]: Reason by name, for ``refused`` of ``resolve``.
    """
    return {
        name: f'it holds at most {most} states, but A has {n}'
        for name, most in _MAX_STATES.items() if n > most
    }


@constant_result
def _found_wrong(family: str, dtype: torch.dtype, device: int,
                 named: bool) -> str:
    """Say whether the self-check found an op's kernels wrong, '' if not.

    A named backend runs all the same; a line in the log warns once.
    """
    if not is_wrong(family, dtype, device):
        return ''
    reason = (f'the self-check found {family} wrong for {dtype} on this '
              f'device; check again: {COMMAND}')
    if named and reason not in _logged:
        _logged.add(reason)
        logger.warning("backend 'triton' is named and runs although %s",
                       reason)
    return reason


def _verdict(op: str, x: Tensor, named: bool = False) -> str:
    """Ask the self-check about our kernels of an op; '' where all is well."""
    family, casts = _FAMILIES[op]
    dtype = compute_dtype(x) if casts else x.dtype
    device = (x.device.index or 0) if x.is_cuda else CPU
    return _found_wrong(family, dtype, device, named)


def _pick(op: str, x: Tensor, refused: Dict[str, str]) -> str:
    """Return the first backend able to run; add wrong kernels to refused."""
    for name in _OPS[op]:
        if name in refused or _CHECKS[name](x):
            continue
        reason = _verdict(op, x) if name == 'triton' else ''
        if not reason:
            break
        refused[name] = reason
    return name


def _log_choice(op: str, backend: str, reason: str,
                refused: Dict[str, str]) -> None:
    """Log each backend that 'auto' takes for an op once, with the reason."""
    if (op, backend) in _logged:
        return
    _logged.add((op, backend))
    if not reason and refused:
        reason = '; '.join(f'not {n}: {why}' for n, why in refused.items())
    logger.info('%s runs on backend %s%s', op, backend,
                f' ({reason})' if reason else '')


def resolve(op: str,
            backend: str,
            x: Tensor,
            refused: Optional[Dict[str, str]] = None) -> Tuple[str, Callable]:
    """Pick the implementation of an op for a tensor.

    A named backend runs or raises; there is no silent fall back. Kernels
    found wrong by the self-check are avoided by 'auto' alone. An op
    without a row for the named backend runs the torch form
    (``add_rms_norm`` for 'mamba_ssm').

    Args:
        op (str): Name of the op.
        backend (str): A name in ``BACKENDS``, or 'auto'.
        x (Tensor): Input of the op; its device and dtype decide.
        refused (dict[str, str], optional): Reason by name of each backend
            unable to run the shapes of this call. Defaults to None.

    Returns:
        tuple: Name of the backend and its function.

    Raises:
        ValueError: If the backend is unknown.
        RuntimeError: If a named backend cannot run here.
    """
    _check_name(backend, 'backend')
    if backend == 'auto':
        backend = default_backend()
    rows, refused = _OPS[op], dict(refused or {})
    if backend == 'auto':
        reason = being_traced(x)
        backend = 'torch' if reason else _pick(op, x, refused)
        # A line to a log would break the graph of torch.compile.
        if not torch.compiler.is_compiling():
            _log_choice(op, backend, reason, refused)
    else:
        reason = refused.get(backend) or _CHECKS[backend](x)
        if reason:
            raise RuntimeError(
                f'backend {backend!r} cannot run {op} here: {reason}')
        if backend == 'triton':
            _verdict(op, x, named=True)
    _load(backend, torch.compiler.is_compiling())
    row = rows.get(backend, rows['torch'])
    return backend, _functions.get(row) or _function(row)
