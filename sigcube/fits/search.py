"""Minima: those of a grid, to begin at; from each of them down to a true one; and which of those are distinct."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import product

import numpy as np
import numpy.typing as npt
from scipy.optimize import least_squares, minimize

__all__ = ["Minimum", "derivatives", "descend", "distinct", "grid_minima", "polish_scalar", "settle"]

FloatArray = npt.NDArray[np.float64]
Residuals = Callable[[FloatArray], FloatArray]
Scalar = Callable[[FloatArray], float]

# Half the step of a derivative, in the unit of the search: cubes of it and the digits of a residual are lost alike.
_STEP = 1e-5
# What the minimiser stops at, first and at last: changes of the sum, of the place, and the slope that is left.
_FIRST_TOLERANCE, _TOLERANCE = 1e-8, 1e-11
_MOST_STEPS = 1000
# How often it begins anew, at most, and what gain is none.
_MOST_TURNS = 8
_GAIN = 1e-9
# Places nearer than this are one minimum, whatever lies between; so are places with no rise between them.
_NEAR = 1e-4
_RISE = 1e-6
# Where on the way to look, from either end: a narrow minimum has its rise close by.
_BETWEEN = np.concatenate([_NEAR_BY := np.geomspace(1e-3, 0.5, 12), 1.0 - _NEAR_BY[:-1]])


@dataclass(frozen=True, eq=False)
class Minimum:
    """A minimum of an objective.

    Attributes
    ----------
    value : float
        Of the objective there.
    place : ndarray, shape (n_parameters,)
        Between 0 and 1 along each parameter.
    converged : bool
        Whether the minimiser met its tolerance.
    """

    value: float
    place: FloatArray
    converged: bool


def grid_minima(values: FloatArray) -> npt.NDArray[np.bool_]:
    """Mark the local minima of grids: points that no neighbour, diagonal ones included, is below.

    Parameters
    ----------
    values : ndarray, shape (n, *lengths)
        One grid for each of n things that are fitted.

    Returns
    -------
    ndarray of bool, shape (n, *lengths)
        Of equal neighbours the first alone is marked, and what is not finite never.

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


def descend(residuals: Residuals, start: FloatArray, *, tolerance: float = _FIRST_TOLERANCE) -> Minimum:
    """Go down from a place to a minimum of the sum of squared residuals between 0 and 1 (`scipy.optimize`).

    A rectangular trust region keeps parameters that end at a bound exactly there, but it may stop short where it runs
    into one: `settle` sees to that.
    """
    # The first trust region is as wide as the distance from the origin: from 1 to 2 it is never too small to leave.
    result = least_squares(
        lambda shifted: residuals(shifted - 1.0),
        start + 1.0,
        jac=lambda shifted: derivatives(residuals, shifted - 1.0),
        bounds=(1.0, 2.0),
        method="dogbox",
        ftol=tolerance,
        xtol=tolerance,
        gtol=tolerance,
        max_nfev=_MOST_STEPS,
    )
    return Minimum(2.0 * float(result.cost), np.asarray(result.x) - 1.0, bool(result.status > 0))


def settle(residuals: Residuals, minimum: Minimum) -> Minimum:
    """Begin anew from where a descent ended, to the last digits, until that is no gain."""
    for _ in range(_MOST_TURNS):
        before, minimum = minimum, descend(residuals, minimum.place, tolerance=_TOLERANCE)
        if minimum.value >= before.value * (1.0 - _GAIN):
            break
    return minimum


def polish_scalar(objective: Scalar, start: FloatArray) -> Minimum:
    """Go down to a minimum of a function that is no sum of squares: by its slopes, then by a simplex."""
    bounds = [(0.0, 1.0)] * start.size
    first = minimize(objective, start, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-12, "gtol": 1e-9})
    begin = first.x if first.fun <= objective(start) else start
    simplex = np.clip(begin + 1e-3 * np.vstack([np.zeros(start.size), np.eye(start.size)]), 0.0, 1.0)
    simplex[1:][np.arange(start.size), np.arange(start.size)] -= np.where(begin >= 1.0, 1e-3, 0.0)
    options = {"xatol": 1e-9, "fatol": 1e-12, "maxfev": 4000, "initial_simplex": simplex}
    last = minimize(objective, begin, method="Nelder-Mead", bounds=bounds, options=options)
    best = last if last.fun <= first.fun else first
    return Minimum(float(best.fun), np.asarray(best.x), bool(last.success))


def derivatives(residuals: Residuals, place: FloatArray) -> FloatArray:
    """Return the derivatives of residuals, shape ``(n_residuals, n_parameters)``: central, one-sided at a bound."""
    columns = []
    for i in range(place.size):
        before, after = place.copy(), place.copy()
        before[i], after[i] = max(place[i] - _STEP, 0.0), min(place[i] + _STEP, 1.0)
        columns.append((residuals(after) - residuals(before)) / (after[i] - before[i]))
    jacobian = np.array(columns).T
    # A step out of where the model is defined says nothing of the slope.
    return np.where(np.isfinite(jacobian), jacobian, 0.0)


def distinct(minima: Sequence[Minimum], objective: Scalar) -> list[Minimum]:
    """Return the minima that are not the same, the lowest first.

    Two are the same where they are near, or where the objective does not rise on the straight way between them: they
    lie in one flat valley, or the descent from one of them stopped early.
    """
    kept: list[Minimum] = []
    for minimum in sorted(minima, key=lambda each: each.value):
        if not any(_is_same(minimum, other, objective) for other in kept):
            kept.append(minimum)
    return kept


def _is_same(one: Minimum, other: Minimum, objective: Scalar) -> bool:
    if np.abs(one.place - other.place).max() < _NEAR:
        return True
    top = max(one.value, other.value)
    limit = top + _RISE * max(top, 1e-300)
    return all(objective(one.place + t * (other.place - one.place)) <= limit for t in _BETWEEN)
