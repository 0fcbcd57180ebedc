"""The prior probability of each value of an axis: its density times the weight of a quadrature rule."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.analysis.labelled import axes_along, find_dim, grid_dims, is_label
from sigcube.analysis.priors import LogUniform, Prior, Uniform, read_prior
from sigcube.analysis.roles import probabilities, role_of
from sigcube.errors import SpecError, did_you_mean, shown
from sigcube.wording import number

__all__ = ["AxisPrior", "Priors", "axis_priors", "check_priors", "quadrature"]

FloatArray = npt.NDArray[np.float64]
Priors = Mapping[str, Any]
"""By axis: a prior of `sigcube.analysis.priors`, its text, or weights of labels."""

# With less of a prior than this inside the grid, the grid says nothing about it.
_LEAST_MASS = 0.1
# A rule that misses more of the prior than this does not see its shape.
_COARSE = 0.05
# Ends of Gregory's rule with third differences, whose error goes with the fourth power of the spacing.
_GREGORY = (3.0 / 8.0, 7.0 / 6.0, 23.0 / 24.0)
# Beyond the outermost value goes on a polynomial of this degree through so many: the first whose weights leave all
# above zero.
_BEYOND = ((2, 3), (2, 4), (1, 2), (0, 1))


@dataclass(frozen=True, eq=False)
class AxisPrior:
    """A prior along one dimension of a grid.

    Attributes
    ----------
    dim, axis : str
        The dimension, and the axis along it to which the prior applies.
    text : str
        The prior in words.
    values : ndarray
        Values of the axis, numbers or labels; shape ``(n,)``.
    log_density : ndarray
        ln π at each value, per unit of the axis; for labels the ln of their weights. Shape ``(n,)``.
    measure : ndarray or None
        Weights of the quadrature rule, in the unit of the axis; None if only the values themselves are possible.
    lost : float
        The share of the prior that lies outside the grid.
    in_logs : bool
        Whether quadrature and interpolation use the logarithm of the values, which have a constant ratio.
    ends : tuple of float
        Between which it is integrated: the outermost values, or further out where it is cut off between values.
    """

    dim: str
    axis: str
    text: str
    values: npt.NDArray[Any]
    log_density: FloatArray
    measure: FloatArray | None
    lost: float = 0.0
    in_logs: bool = False
    ends: tuple[float, float] | None = None

    @property
    def log_measure(self) -> FloatArray:
        """The ln of the weights of the rule, less that of the prior's sum; always finite, shape ``(n,)``."""
        if self.measure is None:
            return np.zeros(self.log_density.shape)
        return np.log(self.measure) - math.log(float(np.exp(self.log_density) @ self.measure))

    @property
    def probability(self) -> FloatArray:
        """The prior probability of each value, which add up to one; shape ``(n,)``."""
        return np.exp(self.log_density + self.log_measure)

    def thinned(self) -> tuple[npt.NDArray[np.intp], "AxisPrior"] | None:
        """Return every second value that the prior allows, plus the last, and their prior; None of fewer than three."""
        order = np.argsort(self.values) if self.measure is not None else np.empty(0, dtype=np.intp)
        there = order[np.isfinite(self.log_density[order])] if order.size else order
        if there.size < 3:
            return None
        some = np.unique([*range(0, there.size, 2), there.size - 1])
        index = there[some]
        measure = quadrature(self.values[index], in_logs=self.in_logs, ends=self.ends)
        return index, replace(self, values=self.values[index], log_density=self.log_density[index], measure=measure)

    def with_flat_ends(self) -> tuple[npt.NDArray[np.intp], "AxisPrior"] | None:
        """Return the values that the prior allows, with constants beyond the outermost; None if it is not cut there."""
        if self.measure is None:
            return None
        index = np.flatnonzero(np.isfinite(self.log_density))
        values = self.values[index]
        flat = quadrature(values, in_logs=self.in_logs, ends=self.ends, beyond=_BEYOND[-1:])
        if (flat == self.measure[index]).all():
            return None
        return index, replace(self, values=values, log_density=self.log_density[index], measure=flat)

    def rougher(self) -> list[tuple[npt.NDArray[np.intp], "AxisPrior"]]:
        """Return values and prior of rougher rules; what they change of an integral, added up, bounds its error."""
        return [each for each in (self.thinned(), self.with_flat_ends()) if each is not None]

    def every_second(self) -> "AxisPrior":
        """Return the thinned prior as one over all values, with the others left out."""
        thinned = self.thinned()
        if thinned is None:
            return self
        index, own = thinned
        log_density, measure = np.full(self.log_density.shape, -np.inf), np.ones(self.log_density.shape)
        log_density[index], measure[index] = own.log_density, own.measure
        return replace(self, log_density=log_density, measure=measure)


