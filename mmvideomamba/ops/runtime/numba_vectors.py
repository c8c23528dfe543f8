"""Vectors of 16 floats as a type of numba: one AVX-512 or two AVX2 registers.

numba leaves loops to LLVM, which keeps the state of a scan in memory and
works on one register at a time. Kernels with vectors as variables keep the
state in registers, and two registers per vector hide the latency of chains.

``load`` and ``store`` take any axis but the last with any stride. Arithmetic
keeps the order of the source: no fast-math flags, fused where written
``fma``. Kernels with vectors must not be compiled with numba's ``fastmath``,
which rewrites the functions of ``numba_math``.
"""
import operator
from typing import Any, Callable

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic as numba_intrinsic
from numba.extending import models, overload, register_model

# For a type checker, calls in kernels would lack the first argument, which
# numba itself passes.
intrinsic: Any = numba_intrinsic

# Floats of a vector; channels are padded to a multiple.
WIDTH = 16

_FLOATS = ir.VectorType(ir.FloatType(), WIDTH)
_INTS = ir.VectorType(ir.IntType(32), WIDTH)


class _Vector(types.Type):
    """Type of a vector variable."""

    def __init__(self) -> None:
        super().__init__('float32x16')


@register_model(_Vector)
class _VectorModel(models.PrimitiveModel):

    def __init__(self, manager: Any, kind: Any) -> None:
        super().__init__(manager, kind, _FLOATS)


_V = _Vector()


def constant(value: float) -> ir.Constant:
    """Return a constant vector for LLVM.

    Args:
        value (float): Any number; rounded to float32.

    Returns:
        ir.Constant: ``WIDTH`` times the number.
    """
    return ir.Constant(_FLOATS, [float(value)] * WIDTH)


def call(b: Any, name: str, *args: Any) -> Any:
    """Call an intrinsic function of LLVM on vectors.

    Args:
        b (IRBuilder): Builder of the code.
        name (str): Name without 'llvm.' and type.
        *args: Vectors.

    Returns:
        ir.Value: A vector.
    """
    kind = ir.FunctionType(_FLOATS, [_FLOATS] * len(args))
    function = cgutils.get_or_insert_function(b.module, kind,
                                              f'llvm.{name}.v{WIDTH}f32')
    return b.call(function, args)


def shifted_exponent(b: Any, p: Any, rounded: Any) -> Any:
    """Add the low bits of ``rounded`` to the exponent of ``p``.

    Args:
        b (IRBuilder): Builder of the code.
        p (Value): Vector of floats.
        rounded (Value): Vector; integers in the low bits of floats.

    Returns:
        ir.Value: Vector of floats.
    """
    shift = b.shl(b.bitcast(rounded, _INTS), ir.Constant(_INTS, [23] * WIDTH))
    return b.bitcast(b.add(b.bitcast(p, _INTS), shift), _FLOATS)


def vector_function(build: Callable) -> Any:
    """Make a function of vectors for kernels from a builder of LLVM code.

    Args:
        build (Callable): ``build(builder, *values)`` returns a value.

    Returns:
        Callable: For use inside of kernels.
    """
    count = build.__code__.co_argcount - 1

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        return build(b, *args)

    if count == 1:
        return intrinsic(lambda typingctx, x: (_V(_V), generate))
    if count == 2:
        return intrinsic(lambda typingctx, x, y: (_V(_V, _V), generate))
    return intrinsic(lambda typingctx, x, y, z: (_V(_V, _V, _V), generate))


def _pointer(context: Any, b: Any, signature: Any, args: Any) -> Any:
    array_type, index_type = signature.args[:2]
    array = cgutils.create_struct_proxy(array_type)(context, b, args[0])
    index = [
        context.cast(b, i, kind, types.intp)
        for i, kind in zip(cgutils.unpack_tuple(b, args[1]), index_type)
    ]
    pointer = cgutils.get_item_pointer(
        context, b, array_type, array, index, wraparound=False)
    return pointer


@intrinsic
def load(typingctx: Any, array: Any, index: Any) -> tuple:
    """Load the floats of ``array`` from ``index``, a tuple, on."""

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, b, signature, args)
        value = b.load(b.bitcast(pointer, _FLOATS.as_pointer()))
        value.align = 4
        return value

    return _V(array, index), generate


@intrinsic
def store(typingctx: Any, array: Any, index: Any, value: Any) -> tuple:
    """Store a vector to ``array`` from ``index``, a tuple, on."""

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        pointer = _pointer(context, b, signature, args)
        pointer = b.bitcast(pointer, _FLOATS.as_pointer())
        b.store(args[2], pointer).align = 4
        return context.get_dummy_value()

    return types.void(array, index, value), generate


def _spread(b: Any, x: Any) -> Any:
    empty = ir.Constant(_FLOATS, ir.Undefined)
    one = b.insert_element(empty, x, ir.Constant(ir.IntType(32), 0))
    return b.shuffle_vector(one, empty, ir.Constant(_INTS, [0] * WIDTH))


@intrinsic
def splat(typingctx: Any, x: Any) -> tuple:
    """Return a vector of equal numbers."""

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        return _spread(b, args[0])

    return _V(types.float32), generate


@intrinsic
def load_splat(typingctx: Any, array: Any, index: Any) -> tuple:
    """Return a vector of the number of ``array`` at ``index``, a tuple.

    Cheaper than numba's own indexing, which looks for negative indices.
    """

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        return _spread(b, b.load(_pointer(context, b, signature, args)))

    return _V(array, index), generate


@intrinsic
def total(typingctx: Any, x: Any) -> tuple:
    """Sum the numbers of a vector, by halves."""

    def generate(context: Any, b: Any, signature: Any, args: Any) -> Any:
        value, width = args[0], WIDTH
        while width > 1:
            width //= 2
            empty = ir.Constant(value.type, ir.Undefined)
            kind = ir.VectorType(ir.IntType(32), width)
            halves = [
                b.shuffle_vector(
                    value, empty,
                    ir.Constant(kind, list(range(start, start + width))))
                for start in (0, width)
            ]
            value = b.fadd(*halves)
        return b.extract_element(value, ir.Constant(ir.IntType(32), 0))

    return types.float32(_V), generate


fma = vector_function(lambda b, x, y, z: call(b, 'fmuladd', x, y, z))
vmax = vector_function(
    lambda b, x, y: b.select(b.fcmp_ordered('>', x, y), x, y))
vabs = vector_function(lambda b, x: call(b, 'fabs', x))


def _arithmetic(operation: Callable, build: Callable) -> None:
    """Give an operator of Python a meaning for two vectors."""
    function = vector_function(build)

    # numba wants equal signatures here and below, so without annotations.
    def for_types(x, y):  # type: ignore[no-untyped-def]
        if isinstance(x, _Vector) and isinstance(y, _Vector):
            return lambda x, y: function(x, y)
        return None

    overload(operation)(for_types)


_arithmetic(operator.add, lambda b, x, y: b.fadd(x, y))
_arithmetic(operator.sub, lambda b, x, y: b.fsub(x, y))
_arithmetic(operator.mul, lambda b, x, y: b.fmul(x, y))
_arithmetic(operator.truediv, lambda b, x, y: b.fdiv(x, y))
