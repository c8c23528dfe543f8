"""Float32 functions of the numba kernels, on vectors of 16.

numba caches a kernel until the kernel's own file changes. After an edit of
this file, touch the files of the kernels, or the old functions stay.
"""
from typing import Any, Dict

import numpy as np

from .numba_vectors import call, constant, shifted_exponent, vector_function

LOG2E = np.float32(1.4426950408889634)
# Channels of a work item: tiles of 16 tokens by 64 channels stay in the L1
# cache.
BLOCK = 64
# Options of the kernels, and of the functions inlined into kernels. A call
# would pass vectors through memory.
KERNEL: Dict[str, Any] = dict(nogil=True, error_model='numpy')
INLINED: Dict[str, Any] = dict(KERNEL, forceinline=True)

# Minimax polynomial of 2**f on [-0.5, 0.5], constrained to be exactly 1 at 0:
# a step of size 0 keeps the state. The relative error is 8e-8.
_EXP2 = (1., 0.6931472, 0.24022648, 0.055503324, 0.009618437, 0.0013398875,
         0.00015353362)
# Minimax polynomial of log1p(v) / v on [0, 1], relative error 3e-8.
_LOG1P = (0.99999994, -0.49999493, 0.33319098, -0.24842982, 0.19106004,
          -0.1366324, 0.07822587, -0.029505193, 0.0052326829)
# Adding this number rounds a float to an integer in the low bits.
_ROUND = 1.5 * 2**23


def _float32(value: float) -> Any:
    return constant(float(np.float32(value)))


def _polynomial(b: Any, coefficients: tuple, x: Any) -> Any:
    value = _float32(coefficients[-1])
    for c in coefficients[-2::-1]:
        value = call(b, 'fmuladd', value, x, _float32(c))
    return value


def _exp2(b: Any, x: Any) -> Any:
    """Build 2**x; x is clamped to [-126, 127]."""
    low, high = constant(-126.), constant(127.)
    x = b.select(b.fcmp_ordered('<', x, low), low, x)
    x = b.select(b.fcmp_ordered('>', x, high), high, x)
    rounded = b.fadd(x, constant(_ROUND))
    f = b.fsub(x, b.fsub(rounded, constant(_ROUND)))
    return shifted_exponent(b, _polynomial(b, _EXP2, f), rounded)


def _decay(b: Any, s: Any, a: Any) -> Any:
    """Build 2**(s * a) without a clamp: the product must be within 126."""
    rounded = call(b, 'fmuladd', s, a, constant(_ROUND))
    f = call(b, 'fmuladd', s, a, b.fsub(constant(_ROUND), rounded))
    return shifted_exponent(b, _polynomial(b, _EXP2, f), rounded)


def _exp_minus(b: Any, x: Any) -> Any:
    return _exp2(b, b.fmul(x, _float32(float(-LOG2E))))


def _softplus(b: Any, x: Any) -> Any:
    """Build log(1 + exp(x))."""
    v = _exp_minus(b, call(b, 'fabs', x))
    positive = b.select(
        b.fcmp_unordered('>', x, constant(0.)), x, constant(0.))
    return call(b, 'fmuladd', _polynomial(b, _LOG1P, v), v, positive)


def _sigmoid(b: Any, x: Any) -> Any:
    one = constant(1.)
    return b.fdiv(one, b.fadd(one, _exp_minus(b, x)))


def _softplus_slope(b: Any, s: Any) -> Any:
    """Build the derivative of softplus from its value s: 1 - exp(-s).

    A series takes the place of the difference where the difference would
    cancel.
    """
    series = b.fmul(s, _polynomial(b, (1., -1 / 2, 1 / 6, -1 / 24), s))
    difference = b.fsub(constant(1.), _exp_minus(b, s))
    small = b.fcmp_ordered('<', s, _float32(0.06))
    return b.select(small, series, difference)


exp2 = vector_function(_exp2)
decay = vector_function(_decay)
softplus = vector_function(_softplus)
sigmoid = vector_function(_sigmoid)
softplus_slope = vector_function(_softplus_slope)
