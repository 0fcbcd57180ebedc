"""Errors that are correlated along the points of a system: the sums behind ln L, exactly and in one pass.

The covariance of a system's errors is C_ij = σ_i² δ_ij + a² exp(−|x_i − x_j|/ℓ): white noise, and an Ornstein-Uhlenbeck
process of amplitude a and length ℓ along x. Such a process has no memory beyond its last value, so that a Kalman filter
passes once along the points and gives what a Cholesky factor of C would: with innovations ν of variances F, u' C⁻¹ v =
Σ ν_u ν_v/F and ln det C = Σ ln F (Kelly+ 2009, ApJ 698, 895, eqs. 6 to 12; Foreman-Mackey+ 2017, AJ 154, 220, for sums
of such processes).

At each point, φ = exp(−Δx/ℓ) is the correlation with the point before, 0 at the first, and

- P = φ² q + a² (1 − φ²) is the variance of the process, given the points before,
- F = P + σ² that of what is measured, K = P/F the gain,
- q = P σ²/F the variance of the process, given this point too, which the next point takes.

None of these depends on the model, unless σ does. The filter is linear: each series v is filtered by itself, with the
innovation ν = v − φ m, and m' = φ m + K ν for the next point. The observed series does not depend on the model either,
so that only the prediction is filtered for each combination of the model's parameters.
"""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np

from sigcube.model.record import Term
from sigcube.model.vecmath import exp, expm1, log

__all__ = ["CORRELATED_TERMS", "POSITIONS"]

_TWO_PI = 6.283185307179586


def radius(r: float) -> float:
    """X = R, kpc."""
    return r


def radius_in_scale_lengths(r: float, r_disk: float) -> float:
    """X = R/R_d, with the scale length of the stellar disc."""
    return r / r_disk


def point_number(previous_point_number: float) -> float:
    """1, 2, … along a system."""
    return previous_point_number + 1.0


def step_in_lengths(
    point_number: float, correlation_position: float, previous_correlation_position: float, correlation_length: float
) -> float:
    """Δx/ℓ, how far a point is from the one before; infinite at the first."""
    step = (correlation_position - previous_correlation_position) / correlation_length
    return np.inf if point_number == 1.0 else step


def step_correlation(step_in_lengths: float) -> float:
    """φ = exp(−Δx/ℓ)."""
    return exp(-step_in_lengths)


def step_variance(step_in_lengths: float, correlation_amplitude: float) -> float:
    """a² (1 − φ²), the variance that the process gains since the point before."""
    return correlation_amplitude * correlation_amplitude * -expm1(-2.0 * step_in_lengths)


def process_variance(step_correlation: float, step_variance: float, previous_filtered_variance: float) -> float:
    """P = φ² q + a² (1 − φ²)."""
    return step_correlation * step_correlation * previous_filtered_variance + step_variance


def innovation_variance(process_variance: float, error_sq: float) -> float:
    """F = P + σ²."""
    return process_variance + error_sq


def filtered_variance(process_variance: float, error_sq: float, innovation_variance: float) -> float:
    """Variance of the process given this point too, q = P σ²/F."""
    return process_variance * (error_sq / innovation_variance)


def innovation_weight(innovation_variance: float) -> float:
    """1/F."""
    return 1.0 / innovation_variance


def gain(process_variance: float, innovation_variance: float) -> float:
    """K = P/F."""
    return process_variance / innovation_variance


def predicted_innovation(predicted: float, step_correlation: float, previous_predicted_filtered: float) -> float:
    """ν of the prediction: its part that does not follow from the points before."""
    return predicted - step_correlation * previous_predicted_filtered


def predicted_filtered(
    predicted_innovation: float, gain: float, step_correlation: float, previous_predicted_filtered: float
) -> float:
    """Mean of the prediction's process given this point too, m' = φ m + K ν."""
    return step_correlation * previous_predicted_filtered + gain * predicted_innovation


def observed_innovation(observed: float, step_correlation: float, previous_observed_filtered: float) -> float:
    """ν of the observation."""
    return observed - step_correlation * previous_observed_filtered


def observed_filtered(
    observed_innovation: float, gain: float, step_correlation: float, previous_observed_filtered: float
) -> float:
    """Mean of the observation's process given this point too, m' = φ m + K ν."""
    return step_correlation * previous_observed_filtered + gain * observed_innovation


def residual_innovation(predicted_innovation: float, observed_innovation: float) -> float:
    """ν_Δ of prediction − observation."""
    return predicted_innovation - observed_innovation


def weighted_residual_sq(residual_innovation: float, innovation_weight: float) -> float:
    """ν_Δ²/F, whose sum is Δ' C⁻¹ Δ."""
    return residual_innovation * residual_innovation * innovation_weight


def weighted_residual(predicted_innovation: float, residual_innovation: float, innovation_weight: float) -> float:
    """ν_V ν_Δ/F, whose sum is V_mod' C⁻¹ Δ."""
    return predicted_innovation * residual_innovation * innovation_weight


def weighted_prediction_sq(predicted_innovation: float, innovation_weight: float) -> float:
    """ν_V²/F, whose sum is V_mod' C⁻¹ V_mod."""
    return predicted_innovation * predicted_innovation * innovation_weight


def log_error_sq(innovation_variance: float) -> float:
    """Take ln 2πF, whose sum is ln det 2πC."""
    return log(_TWO_PI * innovation_variance)


_TERMS = (
    point_number,
    step_in_lengths,
    step_correlation,
    step_variance,
    process_variance,
    innovation_variance,
    filtered_variance,
    innovation_weight,
    gain,
    predicted_innovation,
    predicted_filtered,
    observed_innovation,
    observed_filtered,
    residual_innovation,
    weighted_residual_sq,
    weighted_residual,
    weighted_prediction_sq,
    log_error_sq,
)

#: The terms behind the sums of ln L where errors are correlated: those of `sigcube.model.likelihood` under their names,
#: and what is behind them. ``correlation_position`` is missing: it is one of `POSITIONS`.
CORRELATED_TERMS: Mapping[str, Term] = MappingProxyType({term.__name__: term for term in _TERMS})

#: Along what errors may be correlated.
POSITIONS: Mapping[str, Term] = MappingProxyType({"radius": radius, "scale_length": radius_in_scale_lengths})
