"""Single machine instructions on float64, as functions for compiled code: what `sigcube.model.vecmath` is made of."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

from llvmlite import ir
from numba import njit, types
from numba.extending import intrinsic

from sigcube.model.code_cache import cache_code

__all__ = ["bits", "compiled", "floor", "fma", "held", "real"]

_Function = TypeVar("_Function", bound=Callable[..., object])


def compiled(function: _Function) -> _Function:
    """Compile a function as a part of its callers."""
    # forceinline: left as a call, a long function would keep the caller's loop from vectorising.
    return cast(_Function, cache_code(njit(error_model="numpy", forceinline=True)(function)))


def _instruction(argument: Any, result: Any, emit: Callable[[ir.IRBuilder, ir.Value], ir.Value]) -> Any:
    """Make a compiled function of one LLVM instruction."""

    def typing(_context: Any, _value: Any) -> tuple[Any, Any]:
        return result(argument), lambda _target, builder, _signature, values: emit(builder, values[0])

    return intrinsic(typing)


def _emit_floor(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    return builder.call(builder.module.declare_intrinsic("llvm.floor", [value.type]), [value])


def _emit_fence(builder: ir.IRBuilder, value: ir.Value) -> ir.Value:
    fence = ir.FunctionType(value.type, [value.type])
    return builder.call(builder.module.declare_intrinsic("llvm.arithmetic.fence", [value.type], fence), [value])


def _type_fma(_context: Any, _a: Any, _b: Any, _c: Any) -> tuple[Any, Any]:
    signature = types.float64(types.float64, types.float64, types.float64)
    return signature, lambda _target, builder, _signature, values: builder.fma(*values)


bits: Callable[[float], int] = _instruction(
    types.float64, types.int64, lambda builder, value: builder.bitcast(value, ir.IntType(64))
)
"""The bits of a number, as an integer."""

real: Callable[[int], float] = _instruction(
    types.int64, types.float64, lambda builder, value: builder.bitcast(value, ir.DoubleType())
)
"""The number that has the bits of an integer."""

floor: Callable[[float], float] = _instruction(types.float64, types.float64, _emit_floor)
"""The largest whole number that is not above a number."""

fma: Callable[[float, float, float], float] = intrinsic(_type_fma)
"""a b + c, rounded once."""

held: Callable[[float], float] = _instruction(types.float64, types.float64, _emit_fence)
"""A constant that a loop reads from a register or the stack.

LLVM would load it from its own place in memory each time, and the address of that first, since code compiled at run
time may be far from its constants. In a loop round one exp, that is a tenth of the time.
"""
