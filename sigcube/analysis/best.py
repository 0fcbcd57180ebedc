"""The best points of a result: where a summary is nearest to the value that a perfect model would have."""

from collections.abc import Callable, Mapping
from itertools import product
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.errors import SpecError

__all__ = ["best_index", "best_points", "default_summary", "far_from_best", "summaries"]

# Values that are read at a time when a summary is searched for its best.
_CHUNK = 2**24

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
        line = chosen[value].isel({other: i for other, i in at.items() if other != dim}).values
        depends[dim] = line.size == 1 or not bool((line == line[0]).all())
    record: dict[str, Any] = {}
    for name, coord in chosen.coords.items():
        dims = [str(dim) for dim in coord.dims]
        if len(dims) <= 1 and set(dims) <= set(at):
            item = coord.isel({dim: at[dim] for dim in dims}).item()
            record[str(name)] = item if all(depends[dim] for dim in dims) else None
    names = summaries(chosen)
    here = chosen[names].isel(at)
    return record | {name: float(here[name]) for name in names}


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
    """Find the best finite value of a summary, as `far_from_best` measures it, in parts.

    Returns the index along each dimension, the first among equals, or None if no value is finite.
    """
    lowest, found = np.inf, None
    # A part has whole axes at the end and single places at the beginning, so that parts come in the order of values.
    shape: list[int] = []
    left = _CHUNK
    for n in reversed(array.shape):
        shape.insert(0, max(1, min(n, left)))
        left //= shape[0]
    for corner in product(*(range(0, n, step) for n, step in zip(array.shape, shape, strict=True))):
        part = {d: slice(at, at + n) for d, at, n in zip(array.dims, corner, shape, strict=True)}
        distance = far_from_best(array.isel(part))
        place = np.unravel_index(int(distance.argmin()), distance.shape)
        if distance[place] < lowest:
            lowest = float(distance[place])
            found = {str(d): at + int(i) for d, at, i in zip(array.dims, corner, place, strict=True)}
    return found
