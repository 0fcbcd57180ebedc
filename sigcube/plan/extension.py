"""The grid of an extended result: new values go behind the old ones, and nothing old moves."""

from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise
from math import inf, isclose, ulp
from typing import Any

from sigcube.chunks import Region
from sigcube.errors import StoreMismatch
from sigcube.plan.grid import Axis, Grid
from sigcube.plan.spec import Spec

__all__ = ["adopt_stored", "extend_spec", "find_adopted", "order_of"]

# Values of an axis that a message lists, to be copied into the spec.
_LISTED = 200
# Two ways to a value of an axis each round a product and a sum, in units of the last digit of its largest value.
_ROUNDINGS = 4
# Values that rounding alone keeps apart are so many times closer to each other than to any other value.
_APART = 1e6


def adopt_stored(stored: Grid, wanted: Grid) -> Grid:
    """Return a grid in which values that differ from stored ones by rounding alone are the stored ones.

    A ``linspace`` with other ends, or with more values, comes to the same values by other sums: the third of ten from
    0.1 to 1 is 0.30000000000000004, of nineteen from 0.1 to 1.9 it is 0.3. A value is adopted if it lies within four
    units in the last place of the axis' largest value, a million times closer to the stored one than both are to any
    other, and to 0 unless the axis goes through it; and if neither stands in both axes: so no two values become one.
    Axes that vary together stay as they are.
    """
    numbers = {axis.dim: axis.values for axis in stored.axes if not axis.is_label and len(stored.along(axis.dim)) == 1}
    adopted = (
        replace(axis, values=_adopt(numbers[axis.dim], axis.values))
        if axis.dim in numbers and not axis.is_label and len(wanted.along(axis.dim)) == 1
        else axis
        for axis in wanted.axes
    )
    return Grid(tuple(adopted))


def _adopt(stored: Sequence[Any], wanted: Sequence[Any]) -> tuple[Any, ...]:
    kept, asked = set(stored), set(wanted)
    together = sorted(kept | asked)
    rounding = _ROUNDINGS * ulp(max(abs(together[0]), abs(together[-1])))
    through_zero = together[0] < 0.0 < together[-1]
    gaps = [inf, *(upper - lower for lower, upper in pairwise(together)), inf]
    found = {}
    for i, (lower, upper) in enumerate(pairwise(together)):
        to_zero = inf if through_zero else min(abs(lower), abs(upper))
        alone = min(gaps[i], gaps[i + 2], to_zero) >= _APART * gaps[i + 1]
        if alone and gaps[i + 1] <= rounding and len({lower, upper} & kept) == len({lower, upper} & asked) == 1:
            own, new = (lower, upper) if lower in kept else (upper, lower)
            found[new] = own
    return tuple(found.get(value, value) for value in wanted)


def find_adopted(asked: Grid, adopted: Grid) -> list[str]:
    """Say of each axis in which a grid differs from the one asked for, in how many values and by how much."""
    said = []
    for own, other in zip(asked.axes, adopted.axes, strict=True):
        if own.values != other.values:
            steps = abs(other.array - own.array)
            count = f"{(steps > 0.0).sum()} of {steps.size} values"
            said.append(f"axes.{own.name}: {count} as stored, which differ by rounding, at most by {steps.max():.2g}")
    return said


