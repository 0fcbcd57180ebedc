"""Poisson's equation on one side of the mid-plane, for sources symmetric about an axis and about that plane.

The potential is a series in functions v_k(μ) of μ = cos θ (`AngularBasis`). Each coefficient solves an ordinary
equation, (r²Φ_k')' − l(l+1) Φ_k = q_k, whose homogeneous solutions are r^l and r^{−l−1}:

    (2l+1) Φ_k = −[r^{−l−1} ∫₀ʳ s^l q ds + r^l ∫ᵣ^∞ s^{−l−1} q ds].

The two integrals are computed as decaying sweeps, one outwards and one inwards (`RadialPanels`). Where the source is
the divergence of a field F, they are integrated by parts: F is never differentiated, and its jump across a thin disc
enters through the flux.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cache

import numpy as np
import numpy.typing as npt
from numpy.polynomial import legendre

__all__ = ["AngularBasis", "PolarGrid", "RadialPanels", "Solution", "angular_basis"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class AngularBasis:
    """Eigenfunctions v_k of the angular Laplacian among the polynomials on 0 ≤ μ ≤ 1.

    They solve ∫(1−μ²) v' w' dμ = λ ∫v w dμ for every polynomial w of no higher degree. Half of them are the even
    Legendre polynomials, with λ = l(l+1). The others have any slope at μ = 0. The vertical field jumps across a thin
    disc, and a series in even polynomials alone converges slowly there.
    """

    #: Gauss nodes on (0, 1) and their weights, shape (n_nodes,); twice as many as there are functions.
    mu: FloatArray
    weight: FloatArray
    #: l > 0 with l(l+1) = λ_k, shape (n_modes,). The first is 0, and its function is constant.
    exponent: FloatArray
    #: v_k and v_k' at the nodes, shape (n_nodes, n_modes), normalised to ∫v_k² dμ = 1.
    value: FloatArray
    slope: FloatArray
    #: Of the functions, in shifted Legendre polynomials: shape (n_modes, n_modes).
    coefficients: FloatArray

    def evaluate(self, mu: FloatArray) -> tuple[FloatArray, FloatArray]:
        """Return v_k and v_k' at any 0 ≤ μ ≤ 1, each of shape ``(*mu.shape, n_modes)``."""
        value, slope = _shifted_legendre(mu, self.exponent.size)
        return value @ self.coefficients, slope @ self.coefficients


@cache
def angular_basis(n_modes: int) -> AngularBasis:
    """Compute the eigenfunctions among the polynomials of degree below ``n_modes``."""
    nodes, weights = legendre.leggauss(2 * n_modes)
    mu, weight = 0.5 * (nodes + 1.0), 0.5 * weights
    value, slope = _shifted_legendre(mu, n_modes)
    stiffness = slope.T @ ((weight * (1.0 - mu * mu))[:, None] * slope)
    coefficients = np.eye(n_modes)
    # The constant is known to be an eigenfunction. Left in, its eigenvalue 0 would drown in the rounding of the others.
    eigenvalues, coefficients[1:, 1:] = np.linalg.eigh(stiffness[1:, 1:])
    exponent = np.sqrt(0.25 + np.concatenate([[0.0], eigenvalues])) - 0.5
    return AngularBasis(mu, weight, exponent, value @ coefficients, slope @ coefficients, coefficients)


def _shifted_legendre(mu: FloatArray, n: int) -> tuple[FloatArray, FloatArray]:
    """Return Legendre polynomials on (0, 1) with ∫p² dμ = 1, and their derivatives: shape ``(*mu.shape, n)``."""
    x, norm = 2.0 * mu - 1.0, np.sqrt(2.0 * np.arange(n) + 1.0)
    value = legendre.legvander(x, n - 1)
    slope = np.zeros_like(value)
    # P'_{k+1} = P'_{k-1} + (2k+1) P_k
    for k in range(1, n):
        slope[..., k] = (2.0 * k - 1.0) * value[..., k - 1] + (slope[..., k - 2] if k > 1 else 0.0)
    return value * norm, 2.0 * slope * norm


