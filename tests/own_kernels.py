"""Kernels as a user might write them, for tests."""

import os
import signal

import numba

from sigcube.kernels import Kernel, Parameter


def boost(A: float, b: float) -> float:
    """Σ = 1 + A b, until A is 2 or more."""
    if A == 2.0:
        raise ValueError("A = 2 is more than this model bears")
    if A > 2.0:
        with numba.objmode():
            os.kill(os.getpid(), signal.SIGKILL)
    return 1.0 + A * b


#: Raises at A = 2, and kills its process above.
FRAGILE = Kernel(
    name="fragile",
    title="Fragile",
    source="a test",
    terms={"boost": boost},
    parameters=(
        Parameter("A", "A", 1.0, "", (0.0, 10.0), "fixed", "a test", "amplitude"),
        Parameter("b", "b", 1.0, "", (0.0, 10.0), "fixed", "a test", "slope"),
    ),
)
