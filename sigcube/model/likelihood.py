"""Gaussian ln L of a system: the sums over its points, and the formulas that finish them (docs/likelihoods.md).

With the residual Δ = V_mod − V_obs and the variance σ² of each point, every formula here is made of three sums: Σ
[Δ²/σ² + ln 2πσ²], Σ V_mod Δ/σ² and Σ V_mod²/σ². An error model that changes σ² replaces only the term ``error_sq``.
"""

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from sigcube.model.compile import helper
from sigcube.model.record import Term
from sigcube.model.vecmath import exp, expm1, log, log1p

__all__ = [
    "DEVIANCE",
    "SCALE_SUMS",
    "TERMS",
    "error_sq_with_scatter",
    "error_sq_with_scatter_of_g",
    "error_sq_with_scatter_of_v",
    "from_deviance",
    "over_scale",
    "scale_prior",
    "sine",
]

FloatArray = npt.NDArray[np.float64]

_TWO_PI = 6.283185307179586
_HALF_LN_10 = 1.151292546497023
_DEGREE = 0.017453292519943295

DEVIANCE = ("deviance",)
#: The sums that ln L needs where the model may be scaled as a whole.
SCALE_SUMS = ("deviance", "weighted_residual", "weighted_prediction_sq")


def error_sq(error: float, error_floor: float) -> float:
    """σ², where σ is at least the error floor."""
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
    """σ² + σ_int², for an intrinsic scatter in the unit of the observation."""
    sigma = max(error, error_floor)
    return sigma * sigma + intrinsic_scatter * intrinsic_scatter


def error_sq_with_scatter_of_v(error: float, error_floor: float, predicted: float, intrinsic_scatter: float) -> float:
    """σ² + (V_mod σ_int ln 10/2)², for a scatter in dex of the acceleration: g ∝ V² (Desmond 2023)."""
    sigma, scatter = max(error, error_floor), predicted * (_HALF_LN_10 * intrinsic_scatter)
    return sigma * sigma + scatter * scatter


def error_sq_with_scatter_of_g(error: float, error_floor: float, predicted: float, intrinsic_scatter: float) -> float:
    """σ² + (g_mod σ_int ln 10)², for a scatter in dex where accelerations or masses are observed."""
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

#: The terms behind the sums, under errors as quoted.
TERMS: Mapping[str, Term] = MappingProxyType({term.__name__: term for term in _TERMS})


def from_deviance(n: float, deviance: float) -> float:
    """Return ln L = −½ Σ [Δ²/σ² + ln 2πσ²]."""
    return -0.5 * deviance


def over_scale(
    n: float, deviance: float, cross: float, square: float, shift: float, variance: float, skew: float
) -> float:
    """Return ln L of the model times s, integrated over s with its first three moments known.

    −2 ln L = D(s̄) − τ² C²/q + ln q − P [1 − 1/(1 + λ/3)] + λ, with q = 1 + τ² S, P = C²/(S q) and λ = −κ C τ² S/q².

    s̄ = 1 + shift is the mean of s, τ² its variance, and κ, the skew, its third central moment over τ². S is Σ
    V_mod²/σ², D(s) is Σ [Δ²/σ² + ln 2πσ²] of the model times s, and C is half the slope of D at s̄. The formula is
    exact for a Gaussian s, where κ is 0. It is of first order in κ (after Gram & Charlier), written so that it falls
    off on both sides, with 1 + λ/3 held at ½ or more.
    """
    slope = cross + shift * square
    at_mean = deviance + shift * (2.0 * cross + shift * square)
    stretched = variance * square
    q = 1.0 + stretched
    lean = -skew * slope * stretched / (q * q)
    # Where the model predicts nothing, the slope is 0 as well.
    missed = slope * slope / (max(square, 1e-300) * q)
    gained = missed * (1.0 - 1.0 / max(1.0 + lean / 3.0, 0.5))
    return -0.5 * (at_mean - variance * slope * slope / q + log1p(stretched) - gained + lean)