@dataclass(frozen=True)
class RadialPanels:
    """Panels of equal width in x = ln r, each with the same Chebyshev–Lobatto nodes, which include both ends."""

    #: Radii in kpc, ascending, shape (n_panels, n_nodes).
    r: FloatArray
    #: Of a panel, in x.
    width: float
    #: Matrix from values at the nodes of a panel to d/dx there, shape (n_nodes, n_nodes).
    derivative: FloatArray

    @classmethod
    def between(cls, smallest: float, largest: float, *, n_panels: int, n_nodes: int) -> "RadialPanels":
        """Place panels between two radii in kpc."""
        width = np.log(largest / smallest) / n_panels
        nodes, weights = _lobatto(n_nodes)
        x = width * (np.arange(n_panels)[:, None] + 0.5 * (nodes + 1.0))
        # Derivative of the interpolating polynomial (Berrut & Trefethen 2004, doi:10.1137/S0036144502417715, §9.3).
        distance = nodes[:, None] - nodes
        np.fill_diagonal(distance, 1.0)
        derivative = weights / weights[:, None] / distance
        np.fill_diagonal(derivative, 0.0)
        np.fill_diagonal(derivative, -derivative.sum(axis=1))
        return cls(smallest * np.exp(x), width, derivative * (2.0 / width))

    def outward(self, rate: FloatArray, source: FloatArray, start: FloatArray) -> FloatArray:
        """Solve dy/dx = −rate·y + source from the innermost radius, where y = start.

        The shape of y and ``source`` is (n_panels, n_nodes, n_modes), that of ``rate`` and ``start`` (n_modes,). Rates
        are not negative. The method is implicit, so that large ones are stable.
        """
        n = self.derivative.shape[0]
        system = self.derivative[1:, 1:] + rate[:, None, None] * np.eye(n - 1)
        inverse, from_start = np.linalg.inv(system), self.derivative[1:, 0]
        y = np.empty_like(source)
        for panel, right in enumerate(source):
            y[panel, 0] = start
            y[panel, 1:] = np.einsum("kij,jk->ik", inverse, right[1:] - from_start[:, None] * start)
            start = y[panel, -1]
        return y

    def inward(self, rate: FloatArray, source: FloatArray, start: FloatArray) -> FloatArray:
        """Solve dy/dx = rate·y − source from the outermost radius; the mirror image of `outward`."""
        return self.outward(rate, source[::-1, ::-1], start)[::-1, ::-1]

    def differentiate(self, values: FloatArray) -> FloatArray:
        """Return d/dx of values of shape ``(n_panels, n_nodes, ...)``."""
        slope: FloatArray = np.einsum("ij,pj...->pi...", self.derivative, values)
        return slope

    def interpolation(self, r: FloatArray) -> tuple[npt.NDArray[np.intp], FloatArray]:
        """Return the panel of each radius and the weights of its nodes: shapes ``(n,)`` and ``(n, n_nodes)``."""
        n_panels, n_nodes = self.r.shape
        position = np.log(r / self.r[0, 0]) / self.width
        panel = np.clip(position.astype(np.intp), 0, n_panels - 1)
        nodes, weights = _lobatto(n_nodes)
        distance = (2.0 * (position - panel) - 1.0)[:, None] - nodes
        at_node = distance == 0.0
        with np.errstate(divide="ignore", invalid="ignore"):
            terms = weights / distance
            between = terms / terms.sum(axis=1, keepdims=True)
        return panel, np.where(at_node.any(axis=1, keepdims=True), at_node.astype(np.float64), between)


def _lobatto(n: int) -> tuple[FloatArray, FloatArray]:
    """Return the Chebyshev–Lobatto nodes on (−1, 1) and their barycentric weights (Berrut & Trefethen 2004, §5)."""
    weights: FloatArray = np.where(np.arange(n) % 2, -1.0, 1.0)
    weights[[0, -1]] *= 0.5
    return -np.cos(np.pi * np.arange(n) / (n - 1)), weights


