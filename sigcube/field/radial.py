"""The radial half of the solver: panels in ln r, and the two decaying sweeps that make a Green's function."""

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["Radial", "radial"]

FloatArray = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Radial:
    """Panels of equal width in x = ln r, each with the same nodes of Chebyshev and Lobatto, both ends among them.

    Attributes
    ----------
    r : array, shape (n_panels, n_nodes)
        Radii, kpc, rising.
    width : float
        Of a panel, in x.
    derivative : array, shape (n_nodes, n_nodes)
        From values at a panel's nodes to d/dx there.
    """

    r: FloatArray
    width: float
    derivative: FloatArray

    @property
    def shape(self) -> tuple[int, int]:
        """Panels, and nodes in each."""
        return self.r.shape[0], self.r.shape[1]

    def outward(self, rate: FloatArray, source: FloatArray, start: FloatArray) -> FloatArray:
        """Solve dy/dx = −rate·y + source from the innermost radius.

        Parameters
        ----------
        rate : array, shape (n_modes,)
            Not negative; where it is large the solution is as stable as the equation.
        source : array, shape (n_panels, n_nodes, n_modes)
            The right-hand side.
        start : array, shape (n_modes,)
            y at the innermost radius.
        """
        n = self.derivative.shape[0]
        system = self.derivative[1:, 1:] + rate[:, None, None] * np.eye(n - 1)
        inverse, lift = np.linalg.inv(system), self.derivative[1:, 0]
        y = np.empty_like(source)
        for panel, right in enumerate(source):
            y[panel, 0] = start
            y[panel, 1:] = np.einsum("kij,jk->ik", inverse, right[1:] - lift[:, None] * start)
            start = y[panel, -1]
        return y

    def inward(self, rate: FloatArray, source: FloatArray, start: FloatArray) -> FloatArray:
        """Solve dy/dx = rate·y − source from the outermost radius; as `outward`, in the mirror."""
        return self.outward(rate, source[::-1, ::-1], start)[::-1, ::-1]

    def slope(self, values: FloatArray) -> FloatArray:
        """Return d/dx of values of shape (n_panels, n_nodes, ...)."""
        slope: FloatArray = np.einsum("ij,pj...->pi...", self.derivative, values)
        return slope

    def at(self, r: FloatArray) -> tuple[npt.NDArray[np.intp], FloatArray]:
        """Return for each radius its panel and the weights of the nodes there: shapes (n,) and (n, n_nodes)."""
        position = np.log(r / self.r[0, 0]) / self.width
        panel = np.clip(position.astype(np.intp), 0, self.shape[0] - 1)
        return panel, _lagrange(_nodes(self.shape[1]), 2.0 * (position - panel) - 1.0)


def radial(smallest: float, largest: float, *, n_panels: int, n_nodes: int) -> Radial:
    """Make panels between two radii in kpc."""
    width = np.log(largest / smallest) / n_panels
    nodes = _nodes(n_nodes)
    x = width * (np.arange(n_panels)[:, None] + 0.5 * (nodes + 1.0))
    return Radial(smallest * np.exp(x), width, _derivative(nodes) * (2.0 / width))


def _nodes(n: int) -> FloatArray:
    return -np.cos(np.pi * np.arange(n) / (n - 1))


def _weights(n: int) -> FloatArray:
    """Barycentric weights of the nodes (Berrut & Trefethen 2004, doi:10.1137/S0036144502417715, §5)."""
    weights: FloatArray = np.where(np.arange(n) % 2, -1.0, 1.0)
    weights[[0, -1]] *= 0.5
    return weights


def _derivative(nodes: FloatArray) -> FloatArray:
    """Differentiate the interpolating polynomial (Berrut & Trefethen 2004, §9.3)."""
    weights = _weights(nodes.size)
    distance = nodes[:, None] - nodes
    np.fill_diagonal(distance, 1.0)
    matrix = weights / weights[:, None] / distance
    np.fill_diagonal(matrix, 0.0)
    np.fill_diagonal(matrix, -matrix.sum(axis=1))
    return matrix


def _lagrange(nodes: FloatArray, x: FloatArray) -> FloatArray:
    distance = x[:, None] - nodes
    there = distance == 0.0
    with np.errstate(divide="ignore", invalid="ignore"):
        terms = _weights(nodes.size) / distance
        values = terms / terms.sum(axis=1, keepdims=True)
    lagrange: FloatArray = np.where(there.any(axis=1, keepdims=True), there.astype(np.float64), values)
    return lagrange
