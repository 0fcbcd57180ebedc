"""Terms compiled by Numba: strict IEEE arithmetic, so that a value is the same bits wherever it is computed."""

from functools import cache
from typing import Any

import numba

from sigcube.kernels.record import Term

__all__ = ["scalar", "ufunc"]


@cache
def scalar(term: Term) -> Any:
    """Compile a term for calls from compiled code; LLVM inlines it there."""
    return numba.njit(error_model="numpy", nogil=True)(term)


@cache
def ufunc(term: Term) -> Any:
    """Compile a term as a NumPy ufunc over float64."""
    return numba.vectorize(term)
