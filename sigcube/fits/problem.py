"""One model fitted to a sample: the coarse grid, the residuals, and the solution of each system or of the whole."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from math import prod

import numpy as np
import numpy.typing as npt

from sigcube.cube import Packed
from sigcube.engine import PointTerms, evaluate_sums
from sigcube.engine.finish import finish_systems
from sigcube.fits.fit_spec import MOST_STARTS, FitModel, Objective, Scope
from sigcube.fits.search import Minimum, Residuals, descend, distinct, grid_minima, jacobian, polish, polish_scalar
from sigcube.model.metrics import METRICS, Metric, sums_of
from sigcube.plan.plan import Plan

__all__ = ["FitSolution", "Problem"]

FloatArray = npt.NDArray[np.float64]

# By the objective, the residual of a point and the term that is its square.
_RESIDUAL = {"chi2": "pull", "rms": "residual"}
_SQUARE = {"chi2": "chi_sq", "rms": "residual_sq"}

# Below this ratio of the least eigenvalue to the largest, the data do not determine a parameter.
_SINGULAR = 1e-13


@dataclass(frozen=True, eq=False)
class FitSolution:
    """The best parameters of the systems that share them."""

    #: One system, or all of the sample, and the number of their points.
    systems: range
    n_points: int
    #: The lowest minimum; None where the objective is finite nowhere.
    minimum: Minimum | None
    #: Number of distinct minima.
    n_minima: int
    #: The parameters at the minimum, shape (n_parameters,); NaN where there is none.
    values: FloatArray
    #: Of the parameters, shape (n_parameters, n_parameters); NaN where it is unknown.
    covariance: FloatArray
    #: The sums of the metrics at the minimum, for each of the systems: shape (n_systems, n_sums).
    sums: FloatArray


class Problem:
    """One model of a fit, the plan of the sweep over its coarse grid, and the data of the sample.

    The RMS of a sample is the mean of its systems' RMS, as a sweep's ``rms_mean``.

    Attributes
    ----------
    groups : tuple of range
        The systems that share their parameters: each by itself, or all.
    counts : ndarray of int, shape (n_systems,)
        Number of points of each system.
    sums : tuple of str
        The sums that the metrics need, in the order of `FitSolution.sums`.
    """

    def __init__(self, model: FitModel, plan: Plan, packed: Packed, *, scope: Scope, objective: Objective) -> None:
        self.model, self.plan, self.packed = model, plan, packed
        self.scope, self.objective = scope, objective
        n = packed.n_systems
        self.groups = tuple(range(i, i + 1) for i in range(n)) if scope == "system" else (range(n),)
        self.counts = np.diff(packed.offsets)
        self.sums = sums_of(model.spec.metrics)
        self._bound = plan.sections[0].model
        self._terms = PointTerms(self._bound, packed, (_RESIDUAL[objective], *self.sums))

    @property
    def is_mean_rms(self) -> bool:
        """Whether the objective is a mean of RMS, which is no sum of squares and no likelihood."""
        return self.scope == "sample" and self.objective == "rms"

    def n_points(self, systems: range) -> int:
        """Return the number of points of some systems."""
        return int(self.counts[systems.start : systems.stop].sum())

    def sums_of(self, metric: Metric, solution: FitSolution) -> list[FloatArray]:
        """Return the sums of a metric for each system of a solution."""
        return [solution.sums[:, self.sums.index(name)] for name in metric.sums]

    def solve(self) -> Iterator[FitSolution]:
        """Search the coarse grid, then descend from each of its minima, group by group."""
        starts = (np.argwhere(marks) for grid in self._grids() for marks in grid_minima(grid))
        for systems, indices in zip(self.groups, starts, strict=True):
            minima = self._minima(systems, [self.model.space.position(index) for index in indices])
            yield self._solution(systems, minima)

    def _grids(self) -> Iterator[FloatArray]:
        """Yield the objective on the coarse grid, shape ``(n, *lengths)``, for n groups at a time."""
        shape, n = self.model.space.shape, self.packed.n_systems
        step = max(1, MOST_STARTS // prod(shape))
        parts = (self._grid(start, start + step) for start in range(0, n, step))
        if self.scope == "system":
            yield from parts
        else:
            total = np.zeros(shape)
            for part in parts:
                total = total + part.sum(axis=0)
            yield total[np.newaxis]

    def _grid(self, start: int, stop: int) -> FloatArray:
        """Return what each of some systems contributes to the objective on the coarse grid, by the engine."""
        square = _SQUARE[self.objective]
        bound = replace(self._bound, graph=self._bound.graph.only(square))
        swept = dict(zip(self.model.space.names, self.model.space.axes, strict=True))
        sums = evaluate_sums(bound, self.packed.part(start, stop), swept)[square]
        return self._shares_of_mean_rms(sums, slice(start, stop)) if self.is_mean_rms else sums

    def _shares_of_mean_rms(self, sums: FloatArray, systems: slice) -> FloatArray:
        counts = self.counts[systems].astype(np.float64)
        rms = finish_systems(METRICS["rms"], counts, (sums.reshape(counts.size, -1),))
        return rms.reshape(sums.shape) / self.packed.n_systems

    def _minima(self, systems: range, starts: list[FloatArray]) -> list[Minimum]:
        """Return the distinct minima below some positions, the lowest first."""
        if self.is_mean_rms:
            return distinct([polish_scalar(self._mean_rms, start) for start in starts], self._mean_rms)
        residuals = self._residuals(systems)

        def sum_of_squares(position: FloatArray) -> float:
            values = residuals(position)
            return float(values @ values)

        # Most starts lie in one basin: duplicates are removed before the expensive polish as well as after it.
        near = distinct([descend(residuals, start) for start in starts], sum_of_squares)
        return distinct([polish(residuals, minimum) for minimum in near], sum_of_squares)

    def _mean_rms(self, position: FloatArray) -> float:
        values = self.model.space.values(position)
        sums = [float(np.square(self._terms(values, system)[0]).sum()) for system in range(self.packed.n_systems)]
        return float(self._shares_of_mean_rms(np.array(sums), slice(None)).sum())

    def _residuals(self, systems: range) -> Residuals:
        def residuals(position: FloatArray) -> FloatArray:
            values = self.model.space.values(position)
            return np.concatenate([self._terms(values, system)[0] for system in systems])

        return residuals

    def _solution(self, systems: range, minima: list[Minimum]) -> FitSolution:
        n_points, k = self.n_points(systems), self.model.space.size
        if not minima:
            unknown = (np.full(shape, np.nan) for shape in ((k,), (k, k), (len(systems), len(self.sums))))
            return FitSolution(systems, n_points, None, 0, *unknown)
        values = self.model.space.values(minima[0].position)
        sums = np.array([self._terms(values, system)[1:].sum(axis=1) for system in systems])
        covariance = self._covariance(systems, minima[0])
        return FitSolution(systems, n_points, minima[0], len(minima), values, covariance, sums)

    def _covariance(self, systems: range, minimum: Minimum) -> FloatArray:
        """Return (JᵀJ)⁻¹ of the parameters that are not at a bound, NaN for the others.

        For the RMS it is scaled by the variance of the residuals; a mean of RMS has no covariance.
        """
        k, position = self.model.space.size, minimum.position
        covariance = np.full((k, k), np.nan)
        free = np.flatnonzero((position > 0.0) & (position < 1.0))
        dof = self.n_points(systems) - k
        if self.is_mean_rms or not free.size or dof <= 0:
            return covariance
        J = jacobian(self._residuals(systems), position)[:, free]
        scale = np.linalg.norm(J, axis=0)
        if not (scale > 0.0).all():
            return covariance
        normal = (J / scale).T @ (J / scale)
        eigenvalues = np.linalg.eigvalsh(normal)
        if eigenvalues[0] <= _SINGULAR * eigenvalues[-1]:
            return covariance
        slopes = self.model.space.slopes(position)[free] / scale
        variance = minimum.value / dof if self.objective == "rms" else 1.0
        covariance[np.ix_(free, free)] = np.linalg.inv(normal) * np.outer(slopes, slopes) * variance
        return covariance