@cache
def scale_prior(*, distance: bool, inclination: bool) -> Callable[..., tuple[FloatArray, ...]]:
    """Return the function that prepares the inputs of `over_scale` from the variables of the systems."""

    def prepare(*variables: FloatArray) -> tuple[FloatArray, ...]:
        mean, square, cube = np.ones_like(variables[0]), np.zeros_like(variables[0]), np.zeros_like(variables[0])
        if distance:
            mean, square, cube = _root_moments(variables[1] / variables[0])
        if inclination:
            mean, square, cube = _product_moments((mean, square, cube), _sine_moments(*variables[-2:]))
        return mean - 1.0, square, np.divide(cube, square, out=np.zeros_like(cube), where=square > 0.0)

    return prepare


_Moments = tuple[FloatArray, FloatArray, FloatArray]


def _product_moments(a: _Moments, b: _Moments) -> _Moments:
    """Return mean, second and third central moment of a product of independent factors, from theirs."""
    (a_1, a_2, a_3), (b_1, b_2, b_3) = a, b
    square = a_2 * b_2 + a_2 * b_1 * b_1 + b_2 * a_1 * a_1
    cube = a_3 * (b_1 * b_1 * b_1 + 3.0 * b_1 * b_2 + b_3) + b_3 * (a_1 * a_1 * a_1 + 3.0 * a_1 * a_2)
    return a_1 * b_1, square, cube + 6.0 * a_1 * b_1 * a_2 * b_2


def _root_moments(epsilon: FloatArray) -> _Moments:
    """Return the moments of √(1 + ε x) for x ~ N(0, 1), where the root is real: a distance is positive.

    The trapezoidal rule counts its last cell as far as it is inside. A sum in a fixed order has the same bits on every
    machine.
    """
    step = 0.0625
    total, *sums = (np.zeros_like(epsilon) for _ in range(4))
    for x in np.arange(-8.5, 8.5 + step, step).tolist():
        moved = 1.0 + epsilon * x
        weight = exp(-0.5 * x * x) * np.clip(0.5 + moved / np.maximum(epsilon * step, 1e-9), 0.0, 1.0)
        # √(1 + u) − 1, in a form that keeps its digits for a small u.
        away = (moved - 1.0) / (1.0 + np.sqrt(np.maximum(moved, 0.0)))
        total = total + weight
        sums = [
            each + weight * power for each, power in zip(sums, (away, away * away, away * away * away), strict=True)
        ]
    first, second, third = (each / total for each in sums)
    return 1.0 + first, second - first * first, third - 3.0 * first * second + 2.0 * first * first * first


def _sine_moments(inclination: FloatArray, e_inclination: FloatArray) -> _Moments:
    """Return the moments of sin i'/sin i for i' ~ N(i, σ_i²), in degrees.

    With q = exp(−σ²) and p = 1 − q, the moments of sin i' are √q sin i, ½ p (1 + q cos 2i) and −¼ √q p² sin i [p (3 +
    q) sin² i + 3 (1 + q)² cos² i].
    """
    mean, square, cube = (np.empty_like(inclination) for _ in range(3))
    for at, (i, e_i) in enumerate(zip(inclination.tolist(), e_inclination.tolist(), strict=True)):
        sine_sq, cosine_sq = sine(i) * sine(i), sine(90.0 - i) * sine(90.0 - i)
        sigma_sq = (e_i * _DEGREE) * (e_i * _DEGREE)
        p, q = -expm1(-sigma_sq), exp(-sigma_sq)
        mean[at] = np.sqrt(q)
        square[at] = 0.5 * p * (1.0 + q * (cosine_sq - sine_sq)) / sine_sq
        bracket = p * (3.0 + q) + 3.0 * (1.0 + q) * (1.0 + q) * cosine_sq / sine_sq
        cube[at] = -0.25 * np.sqrt(q) * p * p * bracket
    return mean, square, cube


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
