"""ln L of a curve whose model is scaled as a whole, from its covariance matrix: the second way to the same number."""

import numpy as np
from scipy.linalg import cho_factor, cho_solve

__all__ = ["scaled_density"]


def scaled_density(
    v: np.ndarray,
    o: np.ndarray,
    covariance: np.ndarray,
    *,
    shift: float = 0.0,
    variance: float = 0.0,
    skew: float = 0.0,
) -> float:
    """Return the ln of N(o; (1 + shift) v, C + τ² v vᵀ), and what a third moment of the scale adds to it.

    With z the scale in standard deviations of its prior, μ its mean after the data, r how much less its variance has
    become, and γ its skewness, the third moment adds γ (μ³ − 3 μ r)/6 to first order, of which the cube is part of the
    quotient −½ (μ²/r)/(1 + γ μ r/3), whose denominator is at least a half.
    """
    residual = o - (1.0 + shift) * v
    factor = cho_factor(covariance + variance * np.outer(v, v), lower=True)
    log_det = 2.0 * np.sum(np.log(np.diag(factor[0]))) + v.size * np.log(2.0 * np.pi)
    gaussian = float(-0.5 * (residual @ cho_solve(factor, residual) + log_det))
    if skew == 0.0:
        return gaussian
    alone = cho_factor(covariance, lower=True)
    tau, precision = np.sqrt(variance), 1.0 / variance + v @ cho_solve(alone, v)
    mu = (v @ cho_solve(alone, residual)) / precision / tau
    r = 1.0 - 1.0 / (precision * variance)
    lean = skew / tau * mu * r
    exponent = 0.5 * mu * mu / r
    return float(gaussian + exponent - exponent / max(1.0 + lean / 3.0, 0.5) - 0.5 * lean)
