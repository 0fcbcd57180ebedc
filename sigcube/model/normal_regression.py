"""Errors of g_bar in ln L: marginalised normal regression of log g_obs on log g_bar (docs/likelihoods.md).

The measured x = log₁₀ g_bar has the error σ_x; y = log₁₀ g_obs has the error σ_y = 2 σ_V/(V_obs ln 10) and the
intrinsic scatter σ_int. The true x of each point is drawn from N(μ, w²), and the relation is linearised at the measured
x, with the slope A = d log g_mod/d log g_bar. Integrated over the true x, (x, y) is Gaussian with the mean (μ, y_mod +
A (μ − x)) and the covariance [[w² + σ_x², A w²], [A w², A² w² + σ_y² + σ_int²]] (Bartlett & Desmond 2023,
arXiv:2309.00948). Given x, y is Gaussian too. With k = σ_x²/(w² + σ_x²),

- its mean is y_mod − A k (x − μ): the true x is expected nearer to μ than the measured one, by k of the way,
- its variance is σ_y² + σ_int² + A² k w².

ln L is that of V_obs given g_bar. As V_obs ∝ √g_obs, everything is stretched by dV/dy = V_obs ln 10/2: the terms here
replace Δ and σ² of `sigcube.model.likelihood`, in km/s, and the norm of the density is still ln 2πσ².

Errors of distance and inclination scale V_mod by a factor s, which adds V_obs ln s to these residuals. g_bar and A do
not depend on s. So V_obs takes the place of V_mod in `sigcube.model.likelihood.over_scale`, and 1 + ln s that of s: the
moments are those of ln s.
"""

import math
from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType

import numpy as np

from sigcube.cube import KINDS
from sigcube.model.compile import compiled, define, helper
from sigcube.model.error_frame import BARYONIC_VELOCITIES
from sigcube.model.likelihood import FloatArray, sine
from sigcube.model.record import NUDGED, Term
from sigcube.model.vecmath import exp, log, log1p, log10

__all__ = ["REGRESSION_TERMS", "error_sq", "error_sq_with_scatter", "log_scale_prior"]

_HALF_LN_10 = 1.151292546497023
_DEGREE = 0.017453292519943295
_E = 2.718281828459045

# All baryonic masses are raised and lowered by this fraction. The error of a central difference in the logarithm is
# then 1.6e-10 of the third derivative, and that of rounding some 1e-11.
_NUDGE = 2.0**-15
_ARTANH_NUDGE = _NUDGE * (1.0 + _NUDGE * _NUDGE / 3.0)

_MASSES = ("solMass", "solLum", "solLum/pc2")

#: Powers of the baryonic mass to which variables of galaxies are proportional.
_POWERS = {
    each.name: 0.5 if each.name in BARYONIC_VELOCITIES else 1.0
    for each in KINDS["galaxy"].variables
    if each.name in BARYONIC_VELOCITIES or (each.unit in _MASSES and not each.name.startswith("e_"))
}


@cache
def _nudged(prefix: str, name: str) -> Term:
    """Return the term of a variable of a galaxy with more or less baryons."""
    sign = 1.0 if prefix == NUDGED[0] else -1.0
    factor = 1.0 + sign * _NUDGE
    factor = math.sqrt(factor) if _POWERS[name] == 0.5 else factor
    source = f"def {prefix}{name}({name}):\n    return {name} * {factor!r}\n"
    term: Term = define(source, f"{prefix}{name}", {}, module=__name__)
    return term


def g_bar_response(raised_boost: float, lowered_boost: float) -> float:
    """Return A = d log g_mod/d log g_bar = 1 + d ln Σ/d ln g_bar, with all baryons of a galaxy nudged alike.

    A central difference: ln Σ₊/Σ₋ = 2 artanh u with u = (Σ₊ − Σ₋)/(Σ₊ + Σ₋), which is so small that u + u³/3 is enough.
    """
    u = (raised_boost - lowered_boost) / (raised_boost + lowered_boost)
    return 1.0 + u * (1.0 + u * u / 3.0) / _ARTANH_NUDGE


def g_bar_shrinkage(g_bar_error: float, g_bar_width: float) -> float:
    """Return k = σ_x²/(w² + σ_x²), the expected fraction of error in a measured x − μ."""
    variance = g_bar_error * g_bar_error
    return variance / (g_bar_width * g_bar_width + variance)


def g_bar_excess(g_bar: float, g_bar_mean: float, g_bar_shrinkage: float) -> float:
    """Return k (x − μ), the expected excess of the measured x over the true one, dex."""
    return g_bar_shrinkage * (log10(g_bar) - g_bar_mean)


def g_bar_variance(g_bar_shrinkage: float, g_bar_width: float) -> float:
    """Return k w², the variance of the true x, given the measured one, dex²."""
    return g_bar_shrinkage * (g_bar_width * g_bar_width)


def regression_residual(predicted: float, observed: float, g_bar_response: float, g_bar_excess: float) -> float:
    """V_obs ln 10/2 · [log₁₀ g_mod/g_obs − A k (x − μ)], km/s."""
    return observed * (log(predicted / observed) - _HALF_LN_10 * (g_bar_response * g_bar_excess))


