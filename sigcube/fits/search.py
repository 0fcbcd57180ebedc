"""The space in which a fit searches, and minima in it: on a grid, and from there down to true ones.

Positions are in the unit cube: every parameter runs from 0, its lower bound, to 1, its upper one.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares, minimize

from sigcube.plan.grid import Axis, Grid

__all__ = [
    "Minimum",
    "SearchSpace",
    "descend",
    "distinct",
    "grid_minima",
    "is_geometric",
    "jacobian",
    "polish",
    "polish_scalar",
]

FloatArray = npt.NDArray[np.float64]
Residuals = Callable[[FloatArray], FloatArray]
Function = Callable[[FloatArray], float]

# Ratios of neighbours in a geometric axis differ by rounding alone.
_SAME_RATIO = 1e-9
# Half the step of a central difference: near the cube root of the rounding, where truncation costs as many digits.
_STEP = 1e-5
# Relative change of the sum and of the position, and the gradient, at which a descent stops; then those of `polish`.
_TOLERANCE, _POLISHED = 1e-8, 1e-11
_MOST_EVALUATIONS = 1000
# How often `polish` restarts at most, and the relative gain below which it stops.
_MOST_RESTARTS = 8
_GAIN = 1e-9
# Positions nearer than this are one minimum. So are two between which the objective rises by no more than this share.
_NEAR = 1e-4
_RISE = 1e-6
# Where to look for a rise between two positions: dense at both ends, as a narrow minimum has its rise close by.
_BETWEEN = np.concatenate([_HALF := np.geomspace(1e-3, 0.5, 12), 1.0 - _HALF[:-1]])


@dataclass(frozen=True, eq=False)
class SearchSpace:
    """The parameters of a fit between their bounds, linear or logarithmic; arrays have the shape (n_parameters,)."""

    #: The names of the parameters.
    names: tuple[str, ...]
    #: The values of the coarse grid along each, ascending.
    axes: tuple[FloatArray, ...]
    #: The bounds: the least and the largest value of each axis.
    low: FloatArray
    high: FloatArray
    #: Which parameters are searched in their logarithm: those whose axis has a constant ratio.
    logarithmic: npt.NDArray[np.bool_]

    @classmethod
    def of(cls, grid: Grid) -> "SearchSpace":
        """Return the space that the axes of a grid span."""
        axes = tuple(np.sort(axis.array.astype(np.float64)) for axis in grid.axes)
        return cls(
            tuple(axis.name for axis in grid.axes),
            axes,
            np.array([axis[0] for axis in axes]),
            np.array([axis[-1] for axis in axes]),
            np.array([is_geometric(axis) for axis in grid.axes]),
        )

    @property
    def size(self) -> int:
        """Number of parameters."""
        return len(self.names)

    @property
    def shape(self) -> tuple[int, ...]:
        """Lengths of the axes of the coarse grid."""
        return tuple(axis.size for axis in self.axes)

    def values(self, position: FloatArray) -> FloatArray:
        """Return the parameters at a position; at 0 and 1 they are exactly the bounds."""

        def value(t: float, low: float, high: float, logarithmic: bool) -> float:
            if t <= 0.0:
                return low
            if t >= 1.0:
                return high
            return low * (high / low) ** t if logarithmic else low + t * (high - low)

        # A minimiser asks for a few parameters at a time: array operations on so few take several times as long.
        return np.array([value(*each) for each in zip(position.tolist(), *self._bounds, strict=True)])

    def slopes(self, position: FloatArray) -> FloatArray:
        """Return the derivative of each parameter with respect to its position."""
        return np.where(self.logarithmic, self.values(position) * np.log(self._ratio), self.high - self.low)

    def position(self, index: npt.NDArray[np.int64]) -> FloatArray:
        """Return the position of a point of the coarse grid, given by its indices."""
        values = np.array([axis[i] for axis, i in zip(self.axes, index, strict=True)])
        steps = np.divide(values, self.low, out=np.ones_like(values), where=self.logarithmic)
        logarithmic = np.log(steps) / np.where(self.logarithmic, np.log(self._ratio), 1.0)
        linear = (values - self.low) / (self.high - self.low)
        return np.clip(np.where(self.logarithmic, logarithmic, linear), 0.0, 1.0)

    @cached_property
    def _bounds(self) -> tuple[list[float], list[float], list[bool]]:
        return self.low.tolist(), self.high.tolist(), self.logarithmic.tolist()

    @cached_property
    def _ratio(self) -> FloatArray:
        return np.divide(self.high, self.low, out=np.ones_like(self.high), where=self.logarithmic)


def is_geometric(axis: Axis) -> bool:
    """Whether the values of an axis have a constant ratio, as those of a geomspace.

    Examples
    --------
    >>> from sigcube.plan.grid import geomspace, linspace
    >>> is_geometric(Axis("c", "c", geomspace(1, 50, 9))), is_geometric(Axis("A", "A", linspace(1, 50, 9)))
    (True, False)
    """
    values = np.sort(axis.array.astype(np.float64))
    if values.size < 3 or values[0] <= 0.0:
        return False
    ratios = values[1:] / values[:-1]
    return bool(np.ptp(ratios) <= _SAME_RATIO * ratios[0])


@dataclass(frozen=True, eq=False)
class Minimum:
    """A local minimum of an objective."""

    #: The objective there.
    value: float
    #: In the unit cube, shape (n_parameters,).
    position: FloatArray
    #: Whether the minimiser met its tolerance.
    converged: bool


def grid_minima(values: FloatArray) -> npt.NDArray[np.bool_]:
    """Mark the local minima of grids: points with no lower neighbour, diagonal ones included.

    Parameters
    ----------
    values : ndarray, shape (n, *lengths)
        n grids.

    Returns
    -------
    ndarray of bool, shape (n, *lengths)
        Of equal neighbours only the first is marked; values that are not finite never are.

    Examples
    --------
    >>> grid_minima(np.array([[3.0, 1.0, 2.0, 0.5, 0.5]]))
    array([[False,  True, False,  True, False]])
    """
    finite = np.where(np.isfinite(values), values, np.inf)
    padded = np.pad(finite, [(0, 0), *[(1, 1)] * (values.ndim - 1)], constant_values=np.inf)
    lowest = np.isfinite(values)
    here = (0,) * (values.ndim - 1)
    for offset in product((-1, 0, 1), repeat=values.ndim - 1):
        if offset == here:
            continue
        part = (slice(1 + o, 1 + o + n) for o, n in zip(offset, values.shape[1:], strict=True))
        neighbour = padded[(slice(None), *part)]
        lowest &= (finite < neighbour) | ((finite == neighbour) & (offset > here))
    return lowest


def descend(residuals: Residuals, start: FloatArray, *, tolerance: float = _TOLERANCE) -> Minimum:
    """Minimise a sum of squared residuals in the unit cube (`scipy.optimize.least_squares`).

    A parameter that ends at a bound is exactly there. The rectangular trust region of this method may stop short of the
    minimum after it ran into a bound, so that a descent is followed by `polish`.
    """
    # The first trust region is as wide as the distance from the origin: shifted to 1 … 2, it is never too small.
    result = least_squares(
        lambda shifted: residuals(shifted - 1.0),
        start + 1.0,
        jac=lambda shifted: jacobian(residuals, shifted - 1.0),
        bounds=(1.0, 2.0),
        method="dogbox",
        ftol=tolerance,
        xtol=tolerance,
        gtol=tolerance,
        max_nfev=_MOST_EVALUATIONS,
    )
    return Minimum(2.0 * float(result.cost), np.asarray(result.x) - 1.0, bool(result.status > 0))


def polish(residuals: Residuals, minimum: Minimum) -> Minimum:
    """Restart the descent from where it ended, to a tighter tolerance, until it gains nothing."""
    for _ in range(_MOST_RESTARTS):
        before, minimum = minimum, descend(residuals, minimum.position, tolerance=_POLISHED)
        if minimum.value >= before.value * (1.0 - _GAIN):
            break
    return minimum


def polish_scalar(objective: Function, start: FloatArray) -> Minimum:
    """Minimise a function that is no sum of squares in the unit cube: along its gradient, then by a simplex."""
    bounds = [(0.0, 1.0)] * start.size
    first = minimize(objective, start, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-12, "gtol": 1e-9})
    begin = first.x if first.fun <= objective(start) else start
    # Inwards near the upper bound: cut off there, the simplex would be flat.
    steps = np.where(begin + 1e-3 > 1.0, -1e-3, 1e-3)
    simplex = begin + np.vstack([np.zeros(start.size), np.diag(steps)])
    options = {"xatol": 1e-9, "fatol": 1e-12, "maxfev": 4000, "initial_simplex": simplex}
    last = minimize(objective, begin, method="Nelder-Mead", bounds=bounds, options=options)
    best = last if last.fun <= first.fun else first
    return Minimum(float(best.fun), np.asarray(best.x), bool(last.success))


def jacobian(residuals: Residuals, position: FloatArray) -> FloatArray:
    """Return the derivatives of residuals, shape ``(n_residuals, n_parameters)``: central, one-sided at a bound."""
    columns = []
    for i in range(position.size):
        before, after = position.copy(), position.copy()
        before[i], after[i] = max(position[i] - _STEP, 0.0), min(position[i] + _STEP, 1.0)
        columns.append((residuals(after) - residuals(before)) / (after[i] - before[i]))
    derivatives = np.array(columns).T
    # A step to where the model is not defined gives no slope.
    return np.where(np.isfinite(derivatives), derivatives, 0.0)


def distinct(minima: Sequence[Minimum], objective: Function) -> list[Minimum]:
    """Return the distinct ones of some minima, the lowest first.

    Two are the same if they are near, or if the objective does not rise on the straight line between them: they lie in
    one flat valley, or the descent to one of them stopped early.
    """

    def same(one: Minimum, other: Minimum) -> bool:
        if np.abs(one.position - other.position).max() < _NEAR:
            return True
        highest = max(one.value, other.value)
        limit = highest + _RISE * max(highest, 1e-300)
        return all(objective(one.position + t * (other.position - one.position)) <= limit for t in _BETWEEN)

    found: list[Minimum] = []
    for minimum in sorted(minima, key=lambda each: each.value):
        if not any(same(minimum, other) for other in found):
            found.append(minimum)
    return found