@dataclass(frozen=True)
class Solution:
    """A potential: the coefficients of its modes and their d/dr, shape ``(n_panels, n_nodes, n_modes)``.

    Units are (km/s)² where the source was in Msun/kpc³ and 4πG in kpc (km/s)²/Msun.
    """

    grid: "PolarGrid"
    potential: FloatArray
    slope: FloatArray

    def gradient(self) -> tuple[FloatArray, FloatArray]:
        """Return ∂Φ/∂r and (1/r) ∂Φ/∂μ at the nodes, shape ``(n_panels, n_nodes, n_mu)``."""
        angular = self.grid.angular
        return self.slope @ angular.value.T, self.potential @ angular.slope.T / self.grid.radial.r[..., None]

    @property
    def mean_slope(self) -> FloatArray:
        """Mean of ∂Φ/∂r over each sphere of the radial nodes, which is G M(<r)/r² by Gauss' theorem."""
        return self.slope[..., 0]

    @property
    def mid_plane_slope(self) -> FloatArray:
        """∂Φ/∂R in the mid-plane, at the radial nodes."""
        value, _ = self.grid.angular.evaluate(np.zeros(1))
        slope: FloatArray = self.slope @ value[0]
        return slope

    def evaluate(self, R: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return Φ, ∂Φ/∂R and ∂Φ/∂z at points with z ≥ 0, given as one-dimensional arrays; at z = 0 from above."""
        r = np.hypot(R, z)
        mu = z / r
        value, slope = self.grid.angular.evaluate(mu)
        panel, weights = self.grid.radial.interpolation(r)
        modes, modes_slope = (np.einsum("pi,pik->pk", weights, array[panel]) for array in (self.potential, self.slope))
        by_r = np.einsum("pk,pk->p", modes_slope, value)
        by_mu = np.einsum("pk,pk->p", modes, slope) / r
        by_R = by_r * (R / r) - by_mu * mu * (R / r)
        return np.einsum("pk,pk->p", modes, value), by_R, by_r * mu + by_mu * (1.0 - mu * mu)


@dataclass(frozen=True)
class PolarGrid:
    """Nodes in r and μ, and the solver on them."""

    radial: RadialPanels
    angular: AngularBasis

    @classmethod
    def between(cls, smallest: float, largest: float, *, n_panels: int, n_nodes: int, n_modes: int) -> "PolarGrid":
        """Make a grid from the smallest to the largest radius, in kpc."""
        radial = RadialPanels.between(smallest, largest, n_panels=n_panels, n_nodes=n_nodes)
        return cls(radial, angular_basis(n_modes))

    @property
    def cylindrical(self) -> tuple[FloatArray, FloatArray]:
        """R and z of the nodes in kpc, shape ``(n_panels, n_nodes, n_mu)``."""
        r, mu = self.radial.r[..., None], self.angular.mu
        return r * np.sqrt(1.0 - mu * mu), r * mu

    def solve_density(
        self,
        density: Callable[[FloatArray, FloatArray], FloatArray] | None,
        surface_density: Callable[[FloatArray], FloatArray] | None,
        four_pi_G: float,
    ) -> Solution:
        """Solve ∇²Φ = 4πGρ for a density ρ(R, z) and a thin disc Σ(R) at z = 0."""
        r = self.radial.r[..., None]
        source = np.zeros((*self.radial.r.shape, self.angular.exponent.size))
        if density is not None:
            source += four_pi_G * r**2 * self._project(density(*self.cylindrical), self.angular.value)
        if surface_density is not None:
            # The grid has one side of the mid-plane, and that side half of the disc.
            in_plane, _ = self.angular.evaluate(np.zeros(1))
            source += 0.5 * four_pi_G * r * surface_density(self.radial.r)[..., None] * in_plane[0]
        l = self.angular.exponent  # noqa: E741
        inner = self.radial.outward(l + 1.0, -source, -source[0, 0] / (l + 1.0 + self._power(source, 0)))
        outer = self.radial.inward(l, -source, -source[-1, -1] / (l - self._power(source, -1)))
        return self._combine(inner, outer)

    def solve_divergence(self, F_r: FloatArray, F_mu: FloatArray) -> Solution:
        """Solve ∇²Φ = ∇·F for a field given at the nodes by F_r and F_μ = −F_θ/sin θ.

        For F = ∇Φ these are ∂Φ/∂r and (1/r) ∂Φ/∂μ.
        """
        r, l = self.radial.r[..., None], self.angular.exponent  # noqa: E741
        mu = self.angular.mu
        along = self._project(F_r, self.angular.value)
        across = self._project((1.0 - mu * mu) * F_mu, self.angular.slope)
        inner, outer = r * (l * along + across), r * (across - (l + 1.0) * along)
        inner_sweep = self.radial.outward(l + 1.0, inner, inner[0, 0] / (l + 1.0 + self._power(inner, 0)))
        # Beyond the grid the mean field, l = 0, may fall too slowly for its potential to vanish at infinity, as in deep
        # MOND. It is continued there as the field of a point mass.
        end = np.concatenate([outer[-1, -1, :1], outer[-1, -1, 1:] / (l[1:] - self._power(outer, -1))])
        solution = self._combine(inner_sweep, self.radial.inward(l, outer, end))
        return Solution(self, solution.potential, solution.slope + along)

    def divergence(self, F_r: FloatArray, F_mu: FloatArray) -> FloatArray:
        """Return ∇·F at the nodes, off the mid-plane, for a field as in `solve_divergence`."""
        r, angular = self.radial.r[..., None], self.angular
        flux = self._project((1.0 - angular.mu**2) * F_mu, angular.value) @ angular.slope.T
        return self.radial.differentiate(r**2 * F_r) / r**3 + flux / r

    def interpolate(self, values: FloatArray, R: FloatArray, z: FloatArray) -> FloatArray:
        """Interpolate values at the nodes to points, as `Solution.evaluate` does potentials."""
        modes = self._project(values, self.angular.value)
        r = np.hypot(R, z)
        panel, weights = self.radial.interpolation(r)
        at_points: FloatArray = np.einsum("pi,pik,pk->p", weights, modes[panel], self.angular.evaluate(z / r)[0])
        return at_points

    def _power(self, source: FloatArray, panel: int) -> float:
        """Return p such that the source goes as r^p at an end of the grid: p ≥ 0 at the centre, p < 0 far away."""
        node = 0 if panel == 0 else -1
        size, growth = source[panel, node], self.radial.derivative[node] @ source[panel]
        norm = float(size @ size)
        power = float(growth @ size) / norm if norm > 0.0 else 0.0
        return max(power, 0.0) if panel == 0 else min(power, -1.0)

    def _project(self, values: FloatArray, functions: FloatArray) -> FloatArray:
        return values @ (self.angular.weight[:, None] * functions)

    def _combine(self, inner: FloatArray, outer: FloatArray) -> Solution:
        l = self.angular.exponent  # noqa: E741
        slope = (l * outer - (l + 1.0) * inner) / ((2.0 * l + 1.0) * self.radial.r[..., None])
        return Solution(self, (inner + outer) / (2.0 * l + 1.0), slope)