def error_sq(error: float, error_floor: float, observed: float, g_bar_response: float, g_bar_variance: float) -> float:
    """σ_V² + (V_obs ln 10/2)² A² k w²."""
    sigma, stretch = max(error, error_floor), observed * _HALF_LN_10
    return sigma * sigma + stretch * stretch * (g_bar_response * g_bar_response * g_bar_variance)


def error_sq_with_scatter(
    error: float,
    error_floor: float,
    observed: float,
    g_bar_response: float,
    g_bar_variance: float,
    intrinsic_scatter: float,
) -> float:
    """σ_V² + (V_obs ln 10/2)² (σ_int² + A² k w²)."""
    sigma, stretch = max(error, error_floor), observed * _HALF_LN_10
    of_g = intrinsic_scatter * intrinsic_scatter + g_bar_response * g_bar_response * g_bar_variance
    return sigma * sigma + stretch * stretch * of_g


def weighted_residual_sq(regression_residual: float, inverse_error_sq: float) -> float:
    """Δ²/σ²."""
    return regression_residual * regression_residual * inverse_error_sq


def weighted_residual(observed: float, regression_residual: float, inverse_error_sq: float) -> float:
    """V_obs Δ/σ²: a factor on V_mod changes Δ by V_obs times its logarithm."""
    return observed * regression_residual * inverse_error_sq


def weighted_prediction_sq(observed: float, inverse_error_sq: float) -> float:
    """V_obs²/σ²."""
    return observed * observed * inverse_error_sq


_TERMS = (
    g_bar_response,
    g_bar_shrinkage,
    g_bar_excess,
    g_bar_variance,
    regression_residual,
    error_sq,
    weighted_residual_sq,
    weighted_residual,
    weighted_prediction_sq,
)

#: The terms behind the sums of ln L with errors of g_bar, under the names of those of `sigcube.model.likelihood`, and
#: their inputs. With a scatter, `error_sq_with_scatter` replaces ``error_sq``.
REGRESSION_TERMS: Mapping[str, Term] = MappingProxyType(
    {term.__name__: term for term in _TERMS}
    | {f"{prefix}{name}": _nudged(prefix, name) for prefix in NUDGED for name in _POWERS}
)


@cache
def log_scale_prior(*, distance: bool, inclination: bool) -> Callable[..., tuple[FloatArray, ...]]:
    """Return the function that prepares the inputs of `over_scale` from the variables of the systems.

    These are the moments of ln s = ½ ln(D'/D) + ln(sin i'/sin i), with Gaussian D' > 0 and i'.
    """

    def prepare(*variables: FloatArray) -> tuple[FloatArray, ...]:
        held = np.zeros_like(variables[0])
        epsilon = variables[1] / variables[0] if distance else held
        angle, error = variables[-2:] if inclination else (held + 90.0, held)
        moments = tuple(np.empty_like(held) for _ in range(3))
        _fill_moments(epsilon, angle, error, *moments)
        return moments

    return prepare


# The trapezoidal rule over a Gaussian: its reach in standard deviations, and its nodes per standard deviation.
_REACH, _NODES = 8.5, 32


@compiled
def _fill_moments(
    epsilon: FloatArray,
    inclination: FloatArray,
    e_inclination: FloatArray,
    mean: FloatArray,
    variance: FloatArray,
    skew: FloatArray,
) -> None:
    """Sum up the moments of each system, in a fixed order: the same bits on every machine."""
    powers_d, powers_i = np.empty(4), np.empty(4)
    for s in range(epsilon.size):
        powers_d[:], powers_i[:] = 0.0, 0.0
        # The mean of ln|x| over a cell around 0 is ln of its half width, less 1, although ln diverges there.
        face_on = 0.5 * e_inclination[s] * _DEGREE / _NODES / _E
        for k in range(2 * int(_REACH * _NODES)):
            x = (k + 0.5) / _NODES - _REACH
            weight = exp(-0.5 * x * x)
            moved = epsilon[s] * x
            if moved > -1.0:
                _add_powers(powers_d, weight, 0.5 * log1p(moved))
            tilted = abs(inclination[s] + e_inclination[s] * x)
            folded = tilted - 180.0 * np.floor(tilted / 180.0)
            _add_powers(powers_i, weight, log(max(sine(folded), face_on) / sine(inclination[s])))
        mean[s], variance[s], third = 0.0, 0.0, 0.0
        for powers in (powers_d, powers_i):
            first, second = powers[1] / powers[0], powers[2] / powers[0]
            mean[s] += first
            variance[s] += max(second - first * first, 0.0)
            third += powers[3] / powers[0] - 3.0 * first * second + 2.0 * first * first * first
        skew[s] = third / variance[s] if variance[s] > 0.0 else 0.0


@helper
def _add_powers(powers: FloatArray, weight: float, value: float) -> None:
    for n in range(4):
        powers[n] += weight
        weight *= value
