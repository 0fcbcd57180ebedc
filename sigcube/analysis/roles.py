"""The treatment of axes by a question: which remain, where others are held, and over which the best is taken."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.analysis.best import best_index, nearest
from sigcube.analysis.labelled import axes_along, find_dim, find_position, grid_dims, system_dim
from sigcube.errors import SpecError, did_you_mean
from sigcube.plan.spec import ROLES
from sigcube.wording import number

__all__ = ["Names", "Settled", "Treatment", "describe_weights", "probabilities", "role_of", "settle", "treatment_of"]

FloatArray = npt.NDArray[np.float64]
Names = str | Sequence[str]
"""Roles, or names of axes."""


def role_of(data: xr.DataArray | xr.Dataset, dim: str) -> str:
    """Return the role of the axes along a dimension; an empty text if they have none."""
    roles = (str(data[name].attrs["role"]) for name in axes_along(data, dim) if "role" in data[name].attrs)
    return next(roles, "")


@dataclass(frozen=True)
class Treatment:
    """How a question treats each dimension of a grid.

    Attributes
    ----------
    over : tuple of str
        The dimensions that remain.
    at : Mapping of str to int
        The dimensions held at a given index.
    held : tuple of str
        The dimensions held at the best point.
    profiled : tuple of str
        The dimensions over which the best is taken, at each point of those that remain.
    """

    over: tuple[str, ...]
    at: Mapping[str, int]
    held: tuple[str, ...]
    profiled: tuple[str, ...]


def treatment_of(
    data: xr.DataArray | xr.Dataset,
    *,
    over: Names | None = None,
    at: Mapping[str, Any] | None = None,
    profiled: Names | None = None,
) -> Treatment:
    """Decide how to treat each axis.

    Parameters
    ----------
    data : DataArray or Dataset
        A result, or an array of one.
    over : str or sequence of str, optional
        Roles, or axes, that remain. By default the arbitrary ones; all of them if no axis has a role.
    at : Mapping, optional
        Values and labels at which axes are held.
    profiled : str or sequence of str, optional
        Roles, or axes, over which the best value is taken; by default those of nuisances.

    Raises
    ------
    SpecError
        For a role that no axis has, an axis that is unknown or treated in two ways, and if nothing remains.
    """
    dims = grid_dims(data)
    roles = {dim: role for dim in dims if (role := role_of(data, dim))}
    place: dict[str, int] = {}
    for name, value in (at or {}).items():
        dim, index = find_position(data, name, value, where="at")
        if place.setdefault(dim, index) != index:
            raise SpecError(f"{name} does not have this value there", where=f"at.{name}", found=str(value))
    # Naming an axis takes precedence over its role.
    by_name, by_role = dict.fromkeys(place, "at"), dict[str, str]()
    for how, names in (("over", over), ("profiled", profiled)):
        for name in [names] if isinstance(names, str) else names or ():
            known = by_role if name in ROLES else by_name
            for dim in _dims_of(data, name, roles, where=how):
                if known.setdefault(dim, how) != how:
                    raise SpecError(f"{name!r} is treated in two ways", where=how, found=f"also in {known[dim]}")
    for dim in dims:
        if profiled is None and roles.get(dim) == "nuisance":
            by_role.setdefault(dim, "profiled")
        elif over is None and (not roles or roles.get(dim) == "arbitrary"):
            by_role.setdefault(dim, "over")
    decided = {dim: by_name.get(dim) or by_role.get(dim) or "held" for dim in dims}
    if dims and "over" not in decided.values():
        hint = f"over=, of {', '.join(dims)}, or a role: {', '.join(dict.fromkeys(roles.values())) or 'there is none'}"
        raise SpecError("no axis remains to ask about", where="over", hint=hint)
    remain, held, best = (tuple(dim for dim in dims if decided[dim] == how) for how in ("over", "held", "profiled"))
    return Treatment(over=remain, at=place, held=held, profiled=best)


def _dims_of(data: xr.DataArray | xr.Dataset, name: str, roles: Mapping[str, str], *, where: str) -> list[str]:
    """Return the dimensions that a role means, or an axis."""
    if name not in ROLES:
        known = [*dict.fromkeys(roles.values()), *(axis for dim in grid_dims(data) for axis in axes_along(data, dim))]
        try:
            return [find_dim(data, name, where=where)]
        except SpecError as error:
            raise SpecError(error.what, where=where, hint=did_you_mean(name, known)) from None
    if name not in roles.values():
        hint = "roles are given in the spec, as [roles]; name the axes themselves instead"
        raise SpecError(f"no axis here is {name}", where=where, hint=hint)
    return [dim for dim, role in roles.items() if role == name]


@dataclass(frozen=True, eq=False)
class Settled:
    """An array over the axes that remain, and where its values lie on the others.

    Attributes
    ----------
    array : DataArray
        Over the dimensions that remain, and that of systems; coordinates along them, and those held.
    points : Mapping
        For each other dimension its index: one for all, or an array over the dimensions that remain.
    where : Mapping
        The values of the axes over which the best was taken, as coordinates over the dimensions that remain.
    attrs : Mapping
        What was done, in words: ``over``, ``held`` and ``profiled``.
    """

    array: xr.DataArray
    points: Mapping[str, Any]
    where: Mapping[str, xr.DataArray]
    attrs: Mapping[str, str]


def settle(
    array: xr.DataArray,
    *,
    over: Names | None = None,
    at: Mapping[str, Any] | None = None,
    profiled: Names | None = None,
) -> Settled:
    """Hold and profile the axes that a question is not asked over, as `treatment_of` decides.

    The best point is that of the whole array with axes held `at` their place. The array may be lazy: it is read at most
    twice, in parts.

    Raises
    ------
    SpecError
        As `treatment_of`; for values of systems, which have no best point in common; and if no value is finite.
    """
    how = treatment_of(array, over=over, at=at, profiled=profiled)
    placed = array.isel(how.at)
    at_best: dict[str, int] = {}
    if any(array.sizes[dim] > 1 for dim in how.held):
        if systems := system_dim(array):
            what = f"each {systems} has a best point of its own: say where axes are held"
            raise SpecError(
                what, where="at", found=", ".join(how.held), hint="at={'A': 1.2}, say, or more of them over"
            )
        found = best_index(placed)
        if found is None:
            raise SpecError("no value of the array is finite", where=str(array.name))
        at_best = {dim: found[dim] for dim in how.held}
    else:
        at_best = dict.fromkeys(how.held, 0)
    here = placed.isel(at_best)
    points: dict[str, Any] = {**how.at, **at_best}
    where: dict[str, xr.DataArray] = {}
    if how.profiled:
        keep = tuple(str(dim) for dim in here.dims if dim not in how.profiled)
        nearer = nearest(here, keep=keep)
        points |= nearer.points
        where = {
            name: xr.DataArray(here[name].values[nearer.points[dim].values], dims=keep, attrs=here[name].attrs)
            for dim in how.profiled
            for name in axes_along(here, dim)
        }
        here = here.isel(dict.fromkeys(how.profiled, 0)).drop_vars(list(where)).copy(data=nearer.value)
    return Settled(here, points, where, _in_words(array, how, {**how.at, **at_best}))


def _in_words(array: xr.DataArray, how: Treatment, place: Mapping[str, int]) -> dict[str, str]:
    """Describe which axes remain, where others are held, and over which the best is taken; not those of one value."""

    def text(dim: str, index: int | None = None) -> str:
        names = axes_along(array, dim)
        role = f" ({role_of(array, dim)})" if role_of(array, dim) else ""
        if index is None:
            return f"{', '.join(names) or dim}{role}"
        values = (f"{name} = {number(array[name].values[index])}" for name in names)
        return f"{', '.join(values) or f'{dim} {index}'}{role}"

    def several(dims: Iterable[str]) -> list[str]:
        return [dim for dim in dims if array.sizes[dim] > 1]

    at_best = [text(dim, place[dim]) for dim in several(how.held)]
    held = [text(dim, place[dim]) for dim in several(how.at)] + [f"{each}, of the best point" for each in at_best]
    return {
        "over": "; ".join(map(text, several(how.over))) or "nothing",
        "held": "; ".join(held) or "nothing",
        "profiled": "; ".join(map(text, several(how.profiled))) or "nothing",
    }


def probabilities(array: xr.DataArray, weights: Mapping[str, Any] | None) -> dict[str, FloatArray]:
    """Return the weights along each dimension of a grid, given for it or for an axis along it; by default uniform.

    Raises
    ------
    SpecError
        For an unknown axis, and for weights that are not numbers, too few or too many, negative, or do not add up to
        one.
    """
    given = weights or {}
    for name in given:
        find_dim(array, name, where="weights")
    return {dim: _along(array, dim, given) for dim in grid_dims(array)}


def _along(array: xr.DataArray, dim: str, weights: Mapping[str, Any]) -> FloatArray:
    n, names = array.sizes[dim], [name for name in weights if name == dim or name in axes_along(array, dim)]
    if not names:
        return np.full(n, 1.0 / n)
    (name, *others), where = names, f"weights.{names[0]}"
    if others:
        raise SpecError("two axes along one dimension have weights", where=where, found=f"also {others[0]}")
    try:
        given = np.asarray(weights[name], dtype=np.float64)
    except (TypeError, ValueError):
        raise SpecError(
            "weights are numbers", where=where, found=repr(weights[name]), expected=f"{n} numbers"
        ) from None
    if given.shape != (n,):
        raise SpecError("each value of an axis has a weight", where=where, found=f"{given.shape}", expected=f"({n},)")
    if not (np.isfinite(given).all() and (given >= 0).all()):
        raise SpecError("a weight is a probability", where=where, found=number(given.min()), expected="0 or more")
    total = float(given.sum())
    if abs(total - 1.0) > 1e-9:
        raise SpecError("weights do not add up", where=where, found=f"{total:.10g}", expected="1", hint="w / w.sum()")
    return given / total


def describe_weights(weights: Mapping[str, Any] | None) -> str:
    """Describe the weights of axes."""
    if weights is None:
        return "uniform"
    return f"given along {', '.join(map(str, weights))}, uniform otherwise" if weights else "weighted, uniform"
