"""The best point of a result: where a summary is nearest to what a perfect model would give."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

__all__ = ["best_index", "best_points", "default_summary", "far_from_best", "summaries"]

# Values read at a time when a map is searched for its best.
_SLAB = 2**24


def best_points(result: xr.Dataset, *, value: str | None = None) -> list[dict[str, Any]]:
    """Find the best value of a summary under each combination of labels, by the ``best`` that it says of itself.

    Parameters
    ----------
    result : xarray.Dataset
        A result, which may be lazy: it is read in parts.
    value : str, optional
        The summary; ``rms_mean`` where there is one.

    Returns
    -------
    list of dict
        For each combination, the labels, the axes' values at the best point (None for an axis that makes no difference
        there), and every summary at that point. Combinations without a finite value are left out.
    """
    value = value or default_summary(result)
    array = result[value]
    labels = [str(dim) for dim in array.dims if _is_label_dim(result, str(dim))]
    found = []
    for place in np.ndindex(*(array.sizes[dim] for dim in labels)):
        chosen = result.isel(dict(zip(labels, map(int, place), strict=True)))
        at = best_index(chosen[value])
        if at is not None:
            found.append(_point(chosen, at, value))
    return found


def summaries(result: xr.Dataset) -> list[str]:
    """Name the summaries of a result: what has one value at each grid point."""
    grid = set(result["status"].dims)
    return [str(name) for name, variable in result.data_vars.items() if name != "status" and set(variable.dims) <= grid]


def default_summary(result: xr.Dataset) -> str:
    """Name the summary that a result is judged by unless another is asked for: ``rms_mean`` where there is one."""
    names = summaries(result)
    return "rms_mean" if "rms_mean" in names else names[0]


def _is_label_dim(result: xr.Dataset, dim: str) -> bool:
    """Whether a label lies along a dimension; numbers are all of kind i, u or f."""
    return any(coord.dims == (dim,) and coord.dtype.kind not in "iuf" for coord in result.coords.values())


# How far a value is from the best, by the attribute that says what is best.
_FAR_FROM: Mapping[str, Callable[[Any], Any]] = MappingProxyType(
    {
        "smallest": np.asarray,
        "largest": np.negative,
        "zero": np.abs,
        "one": lambda values: np.abs(np.log(values)),
    }
)


def far_from_best(array: xr.DataArray) -> npt.NDArray[np.float64]:
    """Return how far values are from the best, infinity where they are not finite."""
    values = array.values
    with np.errstate(divide="ignore", invalid="ignore"):
        far = _FAR_FROM[array.attrs.get("best", "smallest")](values)
    # No ratio below zero has a logarithm.
    return np.where(np.isfinite(values) & ~np.isnan(far), far, np.inf)


def best_index(array: xr.DataArray) -> dict[str, int] | None:
    """Find the place of the best finite value; ties go to the first."""
    if not array.ndim:
        return {} if np.isfinite(array.values) else None
    first, rest = str(array.dims[0]), array.sizes[array.dims[0]]
    step = max(1, _SLAB * rest // max(array.size, 1))
    best, at = np.inf, None
    for start in range(0, rest, step):
        values = far_from_best(array.isel({first: slice(start, start + step)}))
        flat = int(values.argmin())
        if values.flat[flat] < best:
            place = np.unravel_index(flat, values.shape)
            best, at = float(values.flat[flat]), dict(zip(map(str, array.dims), map(int, place), strict=True))
            at[first] += start
    return at


def _point(chosen: xr.Dataset, at: dict[str, int], value: str) -> dict[str, Any]:
    here = chosen[summaries(chosen)].isel(at)
    used = {dim: _matters(chosen[value], at, dim) for dim in at}
    record: dict[str, Any] = {}
    for name, coord in chosen.coords.items():
        if coord.ndim > 1 or any(dim not in at for dim in coord.dims):
            continue
        item = coord.isel({dim: at[str(dim)] for dim in coord.dims}).item()
        record[str(name)] = item if all(used[str(dim)] for dim in coord.dims) else None
    return record | {name: float(here[name]) for name in summaries(chosen)}


def _matters(array: xr.DataArray, at: dict[str, int], dim: str) -> bool:
    line = array.isel({other: place for other, place in at.items() if other != dim}).values
    return line.size == 1 or not bool((line == line[0]).all())
