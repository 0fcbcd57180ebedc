"""Newton's and MOND's Σ, after the papers."""

from typing import Any

import numpy as np

from tests.kernels.oracles.common import Labels, Oracle, Values, acceleration


def newton(v: Values, labels: Labels) -> Any:
    return np.ones_like(v["r"])


def nu(x: Any, label: str) -> Any:
    return {
        "rar": lambda: 1 / -np.expm1(-(x**0.5)),
        "simple": lambda: 0.5 + (0.25 + 1 / x) ** 0.5,
        "standard": lambda: (0.5 + (0.25 + x**-2.0) ** 0.5) ** 0.5,
    }[label]()


def slope(x: Any, label: str) -> Any:
    """d ln ν/d ln y: of ν² and of ln ν, whose derivatives are those of their parts."""
    if label == "rar":
        return -0.5 * x**0.5 * np.exp(-(x**0.5)) * nu(x, label)
    if label == "simple":
        # ν² − ν = 1/y, so that (2ν − 1) dν = −dy/y².
        return -1 / (x * (2 * nu(x, label) - 1) * nu(x, label))
    # ν⁴ − ν² = 1/y², so that (4ν³ − 2ν) dν = −2 dy/y³.
    return -2 / (x**2 * (4 * nu(x, label) ** 2 - 2) * nu(x, label) ** 2)


def mond(v: Values, labels: Labels) -> Any:
    x, label = acceleration(v) / v["a0"], labels["nu"]
    if labels["external_field"] == "none":
        return nu(x, label)
    e = v["g_ext" if labels["external_field"] == "parameter" else "g_environment"] / v["a0"]
    whole = np.hypot(x, 1.1 * e)
    return nu(whole, label) * (1 + np.tanh(1.1 * e / x) ** 1.2 * slope(whole, label) / 3)


ORACLES = {
    "newton": Oracle(newton),
    # a₀/g: why this ν is for galaxies only
    "mond": Oracle(mond, solar_system={"simple": (1.9e-8, 2.1e-8)}),
}
