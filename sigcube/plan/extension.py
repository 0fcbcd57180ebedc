"""The grid of an extended result: new values go behind the old ones, and nothing old moves."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from math import isclose
from typing import Any

from sigcube.chunks import Region
from sigcube.errors import StoreMismatch
from sigcube.plan.grid import Axis, Grid
from sigcube.plan.spec import Spec

__all__ = ["extend_spec", "order_of"]

# Values of an axis that a message lists, to be copied into the spec.
_LISTED = 200


def extend_spec(stored: Spec, wanted: Spec, *, where: str) -> tuple[Spec, tuple[Region, ...]]:
    """Lay out a spec as a result stores it, with the values that the result lacks at the end of each dimension.

    Parameters
    ----------
    stored : Spec
        The spec of the result, with its axes as stored.
    wanted : Spec
        The same sweep over a larger grid.
    where : str
        The result, for errors.

    Returns
    -------
    spec : Spec
        The wanted spec in the order of the store.
    stages : tuple of Region
        The regions to compute, one after another: a slab of the grid for each dimension that grows. Each has the full
        size along the dimensions that grew before it, so that no two blocks of a stage write to one chunk, although a
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
        known, kept = set(has), set(wants)
        if (lacking := next((point for point in has if point not in kept), None)) is not None:
            raise _lacks(before.along(dim), lacking, has, wants, where)
        if len(kept) < len(wants):
            twice = next(point for point, n in Counter(wants).items() if n > 1)
            raise StoreMismatch("an extension names each point once", where=f"{where}, {dim}", found=repr(twice))
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
    """Whether points of one axis of numbers differ by so little that they were meant as the same."""
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
        # Powers and sums of one's own in Python may differ by more than what is adopted as rounding.
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
