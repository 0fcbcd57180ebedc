"""The angular half of the solver: functions of μ = cos θ on one side of the mid-plane."""

from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from numpy.polynomial import legendre

__all__ = ["Angular", "angular"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Angular:
    """Eigenfunctions v_k of the angular Laplacian among the polynomials on 0 ≤ μ ≤ 1.

    They solve ∫(1−μ²) v' w' dμ = λ ∫v w dμ for every polynomial w of no higher degree. Half of them are the even
    Legendre polynomials, λ = l(l+1). The others let the slope at μ = 0 be anything: across a thin disc the field jumps,
    and a series in those polynomials alone would converge slowly there, as this one does not.

    Attributes
    ----------
    mu, weight : array, shape (n_nodes,)
        Gauss nodes on (0, 1), more than there are functions, and their weights.
    exponent : array, shape (n_modes,)
        l > 0 with l(l+1) = λ_k; the first is 0, the mean over the sphere.
    value, slope : array, shape (n_nodes, n_modes)
        v_k and v_k' at the nodes, ∫v_k² dμ = 1.
    """

    mu: FloatArray
    weight: FloatArray
    exponent: FloatArray
    value: FloatArray
    slope: FloatArray
    coefficients: FloatArray

    @property
    def n_modes(self) -> int:
        """How many functions there are."""
        return self.exponent.size

    def at(self, mu: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return v_k and v_k' anywhere on 0 ≤ μ ≤ 1, each of shape (*mu.shape, n_modes)."""
        value, slope = _polynomials(mu, self.n_modes)
        return value @ self.coefficients, slope @ self.coefficients


@cache
def angular(n_modes: int) -> Angular:
    """Make the eigenfunctions among polynomials of degree below ``n_modes``."""
    nodes, weights = legendre.leggauss(2 * n_modes)
    mu, weight = 0.5 * (nodes + 1.0), 0.5 * weights
    value, slope = _polynomials(mu, n_modes)
    stiffness = slope.T @ ((weight * (1.0 - mu * mu))[:, None] * slope)
    coefficients = np.eye(n_modes)
    # The constant is an eigenfunction by itself: left in, its 0 would drown in the rounding of the others.
    eigenvalues, coefficients[1:, 1:] = np.linalg.eigh(stiffness[1:, 1:])
    exponent = np.sqrt(0.25 + np.concatenate([[0.0], eigenvalues])) - 0.5
    return Angular(mu, weight, exponent, value @ coefficients, slope @ coefficients, coefficients)


def _polynomials(mu: FloatArray, n: int) -> tuple[FloatArray, FloatArray]:
    """Legendre polynomials on (0, 1), ∫p² dμ = 1, and their derivatives: shape (*mu.shape, n)."""
    x, norm = 2.0 * mu - 1.0, np.sqrt(2.0 * np.arange(n) + 1.0)
    value = legendre.legvander(x, n - 1)
    slope = np.zeros_like(value)
    # P'_{k+1} = P'_{k-1} + (2k+1) P_k
    for k in range(1, n):
        slope[..., k] = (2.0 * k - 1.0) * value[..., k - 1] + (slope[..., k - 2] if k > 1 else 0.0)
    return value * norm, 2.0 * slope * norm
