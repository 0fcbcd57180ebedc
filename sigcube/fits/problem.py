"""A model met with a sample: the coarse grid, the residuals, and what is found for each system or for the whole."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from math import prod

import numpy as np
import numpy.typing as npt

from sigcube.cube import Packed
from sigcube.engine import PointTerms, evaluate_sums
from sigcube.fits.fit_spec import FitModel, Objective, Scope
from sigcube.fits.minima import Minimum, derivatives, descend, distinct, grid_minima, polish_scalar, settle
from sigcube.model.metrics import METRICS, sums_of
from sigcube.model.model import BoundModel

__all__ = ["FitSolution", "Problem"]

FloatArray = npt.NDArray[np.float64]

# Values of the coarse grid that are held at a time.
_GRID_VALUES = 2**24

# What is squared and added up, and the sum of its squares, by the objective.
_RESIDUAL = {"chi2": "pull", "rms": "residual"}
_SUM = {"chi2": "chi_sq", "rms": "residual_sq"}
_RMS = METRICS["rms"]

# A matrix whose least eigenvalue is below this share of the largest leaves a parameter free.
_SINGULAR = 1e-13


@dataclass(frozen=True, eq=False)
class FitSolution:
    """What was found for one system, or for the sample.

    Attributes
    ----------
    minimum : Minimum or None
        The lowest; none where the objective is nowhere finite.
    n_minima : int
        Number of distinct ones.
    values, covariance : ndarray, shapes (n_parameters,) and (n_parameters, n_parameters)
        The parameters there; NaN where unknown.
    sums : ndarray, shape (n_systems of it, n_sums)
        The sums of the metrics there, system by system.
    """

    minimum: Minimum | None
    n_minima: int
    values: FloatArray
    covariance: FloatArray
    sums: FloatArray


class Problem:
    """One model of a fit on packed data.

    Parameters
    ----------
    model : FitModel
        The model.
    bound : BoundModel
        Its terms; what is fitted is swept.
    packed : Packed
        The sample.
    scope : {"system", "sample"}
        Whether each system has parameters of its own.
    objective : {"chi2", "rms"}
        What is made small. The RMS of a sample is the mean of its systems' RMS, as in a sweep's ``rms_mean``.
    """

    def __init__(
        self, model: FitModel, bound: BoundModel, packed: Packed, *, scope: Scope, objective: Objective
    ) -> None:
        self.model, self.packed = model, packed
        self.scope, self.objective = scope, objective
        self.sums = sums_of(model.spec.metrics)
        self._bound = bound
        self._terms = PointTerms(bound, packed, (_RESIDUAL[objective], *self.sums))
        self.counts = np.diff(packed.offsets)

    @property
    def n_units(self) -> int:
        """Number of things that are fitted: systems, or the sample as one."""
        return self.packed.n_systems if self.scope == "system" else 1

    def systems(self, unit: int) -> range:
        """Return the systems of one of them."""
        return range(unit, unit + 1) if self.scope == "system" else range(self.packed.n_systems)

    def n_points(self, unit: int) -> int:
        """Return the number of points of one of them."""
        return int(self.counts[list(self.systems(unit))].sum())

    def solve(self) -> Iterator[FitSolution]:
        """Search the coarse grid, then polish every minimum of it, one unit after the other."""
        unit = 0
        for grid in self._grids():
            for marks in grid_minima(grid):
                yield self._solve(unit, np.argwhere(marks))
                unit += 1

    def _grids(self) -> Iterator[FloatArray]:
        """Yield the objective on the coarse grid, shape ``(n, *lengths)``, for some units at a time."""
        step = max(1, _GRID_VALUES // prod(self.model.space.shape))
        parts = (self._grid(start, start + step) for start in range(0, self.packed.n_systems, step))
        if self.scope == "system":
            yield from parts
            return
        total = np.zeros(self.model.space.shape)
        for part in parts:
            total = total + part.sum(axis=0)
        yield total[np.newaxis]

    def _grid(self, start: int, stop: int) -> FloatArray:
        """Return what each of some systems adds to the objective on the coarse grid, evaluated by the engine."""
        name = _SUM[self.objective]
        bound = replace(self._bound, graph=self._bound.graph.only(name))
        swept = dict(zip(self.model.space.names, self.model.space.axes, strict=True))
        sums = evaluate_sums(bound, _part(self.packed, start, stop), swept)[name]
        return self._mean_rms(sums, slice(start, stop)) if self._is_mean_rms else sums

    @property
    def _is_mean_rms(self) -> bool:
        return self.scope == "sample" and self.objective == "rms"

    def _mean_rms(self, sums: FloatArray, systems: slice) -> FloatArray:
        """Return what systems add to the mean of their RMS."""
        counts = self.counts[systems].reshape(-1, *[1] * (sums.ndim - 1))
        return np.asarray(_RMS.finish(counts, sums)) / self.packed.n_systems

    def _solve(self, unit: int, starts: npt.NDArray[np.int64]) -> FitSolution:
        kept = self._minima(unit, [self.model.space.place(start) for start in starts])
        if not kept:
            k, rows = self.model.space.size, len(self.systems(unit))
            return FitSolution(None, 0, *(np.full(s, np.nan) for s in ((k,), (k, k), (rows, len(self.sums)))))
        values = self.model.space.values(kept[0].place)
        sums = np.array([self._terms(values, system)[1:].sum(axis=1) for system in self.systems(unit)])
        return FitSolution(kept[0], len(kept), values, self._covariance(unit, kept[0]), sums)

    def _minima(self, unit: int, starts: list[FloatArray]) -> list[Minimum]:
        """Return the distinct minima below some places, the lowest first."""
        if self._is_mean_rms:
            return distinct([polish_scalar(self._mean_rms_at, start) for start in starts], self._mean_rms_at)
        residuals = self._residuals(unit)

        def squares(place: FloatArray) -> float:
            pulls = residuals(place)
            return float(pulls @ pulls)

        # Most starts lie in one basin: what has come to the same place need not settle there twice.
        near = distinct([descend(residuals, start) for start in starts], squares)
        return distinct([settle(residuals, minimum) for minimum in near], squares)

    def _mean_rms_at(self, place: FloatArray) -> float:
        values = self.model.space.values(place)
        sums = [float(np.square(self._terms(values, system)[0]).sum()) for system in self.systems(0)]
        return float(self._mean_rms(np.array(sums), slice(None)).sum())

    def _residuals(self, unit: int) -> Callable[[FloatArray], FloatArray]:
        systems, terms, space = self.systems(unit), self._terms, self.model.space
        if len(systems) == 1:
            return lambda place: terms(space.values(place), systems[0])[0]

        def joined(place: FloatArray) -> FloatArray:
            values = space.values(place)
            return np.concatenate([terms(values, system)[0] for system in systems])

        return joined

    def _covariance(self, unit: int, minimum: Minimum) -> FloatArray:
        """Return (JᵀJ)⁻¹ of the parameters that are free, for the RMS times the residuals' variance; NaN elsewhere.

        A mean of RMS is no likelihood, and has none.
        """
        k, place = self.model.space.size, minimum.place
        covariance = np.full((k, k), np.nan)
        free = np.flatnonzero((place > 0.0) & (place < 1.0))
        dof = self.n_points(unit) - k
        if self._is_mean_rms or not free.size or dof <= 0:
            return covariance
        jacobian = derivatives(self._residuals(unit), place)[:, free]
        scale = np.linalg.norm(jacobian, axis=0)
        if not (scale > 0.0).all():
            return covariance
        normal = (jacobian / scale).T @ (jacobian / scale)
        eigenvalues = np.linalg.eigvalsh(normal)
        if eigenvalues[0] <= _SINGULAR * eigenvalues[-1]:
            return covariance
        slopes = self.model.space.slopes(place)[free] / scale
        variance = minimum.value / dof if self.objective == "rms" else 1.0
        covariance[np.ix_(free, free)] = np.linalg.inv(normal) * np.outer(slopes, slopes) * variance
        return covariance


def _part(packed: Packed, start: int, stop: int) -> Packed:
    """Return some of the systems."""
    offsets = packed.offsets[start : stop + 1]
    points = {name: values[offsets[0] : offsets[-1]] for name, values in packed.points.items()}
    per_system = {name: values[start:stop] for name, values in packed.per_system.items()}
    return Packed(packed.systems[start:stop], offsets - offsets[0], points, per_system)
