"""The best points of a result: where a summary is nearest to the value that a perfect model would have."""

from collections.abc import Callable, Iterator, Mapping
from itertools import product
from math import prod
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.errors import SpecError

__all__ = ["best_index", "best_points", "default_summary", "far_from_best", "summaries"]

# Values that are read at a time, unless a chunk has more.
_PART = 2**20

# How far values are from the best, by the attribute ``best`` of a summary.
_DISTANCE: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "smallest": np.asarray,
        "largest": np.negative,
        "zero": np.abs,
        "one": lambda values: np.abs(np.log(values)),
    }
)


def best_points(result: xr.Dataset, *, value: str | None = None) -> list[dict[str, Any]]:
    """Find the best value of a summary for each combination of labels.

    Parameters
    ----------
    result : xarray.Dataset
        Of a sweep. It may be lazy: it is read in parts.
    value : str, optional
        The summary; see `default_summary`.

    Returns
    -------
    list of dict
        For each combination of labels with a finite value: the labels, the value of each axis at the best point (None
        where the summary does not depend on the axis), and every summary at that point.
    """
    value = value or default_summary(result)
    label_dims = [
        dim
        for dim in map(str, result[value].dims)
        if any(coord.dims == (dim,) and coord.dtype.kind not in "iuf" for coord in result.coords.values())
    ]
    found = []
    for index in np.ndindex(*(result.sizes[dim] for dim in label_dims)):
        chosen = result.isel(dict(zip(label_dims, map(int, index), strict=True)))
        at = best_index(chosen[value])
        if at is not None:
            found.append(_point(chosen, at, value))
    return found


def _point(chosen: xr.Dataset, at: dict[str, int], value: str) -> dict[str, Any]:
    """Return coordinates and summaries at a point."""
    depends = {}
    for dim in at:
        line = chosen[value].isel({other: i for other, i in at.items() if other != dim})
        depends[dim] = line.size == 1 or _varies(line)
    record: dict[str, Any] = {}
    for name, coord in chosen.coords.items():
        dims = [str(dim) for dim in coord.dims]
        if len(dims) <= 1 and set(dims) <= set(at):
            item = coord.isel({dim: at[dim] for dim in dims}).item()
            record[str(name)] = item if all(depends[dim] for dim in dims) else None
    names = summaries(chosen)
    here = chosen[names].isel(at)
    return record | {name: float(here[name]) for name in names}


def _varies(line: xr.DataArray) -> bool:
    """Whether a line of values has different ones, or some that are not a number; read as far as it is needed."""
    (dim, n), step, first = next(iter(line.sizes.items())), max(256, _chunk(line, str(line.dims[0]))), line[0].values
    return any(bool((line.isel({dim: slice(i, i + step)}).values != first).any()) for i in range(0, n, step))


def summaries(result: xr.Dataset) -> list[str]:
    """Return the names of the summaries of a result: the variables with one value at each grid point."""
    grid = set(result["status"].dims)
    return [str(name) for name, variable in result.data_vars.items() if name != "status" and set(variable.dims) <= grid]


def default_summary(result: xr.Dataset) -> str:
    """Return the name of the summary that is used unless another is chosen: ``rms_mean``, or else the first."""
    names = summaries(result)
    return "rms_mean" if "rms_mean" in names else names[0]


def far_from_best(array: xr.DataArray) -> npt.NDArray[np.float64]:
    """Return how far the values of a summary are from the best: the smaller the better, infinite where not finite.

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

    Returns the index along each dimension, the first among equals, or None if no value is finite.
    """
    lowest, at = np.inf, None
    for part in _parts(array):
        distance = far_from_best(array.isel(part))
        flat = int(distance.argmin())
        least = float(distance.flat[flat])
        if least < np.inf and least <= lowest:
            within = np.unravel_index(flat, distance.shape)
            index = tuple(each.start + int(i) for each, i in zip(part.values(), within, strict=True))
            # Parts are not in the order of the values: of equals in two, the first is the one with the lesser index.
            if at is None or (least, index) < (lowest, at):
                lowest, at = least, index
    return None if at is None else dict(zip(map(str, array.dims), at, strict=True))


def _parts(array: xr.DataArray) -> Iterator[dict[str, slice]]:
    """Cut an array into parts of whole chunks, each read once: as many as make a part of some size, at least one."""
    sizes = {str(dim): n for dim, n in array.sizes.items()}
    lengths = {dim: min(n, _chunk(array, dim)) for dim, n in sizes.items()}
    for dim in reversed(sizes):
        lengths[dim] = min(sizes[dim], lengths[dim] * max(1, _PART // max(1, prod(lengths.values()))))
    cuts = ([slice(i, min(i + lengths[dim], n)) for i in range(0, n, lengths[dim])] for dim, n in sizes.items())
    return (dict(zip(sizes, cut, strict=True)) for cut in product(*cuts))


def _chunk(array: xr.DataArray, dim: str) -> int:
    """Return the length of a chunk of what was read from disk; 1 in memory, where any part is as good."""
    return int(array.encoding.get("preferred_chunks", {}).get(dim, 1))