def axis_priors(data: xr.DataArray, given: Any, *, only: bool = False) -> dict[str, AxisPrior]:
    """Return the prior along each dimension of a grid; with `only`, along those that are named.

    An axis without a prior gets a uniform one over its range, or over its labels; a nuisance must have its own.

    Raises
    ------
    SpecError
        For an unknown axis, two axes along one dimension, a nuisance without a prior, a prior with less than a tenth of
        its mass inside the grid, a grid too coarse for its prior, and invalid weights.
    """
    given = check_priors(given)
    homes: dict[str, str] = {}
    for name in given:
        dim = find_dim(data, name, where="prior")
        if name not in data.coords:
            hint = f"name one of them: {', '.join(axes_along(data, dim))}"
            raise SpecError(f"{name!r} has no values: several axes lie along it", where="prior", hint=hint)
        if dim in homes:
            raise SpecError("two axes along one dimension have a prior", where="prior", found=f"{homes[dim]}, {name}")
        homes[dim] = name
    found = {}
    for dim in grid_dims(data):
        if dim in homes:
            found[dim] = _given(data, dim, homes[dim], given[homes[dim]], where=f"prior.{homes[dim]}")
        elif not only:
            found[dim] = _default(data, dim)
    return found


def check_priors(given: Any) -> dict[str, Any]:
    """Return priors by the names of axes; none for None.

    Raises
    ------
    SpecError
        For what is no table.
    """
    if given is not None and not isinstance(given, Mapping):
        expected = "a prior by the name of each axis: {'A': sigcube.normal(1, 0.2)}"
        raise SpecError("these are no priors", where="prior", found=shown(given), expected=expected)
    return dict(given or {})


def _default(data: xr.DataArray, dim: str) -> AxisPrior:
    names, n = axes_along(data, dim), data.sizes[dim]
    # An axis with one value along the dimension needs no prior.
    names = [name for name in names if is_label(data[name]) or np.ptp(data[name].values) > 0] or names
    coords = [data[name] for name in names]
    if n == 1 or not coords or any(map(is_label, coords)):
        axis = next((name for name in names if is_label(data[name])), names[0] if names else dim)
        values = data[axis].values if axis in data.coords else np.arange(n)
        text = "held" if n == 1 else "uniform over the labels"
        return AxisPrior(dim, axis, text, values, np.full(n, -math.log(n)), None)
    if role_of(data, dim) == "nuisance":
        low, high = (number(end) for end in (coords[0].values.min(), coords[0].values.max()))
        raise SpecError(
            f"{names[0]} is a nuisance, and has no prior",
            where="prior",
            found=f"values from {low} to {high}",
            hint=f"say what is known of it: prior={{{names[0]!r}: sigcube.lognormal(0.5, 0.1)}}, or "
            f"sigcube.uniform({low}, {high}) if that is meant; on the command line "
            f"--prior {names[0]}=lognormal:0.5,0.1, or --marginalise where each system has its own",
        )
    if len(names) > 1:
        raise SpecError(
            f"{' and '.join(names)} vary together: a prior that is uniform in one of them is not in another",
            where="prior",
            hint=f"say which is meant: prior={{{names[0]!r}: sigcube.uniform({number(coords[0].values.min())}, "
            f"{number(coords[0].values.max())})}}",
        )
    numbers: FloatArray = coords[0].values.astype(np.float64)
    return _of_numbers(
        dim, names[0], Uniform(float(numbers.min()), float(numbers.max())), numbers, where=f"prior.{names[0]}"
    )


def _given(data: xr.DataArray, dim: str, axis: str, prior: Any, *, where: str) -> AxisPrior:
    coord, n = data[axis], data.sizes[dim]
    if isinstance(prior, str):
        prior = read_prior(prior, where=where)
    if hasattr(prior, "log_density"):
        if is_label(coord):
            raise SpecError("labels take weights, not a density", where=where, found=str(prior))
        if n == 1:
            what = f"{axis} has one value here: a prior over it says nothing"
            raise SpecError(what, where=where, found=number(coord.values[0]), hint="leave its prior out")
        return _of_numbers(dim, axis, prior, coord.values.astype(np.float64), where=where)
    if isinstance(prior, Mapping):
        values = coord.values.tolist()
        if unknown := [label for label in prior if label not in values]:
            raise SpecError(
                f"{axis} has no label {unknown[0]!r}", where=where, hint=did_you_mean(str(unknown[0]), map(str, values))
            )
        prior = [prior.get(label, 0.0) for label in values]
    if not isinstance(prior, (list, tuple, np.ndarray)):
        expected = "a prior such as sigcube.normal(1, 0.2), or a weight for each label"
        raise SpecError("this is no prior", where=where, found=shown(prior), expected=expected)
    weights = probabilities(data, {axis: prior})[dim]
    with np.errstate(divide="ignore"):
        return AxisPrior(dim, axis, "weights " + ", ".join(map(number, weights)), coord.values, np.log(weights), None)


