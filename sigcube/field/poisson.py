"""Poisson's equation on one side of the mid-plane of something axisymmetric and symmetric about that plane.

In the modes v_k(μ) of `angular` it falls into ordinary equations, (r²Φ_k')' − l(l+1) Φ_k = q_k, with the two solutions
r^l and r^{−l−1} for each. Their Green's function is two sweeps that decay, one outward and one inward:

    (2l+1) Φ_k = −[r^{−l−1} ∫₀ʳ s^l q ds + r^l ∫ᵣ^∞ s^{−l−1} q ds].

Where the source is the divergence of a field F, the integrals are by parts, so that F is never differentiated, and what
F does at a thin disc enters as it must: through its flux.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from sigcube.field.angular import Angular, angular
from sigcube.field.radial import Radial, radial

__all__ = ["PolarGrid", "Solution"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Solution:
    """A potential as modes: values and dΦ/dr at the radial nodes, shape (n_panels, n_nodes, n_modes)."""

    grid: "PolarGrid"
    potential: FloatArray
    slope: FloatArray

    def on_grid(self) -> tuple[FloatArray, FloatArray]:
        """Return ∂Φ/∂r and (1/r) ∂Φ/∂μ at the nodes, shape (n_panels, n_nodes, n_mu)."""
        a = self.grid.angular
        return self.slope @ a.value.T, self.potential @ a.slope.T / self.grid.radial.r[..., None]

    @property
    def mean_slope(self) -> FloatArray:
        """Mean of ∂Φ/∂r over spheres, at the radial nodes: by Gauss' theorem G M(<r)/r²."""
        return self.slope[..., 0]

    @property
    def mid_plane_pull(self) -> FloatArray:
        """∂Φ/∂R in the mid-plane, at the radial nodes."""
        value, _ = self.grid.angular.at(np.zeros(1))
        pull: FloatArray = self.slope @ value[0]
        return pull

    def at(self, R: FloatArray, z: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return Φ, ∂Φ/∂R and ∂Φ/∂z at points (one-dimensional arrays), z ≥ 0; at z = 0 the limit from above."""
        r = np.hypot(R, z)
        mu = z / r
        value, slope = self.grid.angular.at(mu)
        panel, weights = self.grid.radial.at(r)
        modes, gradient = (np.einsum("pi,pik->pk", weights, array[panel]) for array in (self.potential, self.slope))
        by_r = np.einsum("pk,pk->p", gradient, value)
        by_mu = np.einsum("pk,pk->p", modes, slope) / r
        by_R = by_r * (R / r) - by_mu * mu * (R / r)
        return np.einsum("pk,pk->p", modes, value), by_R, by_r * mu + by_mu * (1.0 - mu * mu)


@dataclass(frozen=True)
class PolarGrid:
    """Nodes in r and μ, and the solver on them."""

    radial: Radial
    angular: Angular

    @classmethod
    def between(cls, smallest: float, largest: float, *, n_panels: int, n_nodes: int, n_modes: int) -> "PolarGrid":
        """Make a grid from the smallest to the largest radius, in kpc."""
        return cls(radial(smallest, largest, n_panels=n_panels, n_nodes=n_nodes), angular(n_modes))

    @property
    def cylindrical(self) -> tuple[FloatArray, FloatArray]:
        """R and z of the nodes, kpc, shape (n_panels, n_nodes, n_mu)."""
        r, mu = self.radial.r[..., None], self.angular.mu
        return r * np.sqrt(1.0 - mu * mu), r * mu

    def of_matter(
        self,
        density: Callable[[FloatArray, FloatArray], FloatArray] | None,
        surface_density: Callable[[FloatArray], FloatArray] | None,
        four_pi_G: float,
    ) -> Solution:
        """Solve ∇²Φ = 4πGρ for a density ρ(R, z), and a thin disc Σ(R) at z = 0.

        Of the disc each side has half.
        """
        r = self.radial.r[..., None]
        source = np.zeros((*self.radial.shape, self.angular.n_modes))
        if density is not None:
            source += four_pi_G * r**2 * self._projected(density(*self.cylindrical), self.angular.value)
        if surface_density is not None:
            edge, _ = self.angular.at(np.zeros(1))
            source += 0.5 * four_pi_G * r * surface_density(self.radial.r)[..., None] * edge[0]
        l = self.angular.exponent  # noqa: E741
        inner_sweep = self.radial.outward(l + 1.0, -source, -source[0, 0] / (l + 1.0 + self._power(source, 0)))
        outer_sweep = self.radial.inward(l, -source, -source[-1, -1] / (l - self._power(source, -1)))
        return self._combined(inner_sweep, outer_sweep)

    def of_field(self, F_r: FloatArray, F_mu: FloatArray) -> Solution:
        """Solve ∇²Φ = ∇·F for a field given at the nodes by F_r and F_μ = −F_θ/sin θ.

        For F = ∇Φ these are ∂Φ/∂r and (1/r) ∂Φ/∂μ.
        """
        r, l = self.radial.r[..., None], self.angular.exponent  # noqa: E741
        mu = self.angular.mu
        along = self._projected(F_r, self.angular.value)
        across = self._projected((1.0 - mu * mu) * F_mu, self.angular.slope)
        inner, outer = r * (l * along + across), r * (across - (l + 1.0) * along)
        inner_sweep = self.radial.outward(l + 1.0, inner, inner[0, 0] / (l + 1.0 + self._power(inner, 0)))
        # The mean over spheres has no source out there that a potential could vanish with: take a point mass's.
        end = np.concatenate([outer[-1, -1, :1], outer[-1, -1, 1:] / (l[1:] - self._power(outer, -1))])
        outer_sweep = self.radial.inward(l, outer, end)
        solution = self._combined(inner_sweep, outer_sweep)
        return Solution(self, solution.potential, solution.slope + along)

    def divergence(self, F_r: FloatArray, F_mu: FloatArray) -> FloatArray:
        """Return ∇·F at the nodes, off the mid-plane, for a field as in `of_field`."""
        r, a = self.radial.r[..., None], self.angular
        flux = _differentiated(a, (1.0 - a.mu**2) * F_mu)
        return self.radial.slope(r**2 * F_r) / r**3 + flux / r

    def sample(self, values: FloatArray, R: FloatArray, z: FloatArray) -> FloatArray:
        """Interpolate values at the nodes to points, as `Solution.at` does potentials."""
        modes = self._projected(values, self.angular.value)
        r = np.hypot(R, z)
        panel, weights = self.radial.at(r)
        sampled: FloatArray = np.einsum("pi,pik,pk->p", weights, modes[panel], self.angular.at(z / r)[0])
        return sampled

    def _power(self, source: FloatArray, panel: int) -> float:
        """Return p ≥ 0 at the centre, p < 0 far away, where the source goes as r^p at that end of the grid."""
        node = 0 if panel == 0 else -1
        size, growth = source[panel, node], self.radial.derivative[node] @ source[panel]
        norm = float(size @ size)
        power = float(growth @ size) / norm if norm > 0.0 else 0.0
        return max(power, 0.0) if panel == 0 else min(power, -1.0)

    def _projected(self, values: FloatArray, functions: FloatArray) -> FloatArray:
        return values @ (self.angular.weight[:, None] * functions)

    def _combined(self, inner: FloatArray, outer: FloatArray) -> Solution:
        l = self.angular.exponent  # noqa: E741
        slope = (l * outer - (l + 1.0) * inner) / ((2.0 * l + 1.0) * self.radial.r[..., None])
        return Solution(self, (inner + outer) / (2.0 * l + 1.0), slope)


def _differentiated(a: Angular, values: FloatArray) -> FloatArray:
    """Differentiate by μ the polynomial nearest to values at the nodes."""
    return (values @ (a.weight[:, None] * a.value)) @ a.slope.T
