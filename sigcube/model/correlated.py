"""Errors that are correlated along the points of a system: the exact likelihood in one pass.

The covariance of the errors of one system is C_ij = σ_i² δ_ij + a² exp(−|x_i − x_j|/ℓ): white noise, and an
Ornstein-Uhlenbeck process of amplitude a and length ℓ. Such a process has no memory beyond its last value, so that a
Kalman filter passes once along the points and gives what a Cholesky factor of C would: with the innovations ν and their
variances F, d' C⁻¹ e = Σ ν_d ν_e/F and ln det C = Σ ln F (Kelly+ 2009, ApJ 698, 895, appendix; Foreman-Mackey+ 2017, AJ
154, 220, for sums of such processes).

At a point, φ = exp(−Δx/ℓ) is the correlation with the point before, and

- P = φ² q + a² (1 − φ²) the variance of the process, given all points before,
- F = P + σ² that of what is measured, K = P/F the gain,
- q = P σ²/F the variance of the process, given this point too, which the next point takes as ``previous_…``.

None of them depends on the data, or on the model unless σ does. A series d, of residuals or predictions, goes along:
its innovation is ν = d − φ m, and m + K ν is what the next point takes as m.
"""

import numpy as np

from sigcube.model.record import Term
from sigcube.model.vecmath import exp, expm1, log

__all__ = ["CORRELATION_TERMS"]


def point_number(previous_point_number: float) -> float:
    """1, 2, … along a system."""
    return previous_point_number + 1.0


def step_in_lengths(
    point_number: float, correlation_position: float, previous_correlation_position: float, correlation_length: float
) -> float:
    """Δx/ℓ: by how many correlation lengths a point is away from the one before; without end at the first."""
    step = (correlation_position - previous_correlation_position) / correlation_length
    return np.inf if point_number == 1.0 else step


def step_correlation(step_in_lengths: float) -> float:
    """φ = exp(−Δx/ℓ)."""
    return exp(-step_in_lengths)


def step_variance(step_in_lengths: float, correlation_amplitude: float) -> float:
    """a² (1 − φ²): what the process gains in variance from one point to the next, if it is known at the first."""
    return correlation_amplitude * correlation_amplitude * -expm1(-2.0 * step_in_lengths)


def process_variance(step_correlation: float, step_variance: float, previous_known_variance: float) -> float:
    """P = φ² q + a² (1 − φ²), q of the point before."""
    return step_correlation * step_correlation * previous_known_variance + step_variance


def innovation_variance(process_variance: float, error_sq: float) -> float:
    """F = P + σ²."""
    return process_variance + error_sq


def known_variance(process_variance: float, error_sq: float, innovation_variance: float) -> float:
    """Q = P σ²/F: the variance of the process, given this point and all before."""
    return process_variance * error_sq / innovation_variance


def innovation_weight(innovation_variance: float) -> float:
    """1/F."""
    return 1.0 / innovation_variance


def gain(process_variance: float, innovation_weight: float) -> float:
    """K = P/F."""
    return process_variance * innovation_weight


def residual_innovation(residual: float, step_correlation: float, previous_residual_filtered: float) -> float:
    """ν of the residuals Δ: what the points before do not tell."""
    return residual - step_correlation * previous_residual_filtered


def residual_filtered(
    residual_innovation: float, gain: float, step_correlation: float, previous_residual_filtered: float
) -> float:
    """M = φ m + K ν of the residuals: the mean of the process, given this point and all before."""
    return step_correlation * previous_residual_filtered + gain * residual_innovation


def predicted_innovation(predicted: float, step_correlation: float, previous_predicted_filtered: float) -> float:
    """ν of the prediction."""
    return predicted - step_correlation * previous_predicted_filtered


def predicted_filtered(
    predicted_innovation: float, gain: float, step_correlation: float, previous_predicted_filtered: float
) -> float:
    """M = φ m + K ν of the prediction."""
    return step_correlation * previous_predicted_filtered + gain * predicted_innovation


def innovation_chi_sq(residual_innovation: float, innovation_weight: float) -> float:
    """ν²/F, whose sum is Δ' C⁻¹ Δ."""
    return residual_innovation * residual_innovation * innovation_weight


def innovation_cross(residual_innovation: float, predicted_innovation: float, innovation_weight: float) -> float:
    """ν_Δ ν_V/F, whose sum is Δ' C⁻¹ V."""
    return residual_innovation * predicted_innovation * innovation_weight


def innovation_predicted_sq(predicted_innovation: float, innovation_weight: float) -> float:
    """ν_V²/F, whose sum is V' C⁻¹ V."""
    return predicted_innovation * predicted_innovation * innovation_weight


def innovation_norm(innovation_variance: float) -> float:
    """ln 2πF, whose sum is ln det 2πC."""
    return log(2.0 * np.pi * innovation_variance)