def _of_numbers(dim: str, axis: str, prior: Prior, values: FloatArray, *, where: str) -> AxisPrior:
    log_density = np.asarray(prior.log_density(values), dtype=np.float64)
    there = np.isfinite(log_density)
    mass = prior.mass(float(values.min()), float(values.max()))
    if mass < _LEAST_MASS or there.sum() < 2:
        low, high = number(values.min()), number(values.max())
        raise SpecError(
            f"of the prior of {axis}, too little lies within the grid",
            where=where,
            found=f"{prior}, {mass:.2g} of it from {low} to {high}, at {there.sum()} values",
            hint="extend the axis, or choose the prior that was meant",
        )
    ordered = np.sort(values)
    if (np.diff(ordered) <= 0).any():
        raise SpecError(f"{axis} has a value twice", where=where, hint="select each value once")
    in_logs = _has_constant_ratio(ordered)
    measure = np.ones(values.shape)
    inner = values[there]
    ends = float(inner.min()), float(inner.max())
    exact = prior.mass(*ends)
    # The other priors have no ends at which they are cut off.
    if isinstance(prior, Uniform | LogUniform):
        ends = max(prior.low, float(ordered[0])), min(prior.high, float(ordered[-1]))
    measure[there] = quadrature(inner, in_logs=in_logs, ends=ends)
    found = float(np.exp(log_density[there]) @ measure[there])
    # What two values miss beyond them, every second one would not tell.
    too_few = inner.size == 2 and exact < (1.0 - _COARSE) * mass
    if not abs(found / mass - 1.0) <= _COARSE or too_few or not exact > 0.0:
        raise SpecError(
            f"the values of {axis} are too coarse for its prior",
            where=where,
            found=f"{prior}: two values within it"
            if too_few
            else f"{prior}: {found:.3g} of it by the rule of quadrature, {mass:.3g} in truth",
            hint="sweep more values of the axis, with some at the ends of the prior",
        )
    return AxisPrior(dim, axis, str(prior), values, log_density, measure, max(0.0, 1.0 - mass), in_logs, ends)


def quadrature(
    values: FloatArray,
    *,
    in_logs: bool,
    ends: tuple[float, float] | None = None,
    beyond: Sequence[tuple[int, int]] = _BEYOND,
) -> FloatArray:
    """Return the weights of a rule that integrates over the values of one axis, in any order; shape ``(n,)``.

    Evenly spaced values, themselves or as logarithms, take the trapezoidal rule with Gregory's end corrections up to
    third differences (Hildebrand 1974, Introduction to Numerical Analysis, §5.9); all others the plain trapezoidal
    rule. For a density that dies out at both ends, such as a Gaussian, it converges faster than any power of the
    spacing. Up to `ends` beyond the outermost values, by at most a step, the integrand goes on as a parabola, whose
    error goes with the fourth power of the spacing as well.

    Examples
    --------
    >>> quadrature(np.array([0.0, 1.0, 3.0]), in_logs=False)
    array([0.5, 1.5, 1. ])
    """
    order = np.argsort(values)
    x = np.log(values[order]) if in_logs else values[order]
    steps = np.diff(x)
    weights = np.zeros(x.shape)
    weights[:-1] += 0.5 * steps
    weights[1:] += 0.5 * steps
    if x.size >= 2 * len(_GREGORY) and np.ptp(steps) <= 1e-6 * steps.mean():
        step = steps.mean()
        weights[: len(_GREGORY)] = np.multiply(_GREGORY, step)
        weights[-len(_GREGORY) :] = np.multiply(_GREGORY[::-1], step)
    if ends is not None:
        low, high = np.log(ends) if in_logs else ends
        _add_beyond(weights, x, x[0] - low, beyond)
        _add_beyond(weights[::-1], -x[::-1], high - x[-1], beyond)
    found = np.empty(x.shape)
    found[order] = weights * values[order] if in_logs else weights
    return found


def _add_beyond(weights: FloatArray, x: FloatArray, length: float, beyond: Sequence[tuple[int, int]]) -> None:
    """Add to the weights of ascending values the integral over a length below the first."""
    # Ends and values that are meant to be equal may differ in the last digits.
    if length <= 1e-9 * (x[-1] - x[0]):
        return
    for degree, n in beyond:
        inside, powers = (x[:n] - x[0]) / length, np.arange(degree + 1)
        # Of the weights that are exact for the polynomial, the smallest.
        added = length * np.linalg.lstsq(inside ** powers[:, np.newaxis], (-1.0) ** powers / (powers + 1))[0]
        if inside.size > degree and (weights[:n] + added > 0.0).all():
            weights[:n] += added
            return


def _has_constant_ratio(ordered: FloatArray) -> bool:
    if ordered.size < 3 or ordered[0] <= 0.0:
        return False
    steps, ratios = np.diff(ordered), np.diff(np.log(ordered))
    return bool(np.ptp(steps) > 1e-6 * steps.mean() and np.ptp(ratios) <= 1e-6 * ratios.mean())
