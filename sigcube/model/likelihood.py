"""Gaussian ln L of a system: the sums over its points, and the formulas that finish them (docs/likelihoods.md).

With the residual Δ = V_mod − V_obs and the variance σ² of each point, every formula here is made of three sums:
Σ [Δ²/σ² + ln 2πσ²], Σ V_mod Δ/σ² and Σ V_mod²/σ². An error model that changes σ² replaces the term ``error_sq`` alone.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from sigcube.model.compile import helper
from sigcube.model.record import Term
from sigcube.model.vecmath import log, log1p

__all__ = [
    "DEVIANCE",
    "SCALE_SUMS",
    "TERMS",
    "error_sq_with_scatter",
    "error_sq_with_scatter_of_g",
    "error_sq_with_scatter_of_v",
    "from_deviance",
    "over_scale",
    "scale_variance",
    "scale_variance_of_distance",
    "scale_variance_of_inclination",
    "sine",
]

FloatArray = npt.NDArray[np.float64]

_TWO_PI = 6.283185307179586
_HALF_LN_10 = 1.151292546497023
_DEGREE = 0.017453292519943295

DEVIANCE = ("deviance",)
#: What ln L needs where the model may be scaled as a whole.
SCALE_SUMS = ("deviance", "weighted_residual", "weighted_prediction_sq")


def error_sq(error: float, error_floor: float) -> float:
    """σ², with σ of at least the floor that the kind of data has."""
    sigma = max(error, error_floor)
    return sigma * sigma


def inverse_error_sq(error_sq: float) -> float:
    """1/σ²."""
    return 1.0 / error_sq


def log_error_sq(error_sq: float) -> float:
    """Take ln 2πσ², the norm of the density."""
    return log(_TWO_PI * error_sq)


def weighted_residual_sq(residual: float, inverse_error_sq: float) -> float:
    """Δ²/σ²."""
    return residual * residual * inverse_error_sq


def deviance(weighted_residual_sq: float, log_error_sq: float) -> float:
    """Δ²/σ² + ln 2πσ², which is −2 ln of the point's density."""
    return weighted_residual_sq + log_error_sq


def weighted_residual(predicted: float, residual: float, inverse_error_sq: float) -> float:
    """V_mod Δ/σ²."""
    return predicted * residual * inverse_error_sq


def weighted_prediction_sq(predicted: float, inverse_error_sq: float) -> float:
    """V_mod²/σ²."""
    return predicted * predicted * inverse_error_sq


def error_sq_with_scatter(error: float, error_floor: float, intrinsic_scatter: float) -> float:
    """σ² + σ_int², of an intrinsic scatter in the unit of what is observed."""
    sigma = max(error, error_floor)
    return sigma * sigma + intrinsic_scatter * intrinsic_scatter


def error_sq_with_scatter_of_v(error: float, error_floor: float, predicted: float, intrinsic_scatter: float) -> float:
    """σ² + (V_mod σ_int ln 10/2)², of a scatter in dex of the acceleration: g ∝ V² (Desmond 2023)."""
    sigma, scatter = max(error, error_floor), predicted * (_HALF_LN_10 * intrinsic_scatter)
    return sigma * sigma + scatter * scatter


def error_sq_with_scatter_of_g(error: float, error_floor: float, predicted: float, intrinsic_scatter: float) -> float:
    """σ² + (g_mod σ_int ln 10)², of a scatter in dex where accelerations or masses are observed."""
    sigma, scatter = max(error, error_floor), predicted * (2.0 * _HALF_LN_10 * intrinsic_scatter)
    return sigma * sigma + scatter * scatter


_TERMS = (
    error_sq,
    inverse_error_sq,
    log_error_sq,
    weighted_residual_sq,
    deviance,
    weighted_residual,
    weighted_prediction_sq,
)

#: The terms behind the sums, under errors as they are quoted.
TERMS: Mapping[str, Term] = MappingProxyType({term.__name__: term for term in _TERMS})


def from_deviance(n: float, deviance: float) -> float:
    """Return ln L = −½ Σ [Δ²/σ² + ln 2πσ²]."""
    return -0.5 * deviance


def over_scale(n: float, deviance: float, cross: float, square: float, tau_sq: float) -> float:
    """Return ln L with the model times s ~ N(1, τ²), integrated over s.

    −2 ln L = Σ [Δ²/σ² + ln 2πσ²] − τ² (Σ V_mod Δ/σ²)²/(1 + τ² Σ V_mod²/σ²) + ln(1 + τ² Σ V_mod²/σ²).
    """
    stretched = tau_sq * square
    return -0.5 * (deviance - tau_sq * cross * cross / (1.0 + stretched) + log1p(stretched))


def scale_variance(
    distance: FloatArray, e_distance: FloatArray, inclination: FloatArray, e_inclination: FloatArray
) -> tuple[FloatArray, ...]:
    """τ² = (σ_D/2D)² + (σ_i cot i)² of the scale s = √(D'/D) · sin i'/sin i, to first order."""
    (of_distance,) = scale_variance_of_distance(distance, e_distance)
    (of_inclination,) = scale_variance_of_inclination(inclination, e_inclination)
    return (of_distance + of_inclination,)


def scale_variance_of_distance(distance: FloatArray, e_distance: FloatArray) -> tuple[FloatArray, ...]:
    """τ² = (σ_D/2D)²."""
    tau = e_distance / (2.0 * distance)
    return (tau * tau,)


def scale_variance_of_inclination(inclination: FloatArray, e_inclination: FloatArray) -> tuple[FloatArray, ...]:
    """τ² = (σ_i cot i)², of angles in degrees."""
    cotangent = np.array([sine(90.0 - i) / sine(i) for i in inclination.tolist()])
    tau = e_inclination * _DEGREE * cotangent
    return (tau * tau,)


@helper
def sine(degrees: float) -> float:
    """Sine of an angle between −180° and 180°, with the same bits on every machine: its series, near 0° or 90°."""
    folded = min(abs(degrees), 180.0 - abs(degrees))
    near_90 = folded > 45.0
    x = (90.0 - folded if near_90 else folded) * _DEGREE
    x_sq = x * x
    even, odd = 1.0, 1.0
    for k in range(10, 0, -1):
        even = 1.0 - even * x_sq / ((2.0 * k - 1.0) * (2.0 * k))
        odd = 1.0 - odd * x_sq / ((2.0 * k) * (2.0 * k + 1.0))
    size = even if near_90 else x * odd
    return -size if degrees < 0.0 else size
