"""Terms compiled by Numba: strict IEEE arithmetic, so that a value is the same bits wherever it is computed."""

from collections.abc import Callable
from functools import cache, update_wrapper
from types import FunctionType
from typing import Any, TypeVar, cast

import numba
from numba import float64
from numba.extending import register_jitable

from sigcube.model.kept import keep
from sigcube.model.record import Term, inputs_of

__all__ = ["compiled", "helper", "scalar", "ufunc"]

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compile a function of arrays and numbers, to run without the interpreter's lock, once for all processes."""
    return cast(Function, keep(numba.njit(error_model="numpy", nogil=True)(_twin(function))))


def _twin(function: Callable[..., Any]) -> Callable[..., Any]:
    """Copy a function, to be named as its machine code is: what asks the function itself for its name sees no other."""
    twin = FunctionType(
        function.__code__, function.__globals__, function.__name__, function.__defaults__, function.__closure__
    )
    twin.__kwdefaults__ = function.__kwdefaults__
    return update_wrapper(twin, function)


def helper(function: Function) -> Function:
    """Mark a plain function that terms call: it stays plain in Python, and compiles along with them.

    Into them, and with divisions that do not check: a call or a check keeps a loop from vectorising.
    """
    return cast(Function, register_jitable(error_model="numpy", forceinline=True)(function))


@cache
def scalar(term: Term) -> Any:
    """Compile a term for calls from compiled code; LLVM inlines it there."""
    return compiled(term)


@cache
def ufunc(term: Term) -> Any:
    """Compile a term as a NumPy ufunc over float64, at once: threads that met it uncompiled would do so twice."""
    return numba.vectorize([float64(*(float64,) * len(inputs_of(term)))])(term)
