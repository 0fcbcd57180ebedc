"""SI §15's two models once more, in plain NumPy, for one galaxy and many parameters at a time."""

from collections.abc import Callable

import numpy as np
from scipy.optimize import least_squares

from sigcube.constants import PAPER
from sigcube.cube import Packed

__all__ = ["BOUNDS", "best_of_random_starts", "pulls"]

VARIABLES = ("r", "v_obs", "e_v_obs", "v_gas", "v_disk", "v_bul")

# A and ln ξ; log₁₀ M₂₀₀ and ln c.
BOUNDS = {
    "sigma": (np.array([0.01, np.log(0.1)]), np.array([5.0, np.log(50.0)])),
    "nfw": (np.array([6.0, 0.0]), np.array([14.0, np.log(50.0)])),
}


def pulls(model: str, packed: Packed, i: int) -> Callable[[np.ndarray], np.ndarray]:
    """Return (V_pred − V_obs)/σ of galaxy i as a function of parameters, shape ``(..., 2)``."""
    part = slice(packed.offsets[i], packed.offsets[i + 1])
    r, v_obs, e, gas, disk, bulge = (packed.points[name][part] for name in VARIABLES)
    v_bar_sq = gas * np.abs(gas) + 0.5 * disk**2 + 0.7 * bulge**2
    g = v_bar_sq * 1e6 / (r * PAPER.kpc)
    h = np.sqrt(PAPER.g_dagger / g) * PAPER.g_dagger / (PAPER.g_dagger + g)
    e = np.maximum(e, 0.1)

    def sigma(x: np.ndarray) -> np.ndarray:
        A, xi = x[..., :1], np.exp(x[..., 1:])
        return (np.sqrt(v_bar_sq * (1.0 + A * h * r / (xi + r))) - v_obs) / e

    def nfw(x: np.ndarray) -> np.ndarray:
        mass, c = 10.0 ** x[..., :1] * PAPER.Msun, np.exp(x[..., 1:])
        r_200 = np.cbrt(PAPER.G * mass / (100.0 * PAPER.H0**2))
        y = c * r * PAPER.kpc / r_200
        shape = (np.log1p(y) - y / (1.0 + y)) / (np.log1p(c) - c / (1.0 + c))
        return (np.sqrt(v_bar_sq + 1e-6 * PAPER.G * mass * shape / (r * PAPER.kpc)) - v_obs) / e

    return {"sigma": sigma, "nfw": nfw}[model]


def best_of_random_starts(model: str, packed: Packed, i: int, *, starts: int, rng: np.random.Generator) -> float:
    """Return the least χ² that scipy finds from random places between the bounds."""
    low, high = BOUNDS[model]
    residuals, step = pulls(model, packed, i), 1e-6 * np.eye(2)

    def jacobian(x: np.ndarray) -> np.ndarray:
        after = residuals(x + step)
        return (after - residuals(x - step)).T / 2e-6

    def one(start: np.ndarray) -> float:
        return 2.0 * float(least_squares(residuals, start, jac=jacobian, bounds=(low, high), max_nfev=200).cost)

    return min(one(start) for start in rng.uniform(low, high, (starts, 2)))
