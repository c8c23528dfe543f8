"""Vectorising float32 functions of the numba kernels.

numba caches a kernel until the kernel's own file changes. After an edit of
this file, touch the files of the kernels, or the old functions stay.

Every function here is inlined by force. A call would reach either of two
copies with different rounding: the function's own, in the process that
compiles the kernel, or the kernel's, in a process with a cached kernel.
"""
from typing import Any, Dict

import numpy as np
from llvmlite import ir
from numba import types
from numba.extending import intrinsic

from .numba_cache import compiled

LOG2E = np.float32(1.4426950408889634)
# Channels of a work item: the state of 16 x 64 floats stays in the L1 cache.
BLOCK = 64
# Options of the kernels, and of the functions inlined into kernels.
KERNEL: Dict[str, Any] = dict(nogil=True, fastmath=True, error_model='numpy')
INLINED: Dict[str, Any] = dict(KERNEL, forceinline=True)

_f4 = np.float32
# Minimax polynomial of 2**f on [-0.5, 0.5], constrained to be exactly 1 at 0:
# a step of size 0 keeps the state. The relative error is 8e-8.
_C1, _C2, _C3, _C4, _C5, _C6 = (_f4(0.6931472), _f4(0.24022648),
                                _f4(0.055503324), _f4(0.009618437),
                                _f4(0.0013398875), _f4(0.00015353362))
# Adding this number rounds a float to an integer in the low bits.
_ROUND = _f4(1.5 * 2**23)
_SHIFT = np.int32(23)


@intrinsic
def _float_bits(tyctx: Any, x: Any) -> tuple:
    return types.int32(types.float32), (
        lambda ctx, b, sig, args: b.bitcast(args[0], ir.IntType(32)))


@intrinsic
def _bits_float(tyctx: Any, x: Any) -> tuple:
    return types.float32(types.int32), (
        lambda ctx, b, sig, args: b.bitcast(args[0], ir.FloatType()))


# Without reassociation, which would cancel the rounding constant.
@compiled(**{**INLINED, 'fastmath': {'contract', 'nsz'}})
def exp2(x: float) -> float:
    """Compute 2**x in float32 by vectorising operations.

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


@compiled(**{**INLINED, 'fastmath': {'contract', 'nsz'}})
def softplus(x: float) -> float:
    """Compute log(1 + exp(x)) in float32 by vectorising operations."""
    v = exp2(-LOG2E * abs(x))
    p = _L8 * v + _L7
    p = ((((p * v + _L6) * v + _L5) * v + _L4) * v + _L3) * v + _L2
    return max(x, _f4(0)) + ((p * v + _L1) * v + _L0) * v