def extend_spec(stored: Spec, wanted: Spec, *, where: str) -> tuple[Spec, tuple[Region, ...]]:
    """Lay out a spec as a result stores it, with the values that the result lacks at the end of each dimension.

    Parameters
    ----------
    stored : Spec
        The spec of the result, with its axes as stored.
    wanted : Spec
        The same sweep over a larger grid, with the values that it shares as stored: see `adopt_stored`.
    where : str
        The result, for errors.

    Returns
    -------
    spec : Spec
        The wanted spec in the order of the store.
    stages : tuple of Region
        The regions to compute, one after another: a slab of the grid for each dimension that grows. Each has the full
        size along the dimensions that grew before it, so that no two tasks of a stage write to one chunk, although a
        stage may begin within one.

    Raises
    ------
    StoreMismatch
        The axes differ, lie along other dimensions, or lack values that the result has.
    """
    before, after = stored.grid, wanted.grid
    places = [[(axis.name, axis.dim) for axis in grid.axes] for grid in (before, after)]
    if sorted(places[0]) != sorted(places[1]):
        raise StoreMismatch(
            "a result is extended along the axes that it has",
            where=where,
            found=", ".join(f"{name} along {dim}" for name, dim in places[1]),
            expected=", ".join(f"{name} along {dim}" for name, dim in places[0]),
            hint="write to another path",
        )
    added: dict[str, list[int]] = {}
    for dim in before.dims:
        has, wants = _points(before, dim), _points(after, dim)
        for lacking in sorted(set(has) - set(wants), key=has.index)[:1]:
            raise _lacks(before.along(dim), lacking, has, wants, where)
        if len(set(wants)) < len(wants):
            twice = next(point for i, point in enumerate(wants) if point in wants[:i])
            raise StoreMismatch("an extension names each point once", where=f"{where}, {dim}", found=repr(twice))
        known = set(has)
        added[dim] = [i for i, point in enumerate(wants) if point not in known]
    axes = {axis.name: axis for axis in after.axes}
    grown = (
        Axis(axis.name, axis.dim, (*axis.values, *(axes[axis.name].values[i] for i in added[axis.dim])))
        for axis in before.axes
    )
    return replace(wanted, grid=Grid(tuple(grown))), tuple(_slabs(before.dims, added))


def order_of(stored: Grid, asked: Grid) -> dict[str, list[int]]:
    """Return, for each dimension stored in another order, the indices that give the order asked for."""
    found = {}
    for dim in asked.dims:
        position = {point: i for i, point in enumerate(_points(stored, dim))}
        order = [position[point] for point in _points(asked, dim)]
        if order != list(range(len(order))):
            found[dim] = order
    return found


def _points(grid: Grid, dim: str) -> list[tuple[float | str, ...]]:
    """Return the values of the axes along a dimension at each of its points, the axes in order of their names."""
    axes: Sequence[Axis] = sorted(grid.along(dim), key=lambda axis: axis.name)
    return list(zip(*(axis.values for axis in axes), strict=True))


def _almost(one: tuple[Any, ...], other: tuple[Any, ...]) -> bool:
    """Whether points of one axis of numbers differ by no more than rounding does."""
    numbers = len(one) == 1 and not isinstance(one[0], str) and not isinstance(other[0], str)
    return numbers and isclose(one[0], other[0], rel_tol=1e-9)


def _slabs(lengths: dict[str, int], added: dict[str, list[int]]) -> list[Region]:
    found, now = [], dict(lengths)
    for dim, points in added.items():
        if points:
            begin, now[dim] = now[dim], now[dim] + len(points)
            found.append(tuple(slice(begin if each == dim else 0, n) for each, n in now.items()))
    return found


def _lacks(
    axes: Sequence[Axis],
    point: tuple[Any, ...],
    stored: list[tuple[Any, ...]],
    wanted: list[tuple[Any, ...]],
    where: str,
) -> StoreMismatch:
    names = sorted(axis.name for axis in axes)
    text = ", ".join(f"{name} = {value!r}" for name, value in zip(names, point, strict=True))
    near = [other[0] for other in wanted if _almost(other, point)]
    hint = None
    if near:
        # Written with fewer digits, for example.
        hint = f"the nearest is {near[0]!r}: write the values as a list, the old ones digit for digit"
        if len(wanted) <= _LISTED:
            whole = [next((old[0] for old in stored if _almost(old, each)), each[0]) for each in wanted]
            hint += f": {names[0]} = {whole!r}"
    return StoreMismatch(
        "an extension keeps every value that the result has",
        where=f"{where}, axes.{names[0]}",
        found=f"no {text}",
        expected="all the values there are, and more",
        hint=hint or "add it to the axis, or write to another path",
    )
