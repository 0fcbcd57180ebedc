"""The Σ of a halo and of Burr's form, after the papers."""

from typing import Any

import numpy as np
from scipy.integrate import quad

from tests.kernels.oracles.common import Labels, Oracle, Values, burr_shape, v_bar_sq


def nfw(v: Values, labels: Labels) -> Any:
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


def burr(v: Values, labels: Labels) -> Any:
    return 1.0 + v["A"] * burr_shape(v)


ORACLES = {
    # a halo of 10¹² solar masses about the Sun, V_h² of 2e-5 (km/s)²: a galaxy's, and the Sun is not its centre
    "nfw": Oracle(nfw, solar_system={None: (1e-8, 1e-7)}),
    # a function of radius alone, (r/ℓ₀)^0.757
    "burr": Oracle(burr, strong_field=0.29, solar_system={None: (5e-8, 1e-6)}),
}
