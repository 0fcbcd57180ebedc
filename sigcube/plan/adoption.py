"""Digits of a result that a larger grid takes over: values that differ from stored ones by rounding alone."""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import replace
from math import isclose, isfinite

import numpy as np

from sigcube.plan.grid import Axis, Grid
from sigcube.plan.spec import Spec

__all__ = ["adopt_digits", "adopt_values", "describe_adoption"]

# A value of a linspace whose numbers are at most M in size is off by 4 eps M at most, with eps = 2 ** -52 twice the
# error of one rounding: three roundings of i * step, which is up to 2 M; one of the sum; and one of the ends, which are
# decimals. Two such values differ by no more than twice that. Of 40,000 pairs of linspaces, the worst had 3.4 eps M.
# Values of a geomspace are rounded once, and their ends once: they differ by 2 eps of themselves at most.
_ROUNDING = 8 * 2.0**-52

# Two values are evenly spaced whatever they are.
_FEWEST_EVEN = 3


def adopt_digits(stored: Spec, wanted: Spec) -> Spec:
    """Return a spec with the digits of a result in place of those that differ from them by rounding alone.

    Only axes of numbers that have a dimension for themselves adopt digits, each as `adopt_values` says.
    """
    before = {axis.name: axis for axis in stored.grid.axes}
    axes = tuple(
        replace(axis, values=adopt_values(before[axis.name].values, axis.values))
        if axis.name in before and all(_is_alone(spec.grid, axis) for spec in (stored, wanted))
        else axis
        for axis in wanted.grid.axes
    )
    return wanted if axes == wanted.grid.axes else replace(wanted, grid=Grid(axes))


def adopt_values(stored: Sequence[float | str], wanted: Sequence[float | str]) -> tuple[float, ...]:
    """Return the wanted values of an axis, with the stored digits where they differ by rounding alone.

    Two values differ by rounding alone if they are at most 8 × 2⁻⁵² apart, times the larger of the two; where the
    wanted values are evenly spaced, times the largest of all: a linspace through zero rounds its small values like its
    large ones. A value that both have is never replaced. Of the others, one is replaced only if there is one stored
    value so near to it, and no other wanted one so near to that: no two values become one, and a second call with what
    the first made of the store gives the same.

    Parameters
    ----------
    stored, wanted : sequence of float
        The values that a result has, and those of the larger grid; each without repetitions.

    Returns
    -------
    tuple of float
        The wanted values, in their order; shape ``(len(wanted),)``.

    Examples
    --------
    >>> adopt_values((0.1, 0.30000000000000004), (0.1, 0.2, 0.3, 0.4))
    (0.1, 0.2, 0.30000000000000004, 0.4)
    """
    has, wants = _numbers(stored), _numbers(wanted)
    known, asked = set(has), set(wants)
    left, new = sorted(known - asked), sorted(asked - known)
    if not (left and new):
        return wants
    absolute = _ROUNDING * max(map(abs, wants)) if _is_even(wants) else 0.0
    found: dict[float, float] = {}
    for value in left:
        near = _near(value, new, absolute)
        if len(near) == 1 and len(_near(near[0], left, absolute)) == 1:
            found[near[0]] = value
    return tuple(found.get(value, value) for value in wants)


def describe_adoption(wanted: Grid, adopted: Grid) -> list[str]:
    """Say in one line for each axis which values a result lends its digits, and how much they differ."""
    lines = []
    for axis, taken in zip(wanted.axes, adopted.axes, strict=True):
        if axis.is_label or axis.values == taken.values:
            continue
        apart = abs(axis.array - taken.array)
        number = np.count_nonzero(apart)
        these = f"{number:,} values have" if number > 1 else "1 value has"
        lines.append(
            f"axis {axis.name}: {these} the digits of the result; the sweep's differ by rounding alone, "
            f"by {apart.max():.2g}{' at most' if number > 1 else ''}"
        )
    return lines


def _is_alone(grid: Grid, axis: Axis) -> bool:
    """Whether an axis of that name and dimension has numbers, and the dimension for itself."""
    there = grid.along(axis.dim)
    return [each.name for each in there] == [axis.name] and not there[0].is_label


def _numbers(values: Sequence[float | str]) -> tuple[float, ...]:
    return tuple(map(float, values))


def _is_even(values: Sequence[float]) -> bool:
    """Whether values are, in some order and but for rounding, those of a linspace between their ends."""
    low, high = min(values), max(values)
    if len(values) < _FEWEST_EVEN or not isfinite(high - low):
        return False
    even = np.linspace(low, high, len(values))
    most = _ROUNDING * max(abs(low), abs(high))
    return bool((np.abs(np.sort(np.asarray(values)) - even) <= most).all())


def _near(value: float, others: Sequence[float], absolute: float) -> list[float]:
    """Return values of a sorted list that differ from one by rounding alone: two on either side tell one from more."""
    at = bisect_left(others, value)
    there = others[max(0, at - 2) : at + 2]
    return [each for each in there if isclose(each, value, rel_tol=_ROUNDING, abs_tol=absolute)]
