"""Newton's and MOND's Σ, after the papers."""

from typing import Any

import numpy as np

from tests.kernels.oracles.common import Labels, Oracle, Values, acceleration


def newton(v: Values, labels: Labels) -> Any:
    return np.ones_like(v["r"])


def mond(v: Values, labels: Labels) -> Any:
    x = acceleration(v) / v["a0"]
    return {
        "rar": lambda: 1 / -np.expm1(-(x**0.5)),
        "simple": lambda: 0.5 + (0.25 + 1 / x) ** 0.5,
        "standard": lambda: (0.5 + (0.25 + x**-2.0) ** 0.5) ** 0.5,
    }[labels["nu"]]()


ORACLES = {
    "newton": Oracle(newton),
    # a₀/g: why this ν is for galaxies only
    "mond": Oracle(mond, solar_system={"simple": (1.9e-8, 2.1e-8)}),
}
