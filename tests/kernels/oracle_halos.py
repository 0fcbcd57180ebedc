"""Haloes, Burr's form and survival once more, after the papers: see `oracle`."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from scipy.integrate import quad

from tests.kernels.oracle import Values, acceleration, v_bar_sq

LABELS = Mapping[str, str]


def nfw(v: Values, labels: LABELS) -> Any:
    """The mass within r by quadrature of the density, as M₂₀₀ holds 200 ρ_crit within r₂₀₀."""
    mass = 10.0 ** v["log_m200"] * v["Msun"]
    critical = 3.0 * v["H0"] ** 2 / (8.0 * np.pi * v["G"])
    r_200 = np.cbrt(mass / (4.0 / 3.0 * np.pi * 200.0 * critical))
    x = v["r"] * v["kpc"] / r_200

    def shell(y: float) -> float:
        return y / (1.0 + v["c"] * y) ** 2

    share = np.array([quad(shell, 0.0, end, epsabs=0.0, epsrel=1e-13)[0] for end in (*np.atleast_1d(x), 1.0)])
    v_sq = v["G"] * mass / (v["r"] * v["kpc"]) * share[:-1] / share[-1] * 1e-6
    return 1.0 + v_sq / v_bar_sq(v)


def burr_shape(v: Values) -> Any:
    """In long doubles: small radii cancel."""
    reach = np.asarray(v["r"] / v["l_0"], dtype=np.longdouble) ** v["p"]
    return np.asarray(-np.expm1(-v["n"] * np.log1p(reach)), dtype=float)


def burr(v: Values, labels: LABELS) -> Any:
    return 1.0 + v["A"] * burr_shape(v)


def survival(v: Values, labels: LABELS) -> Any:
    x, g = v["r"] / v["r_0"], acceleration(v) / v["g_dagger"]
    field = (
        1.0 - np.exp(-(np.asarray(x, dtype=np.longdouble) ** v["beta"])) if labels["coherence_field"] == "yes" else 1
    )
    alive = np.exp(-(x ** -v["beta"]) * g ** v["alpha"])
    return np.asarray(1.0 + v["A"] * field * alive * g**-0.5 / (1.0 + g), dtype=float)
