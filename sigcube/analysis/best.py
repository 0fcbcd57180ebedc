"""Best points and profiles: where a summary is nearest to the value that a perfect model would have."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.analysis.labelled import (
    about,
    axes_along,
    check_array,
    check_result,
    check_whole_sample,
    chunk_length,
    find_dim,
    flat_numbers,
    grid_dims,
    is_label,
    kept_values,
    label_dims,
    loaded,
    parts,
    system_dim,
)
from sigcube.analysis.lacking import caution_of_unfinished, why_no_value
from sigcube.errors import SpecError, did_you_mean

__all__ = [
    "Nearest",
    "array_of",
    "best",
    "best_index",
    "best_points",
    "default_summary",
    "far_from_best",
    "find_summary",
    "improve",
    "nearest",
    "profile",
    "summaries",
    "summary_of",
]

FloatArray = npt.NDArray[np.float64]

# How far values are from the best, by the attribute ``best`` of a summary.
_DISTANCE: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "smallest": np.asarray,
        "largest": np.negative,
        "zero": np.abs,
        "one": lambda values: np.abs(np.log(values)),
    }
)

# How much worse points of the box may be: a fraction of the best value, or a difference of a logarithm.
_WITHIN, _WITHIN_LOG = 0.01, 2.0

# On an axis of one value, or with repeated values, any value is as good.
_SIDES = ("inside", "lower", "upper", "any", "no_value")
_INSIDE, _LOWER, _UPPER, _ANY, _NO_VALUE = range(len(_SIDES))


def best(
    result: xr.Dataset, *, by: str | None = None, per: str | None = None, within: float | None = None
) -> xr.Dataset:
    """Find the best point of a result: where it is, how good, whether at a bound, and how flat its surroundings are.

    Parameters
    ----------
    result : Dataset
        Of a sweep; it may be lazy, and is read once, in parts.
    by : str, optional
        The summary to optimise, such as ``"win_rate"``; see `default_summary`. With `per`, a metric of systems, by
        default ``"rms"``.
    per : str, optional
        The dimension of systems, for the best point of each: ``"galaxy"``.
    within : float, optional
        How much worse a point of the box may be: a fraction of the best value, by default 0.01. For ln L, whose zero
        means nothing, it is a difference, by default 2: the 95 % interval of one parameter (Wilks 1938).

    Returns
    -------
    Dataset
        Every summary at the best point (the first of equals), with the values of the axes there as coordinates. For an
        axis of numbers, ``<axis>_low`` and ``<axis>_high`` are the ends of the smallest box around all points that are
        worse by no more than `within`; for labels, ``<axis>_within`` names those with such a point. ``at_bound``, over
        ``axis``, tells whether the best lies at an end of an axis of numbers, and along which axes every value is as
        good. With `per`, all of this for each system, with its metrics in place of summaries; NaN where none is finite.
        The attribute ``caution`` tells of points that are not computed.

    Raises
    ------
    SpecError
        For an unknown summary, for values of systems that were not kept, and if no value is finite.
    """
    array = summary_of(result, by) if per is None else _of_systems(result, by, per)
    is_log = array.attrs.get("scale") == "logarithm"
    if within is None:
        within = _WITHIN_LOG if is_log else _WITHIN
    if not within >= 0:
        raise SpecError("a box holds points that are worse", where="within", found=f"{within:g}", expected="0 or more")
    keep = () if per is None else (per,)
    found = nearest(array, keep=keep, along=grid_dims(array))
    if not found.there.any():
        raise SpecError(f"no grid point has a finite {array.name}", where="by", hint=why_no_value(result))
    at = found.points | {dim: xr.DataArray(np.arange(array.sizes[dim]), dims=dim) for dim in keep}
    alike = (str(name) for name, each in result.data_vars.items() if set(each.dims) == set(array.dims))
    answer = found.masked(loaded(result[[name for name in alike if name != "status"]].isel(at)))
    worst = (found.distance + within * (1.0 if is_log else np.abs(found.value)))[..., np.newaxis]
    sides: dict[str, npt.NDArray[Any]] = {}
    for dim, index in found.points.items():
        line = loaded(array.isel({other: i for other, i in at.items() if other != dim})).transpose(..., dim).values
        same = (line == line[..., :1]).all(axis=-1)
        for name in axes_along(array, dim):
            answer = answer.assign(_box(array[name], found, found.floors[dim] <= worst))
            tests = [~found.there, same]
            if not is_label(array[name]):
                values = array[name].values
                tests += [values[index.values] == values.min(), values[index.values] == values.max()]
            sides[name] = np.select(tests, [_NO_VALUE, _ANY, _LOWER, _UPPER][: len(tests)], _INSIDE)
    flags = {"flag_values": list(range(len(_SIDES))), "flag_meanings": " ".join(_SIDES)}
    table = np.stack([*sides.values()], axis=-1) if sides else np.empty((*found.value.shape, 0))
    answer["at_bound"] = (*keep, "axis"), table.astype(np.uint8), about("side on which the best value lies") | flags
    answer["axis"] = "axis", np.array(list(sides), dtype=object), about("axis")
    return answer.assign_attrs(by=str(array.name), within=within, **caution_of_unfinished(result))


def _box(coord: xr.DataArray, found: "Nearest", inside: npt.NDArray[np.bool_]) -> dict[str, Any]:
    """Return the ends of the values of an axis that are inside, or the labels, for each place that is kept."""
    name, units = str(coord.name), coord.attrs.get("units", "")
    if is_label(coord):
        rows = inside.reshape(-1, inside.shape[-1])
        text = np.array([", ".join(map(str, coord.values[row])) for row in rows], dtype=object)
        return {f"{name}_within": (found.keep, text.reshape(found.value.shape), about(f"{name} in the box"))}
    low = np.where(inside, coord.values, np.inf).min(axis=-1)
    high = np.where(inside, coord.values, -np.inf).max(axis=-1)
    return {
        f"{name}_{end}": (
            found.keep,
            np.where(found.there, each, np.nan),
            about(f"{name}, {end} end of the box", units),
        )
        for end, each in (("low", low), ("high", high))
    }


def _of_systems(result: xr.Dataset, by: str | None, per: str) -> xr.DataArray:
    """Return a metric of each system, along the requested dimension."""
    check_result(result)
    array = kept_values(result, "rms" if by is None else by)
    if per != system_dim(array):
        raise SpecError(f"there is no dimension {per!r} of systems", where="per", hint=f"per={system_dim(array)!r}")
    return array


def profile(array: xr.DataArray, *axes: str) -> xr.Dataset:
    """Take the best value over all other axes, along some.

    Parameters
    ----------
    array : DataArray
        A summary, or a metric of each system; it may be lazy, and is read once, in parts.
    *axes : str
        The axes to keep; systems are kept as well.

    Returns
    -------
    Dataset
        The best value along the axes, under the name of the array, and as coordinates the values of the other axes
        there (the first of equals). NaN where no value is finite.

    Raises
    ------
    SpecError
        For an unknown axis, or none.
    """
    check_array(array)
    if not axes:
        raise SpecError("a profile is along an axis", where="axis", hint=did_you_mean("", grid_dims(array)))
    wanted = {find_dim(array, name) for name in axes}
    keep = tuple(str(dim) for dim in array.dims if dim in wanted or dim == system_dim(array))
    found = nearest(array, keep=keep)
    name = str(array.name or "value")
    answer = found.masked(array.coords.to_dataset().isel(found.points, missing_dims="ignore").reset_coords())
    answer = answer.set_coords([str(each) for each in answer.data_vars])
    others = ", ".join(found.over) or "nothing"
    return answer.assign({name: (keep, found.value, {**array.attrs, "comment": f"best over {others}"})})


def best_points(result: xr.Dataset, *, value: str | None = None) -> list[dict[str, Any]]:
    """Find the best value of a summary for each combination of labels.

    Parameters
    ----------
    result : xarray.Dataset
        Of a sweep; it may be lazy, and is read in parts.
    value : str, optional
        The summary; see `default_summary`.

    Returns
    -------
    list of dict
        For each combination of labels with a finite value: the labels, the value of each axis at the best point (None
        where no summary depends on the axis), and every summary at that point.
    """
    value = value or default_summary(result)
    dims = label_dims(result[value])
    found = []
    for index in np.ndindex(*(result.sizes[dim] for dim in dims)):
        chosen = result.isel(dict(zip(dims, map(int, index), strict=True)))
        at = best_index(chosen[value])
        if at is not None:
            found.append(_point(chosen, at, value))
    return found


def _point(chosen: xr.Dataset, at: dict[str, int], value: str) -> dict[str, Any]:
    """Return coordinates and summaries at a point."""
    names = summaries(chosen)
    here = loaded(chosen[names].isel(at))
    # They are told beside it, as they are at this point.
    with_value = [value, *(name for name in names if name != value and np.isfinite(here[name]))]
    depends = {}
    for dim in at:
        lines = chosen[with_value].isel({other: i for other, i in at.items() if other != dim})
        depends[dim] = chosen.sizes[dim] == 1 or any(_varies(lines[name]) for name in with_value)
    record: dict[str, Any] = {}
    for name, coord in chosen.coords.items():
        dims = [str(dim) for dim in coord.dims]
        if len(dims) <= 1 and set(dims) <= set(at):
            item = coord.isel({dim: at[dim] for dim in dims}).item()
            record[str(name)] = item if all(depends[dim] for dim in dims) else None
    return record | {name: float(here[name]) for name in names}


def _varies(line: xr.DataArray) -> bool:
    """Whether a line has different values, or some that are not numbers; read only as far as needed."""
    (dim, n), first = next(iter(line.sizes.items())), line[0].values
    step = max(256, chunk_length(line, str(dim)))
    return any(bool((line.isel({dim: slice(i, i + step)}).values != first).any()) for i in range(0, n, step))


def summaries(result: xr.Dataset) -> list[str]:
    """Return the names of the summaries of a result: the variables with one value at each grid point."""
    return [str(name) for name, each in result.data_vars.items() if name != "status" and system_dim(each) is None]


def default_summary(result: xr.Dataset) -> str:
    """Return the summary that is used unless another is chosen: ``rms_mean``, ``loglike_sum``, or else the first."""
    names = summaries(result)
    return next((name for name in ("rms_mean", "loglike_sum") if name in names), names[0])


def summary_of(result: xr.Dataset, name: str | None) -> xr.DataArray:
    """Return a summary of a result by name, the default one for None.

    Raises
    ------
    SpecError
        For an unknown name, and for a result of whose systems some were selected.
    """
    name = find_summary(result, name)
    check_whole_sample(result)
    return result[name]


def find_summary(result: xr.Dataset, name: str | None) -> str:
    """Return the name of a summary of a result, of the default one for None; refuse an unknown name."""
    check_result(result)
    names = summaries(result)
    wanted = default_summary(result) if name is None and names else name
    if wanted not in names:
        raise SpecError(f"the result has no summary {wanted!r}", where="by", hint=did_you_mean(wanted, names))
    return wanted


def array_of(result: xr.Dataset, name: str | None) -> xr.DataArray:
    """Return a summary of a result by name, the default one for None, or a metric of each system."""
    check_result(result)
    of_systems = name is not None and name not in summaries(result) and f"{name}_mean" in result.data_vars
    return kept_values(result, str(name)) if of_systems else summary_of(result, name)


def far_from_best(array: xr.DataArray) -> FloatArray:
    """Return how far values of a summary are from the best: smaller is better, infinite where not finite.

    Its attribute ``best`` is ``smallest``, ``largest``, ``zero`` or ``one``; one half is as far from one as two is.
    """
    values, best = array.values, str(array.attrs.get("best", "smallest"))
    if best not in _DISTANCE:
        raise SpecError(f"{array.name} does not say which value is best", found=best, expected=", ".join(_DISTANCE))
    with np.errstate(divide="ignore", invalid="ignore"):
        distance = _DISTANCE[best](values)
    # A negative ratio has no logarithm.
    return np.where(np.isfinite(values) & ~np.isnan(distance), distance, np.inf)


def best_index(array: xr.DataArray) -> dict[str, int] | None:
    """Find the best finite value of a summary, as `far_from_best` measures it; it may be lazy, and is read in parts.

    Returns the index along each dimension (the first of equals), or None if no value is finite.
    """
    found = nearest(array)
    return {dim: int(index) for dim, index in found.points.items()} if found.there else None


@dataclass(frozen=True, eq=False)
class Nearest:
    """The best values of an array over some dimensions, at each place along the others.

    Attributes
    ----------
    keep, over : tuple of str
        The dimensions that remain, and those over which it is the best.
    lengths : tuple of int
        The lengths of `over`.
    distance, value : ndarray
        How far the best is, as `far_from_best` measures it, and its value, over `keep`; infinite and NaN if none is
        finite.
    flat : ndarray of int
        Where it is: its number among the values over `over`, the first among equals; −1 if none is finite.
    floors : Mapping
        For some of `over`, the smallest distance at each place along that dimension, over `keep` and it.
    """

    keep: tuple[str, ...]
    over: tuple[str, ...]
    lengths: tuple[int, ...]
    distance: FloatArray
    value: FloatArray
    flat: npt.NDArray[np.int64]
    floors: Mapping[str, FloatArray]

    @property
    def there(self) -> npt.NDArray[np.bool_]:
        """Where some value is finite."""
        return self.flat >= 0

    @property
    def points(self) -> dict[str, xr.DataArray]:
        """The index of the best along each of `over`, over `keep`; 0 if there is none."""
        index = np.unravel_index(np.maximum(self.flat, 0), self.lengths) if self.over else ()
        return {dim: xr.DataArray(each, dims=self.keep) for dim, each in zip(self.over, index, strict=True)}

    def masked(self, found: xr.Dataset) -> xr.Dataset:
        """Return the values that were taken at points, without those that belong to none."""
        if self.there.all():
            return found
        there = xr.DataArray(self.there, dims=self.keep)
        taken = [name for name, each in found.variables.items() if each.dims == self.keep and name not in self.keep]
        return found.assign({name: found[name].where(there, "" if is_label(found[name]) else np.nan) for name in taken})


def nearest(array: xr.DataArray, *, keep: Sequence[str] = (), along: Sequence[str] = ()) -> Nearest:
    """Find the best finite values of an array over all dimensions but those to `keep`; it is read once, in parts.

    With the floors `along` some of the others.
    """
    keep = tuple(str(dim) for dim in array.dims if dim in keep)
    over = tuple(str(dim) for dim in array.dims if dim not in keep)
    shape, lengths = (tuple(array.sizes[dim] for dim in dims) for dims in (keep, over))
    least, value, at = np.full(shape, np.inf), np.full(shape, np.nan), np.full(shape, -1, dtype=np.int64)
    floors = {dim: np.full((*shape, array.sizes[dim]), np.inf) for dim in along}
    for part in parts(array):
        piece = loaded(array.isel(part)).transpose(*keep, *over)
        far = far_from_best(piece)
        kept = far.shape[: len(keep)]
        flat = far.reshape(*kept, -1)
        first = flat.argmin(axis=-1)
        lowest, found = (
            np.take_along_axis(each.reshape(*kept, -1), first[..., np.newaxis], axis=-1)[..., 0]
            for each in (flat, piece.values)
        )
        number = flat_numbers(first, {dim: part[dim] for dim in over}, lengths)
        # With the dots it is a view, also of a single value.
        here: Any = (*(part[dim] for dim in keep), ...)
        better = improve(least[here], at[here], lowest, number)
        np.copyto(value[here], found, where=better)
        for dim, floor in floors.items():
            others = tuple(len(keep) + i for i, other in enumerate(over) if other != dim)
            place: Any = (*here[:-1], part[dim])
            floor[place] = np.minimum(floor[place], far.min(axis=others))
    return Nearest(keep, over, lengths, least, value, at, floors)


def improve(least: FloatArray, at: npt.NDArray[np.int64], distance: FloatArray, number: Any) -> npt.NDArray[np.bool_]:
    """Replace smallest distances and the numbers of their points by those of a further part, where these are better.

    Returns where. Parts may come in any order: of equals, the one with the lesser number wins.
    """
    better: npt.NDArray[np.bool_] = (distance < least) | (distance == least) & (distance < np.inf) & (number < at)
    np.copyto(least, distance, where=better)
    np.copyto(at, number, where=better)
    return better
