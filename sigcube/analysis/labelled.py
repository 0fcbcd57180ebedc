"""What questions to a result share: its dimensions, the axes along them, places on them, and reading in parts."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any

import numpy as np
import xarray as xr

from sigcube.cube import KINDS
from sigcube.errors import SigcubeError, SpecError, StoreError, did_you_mean, shown
from sigcube.model.metrics import METRICS
from sigcube.plan.identity import SECTION
from sigcube.plan.values import PointStatus
from sigcube.wording import number

__all__ = [
    "about",
    "axes_along",
    "check_array",
    "check_result",
    "check_whole_sample",
    "chunk_length",
    "count_by_status",
    "find_dim",
    "find_position",
    "flat_numbers",
    "grid_dims",
    "is_label",
    "kept_values",
    "label_dims",
    "list_of_names",
    "loaded",
    "metric_of",
    "parts",
    "place_text",
    "random_numbers",
    "system_dim",
]

# Values that are read at a time, unless a chunk has more.
_PART = 2**20

_SYSTEM_DIMS = frozenset(str(kind.system_dim) for kind in KINDS.values() if kind.system_dim)


def system_dim(data: xr.DataArray | xr.Dataset) -> str | None:
    """Return the dimension of systems, ``galaxy`` say; None where there is none."""
    return next((str(dim) for dim in data.dims if dim in _SYSTEM_DIMS), None)


def grid_dims(data: xr.DataArray | xr.Dataset) -> tuple[str, ...]:
    """Return the dimensions of the grid, in their order: all but that of systems."""
    return tuple(str(dim) for dim in data.dims if dim not in _SYSTEM_DIMS)


def axes_along(data: xr.DataArray | xr.Dataset, dim: str) -> list[str]:
    """Name the axes along a dimension, that of its own name first."""
    names = [str(name) for name, coord in data.coords.items() if coord.dims == (dim,) and name != SECTION]
    return sorted(names, key=lambda name: name != dim)


def is_label(coord: xr.DataArray) -> bool:
    """Whether an axis holds labels, not numbers."""
    return coord.dtype.kind not in "iuf"


def label_dims(data: xr.DataArray | xr.Dataset) -> list[str]:
    """Name the dimensions along which a label changes."""
    return [dim for dim in grid_dims(data) if any(is_label(data[name]) for name in axes_along(data, dim))]


def check_array(array: xr.DataArray) -> None:
    """Refuse what is not one array of numbers."""
    if not isinstance(array, xr.DataArray) or array.dtype.kind not in "iuf":
        found = str(array.dtype) if isinstance(array, xr.DataArray) else type(array).__name__
        raise SpecError("this question is asked of one array of numbers", found=found, hint="such as result.rms_mean")
    _check_not_empty(array)


def check_result(result: xr.Dataset) -> None:
    """Refuse what is not the result of a sweep, one of which nothing is left, and one that lost its form.

    Raises
    ------
    SpecError
        For these, with a selection that keeps the form.
    """
    kind = result.attrs.get("kind") if isinstance(result, xr.Dataset) else None
    other = "a fit" if kind == "fit" else f"a {kind} cube" if kind in KINDS else None
    if not isinstance(result, xr.Dataset) or other is not None:
        of_fits = "a fit is summarised by sigcube.analysis.model_summary, and shown by `sigcube map`"
        raise SpecError(
            "this question is asked of the result of a sweep",
            found=other or type(result).__name__,
            hint=of_fits if kind == "fit" else "as sigcube.open_result opens it",
        )
    _check_not_empty(result)
    _check_not_reshaped(result)


def _check_not_reshaped(result: xr.Dataset) -> None:
    """Refuse a result without the dimension of its systems, or whose values of the grid were spread over them."""
    dim = system_dim(result) or next((dim for dim in sorted(_SYSTEM_DIMS) if dim in result.coords), "galaxy")
    of_one = [name for name, each in result.data_vars.items() if f"{name}_mean" in result and not system_dim(each)]
    if of_one or (dim in result.coords and not result[dim].ndim):
        raise SpecError(
            f"the result has lost its dimension {dim!r}, and its summaries are of all systems",
            where=dim,
            found=shown(result[dim].item()) if dim in result.coords else None,
            hint=f"select by a list, which keeps it: .sel({dim}=[...])",
        )
    if "status" in result and system_dim(result["status"]):
        raise SpecError(
            "values of the grid were spread over systems, as Dataset.where does with a condition on systems",
            where="status",
            found=f"over {', '.join(map(str, result['status'].dims))}",
            hint=f"give the condition to sigcube.analysis.reselect instead, or names to .sel({dim}=[...])",
        )


def check_whole_sample(result: xr.Dataset) -> None:
    """Refuse a result of whose systems some were selected: its summaries are still of all.

    Raises
    ------
    SpecError
        With both numbers of systems.
    """
    dim = system_dim(result)
    if dim is None or result.sizes[dim] == (n := int(result.attrs.get("n_systems", result.sizes[dim]))):
        return
    raise SpecError(
        "the summaries of the result are of all systems of its sweep, and not of those selected",
        where=dim,
        found=f"{result.sizes[dim]:,}",
        expected=f"{n:,}",
        hint="summarise the selected ones: sigcube.analysis.reselect(result, names)",
    )


def _check_not_empty(data: xr.DataArray | xr.Dataset) -> None:
    if empty := [str(dim) for dim, n in data.sizes.items() if n == 0]:
        found = f"no value of {empty[0]!r}"
        raise SpecError("nothing is left of the result", where=empty[0], found=found, hint="select at least one")


def random_numbers(seed: Any) -> np.random.Generator:
    """Return the random numbers of a seed.

    Raises
    ------
    SpecError
        For what is no seed.
    """
    try:
        return np.random.default_rng(seed)
    except (TypeError, ValueError):
        expected = "a whole number of 0 or more"
        raise SpecError("this is no seed", where="seed", found=shown(seed), expected=expected) from None


def list_of_names(given: Any, *, where: str) -> list[str]:
    """Return names that were given as a list, or as an array of texts.

    Raises
    ------
    SpecError
        For one text, whose letters would be taken for names, for what is no list of names, and for none.
    """
    sequence = not isinstance(given, str | bytes | Mapping) and (
        isinstance(given, Iterable) and getattr(given, "ndim", 1) == 1
    )
    names = [each.item() if isinstance(each, xr.DataArray) else each for each in given] if sequence else []
    if not names or not all(isinstance(each, str) for each in names):
        expected = shown([given]) if isinstance(given, str) else "names of one or more"
        raise SpecError(f"{where} are a list of names", where=where, found=shown(given), expected=expected)
    return [str(each) for each in names]


def find_dim(data: xr.DataArray | xr.Dataset, name: str, *, where: str = "axis") -> str:
    """Return the dimension of the grid along which an axis lies.

    Raises
    ------
    SpecError
        For an axis that is not there.
    """
    dims = grid_dims(data)
    homes = {axis: dim for dim in dims for axis in axes_along(data, dim)} | {dim: dim for dim in dims}
    if name not in homes:
        held = name in data.coords and data[name].ndim == 0
        hint = f"it is held at {data[name].item()}" if held else did_you_mean(name, homes)
        raise SpecError(f"there is no axis {name!r} here", where=where, hint=hint)
    return homes[name]


def find_position(data: xr.DataArray | xr.Dataset, name: str, value: Any, *, where: str) -> tuple[str, int]:
    """Return the dimension of an axis, and where on it a value or a label lies.

    Raises
    ------
    SpecError
        For an axis that is not there, and a value outside the grid or between its values.
    """
    dim = find_dim(data, name, where=where)
    where = f"{where}.{name}"
    if name not in data.coords:
        raise SpecError(f"{name!r} has no values: several axes lie along it", where=where, hint="name one of them")
    values = data[name].values
    if is_label(data[name]):
        if value not in values:
            raise SpecError(f"{name} has no label {value!r}", where=where, hint=did_you_mean(value, map(str, values)))
        return dim, int(np.flatnonzero(values == value)[0])
    if isinstance(value, bool | str) or not np.isscalar(value):
        raise SpecError(f"{name} takes numbers", where=where, found=repr(value))
    at = int(np.abs(values - value).argmin())
    # Values of a linspace differ from what one types in the last digit.
    if not np.isclose(values[at], value, rtol=1e-9, atol=0.0):
        found = f"{values.min():g} to {values.max():g} in {values.size}"
        raise SpecError(f"{name} has no value {value!r}", where=where, found=found, hint=f"the nearest: {values[at]!s}")
    return dim, at


def place_text(data: xr.DataArray | xr.Dataset, dim: str, index: int) -> str:
    """Name a place on a dimension in few words: ``power``, or where axes vary together ``power, k = 0.5``.

    Of several axes, the one with the most values comes first. Beside labels, others are named where they are not as at
    most places; of numbers alone, the first stands for all.
    """
    columns = {name: data[name].values for name in axes_along(data, dim)}
    order = sorted(columns, key=lambda name: -len(set(columns[name].tolist())))
    if not order:
        return str(index)
    if not any(is_label(data[name]) for name in order):
        value = number(columns[order[0]][index])
        return f"{order[0]} = {value} …" if len(order) > 1 else value
    texts = [number(columns[order[0]][index])]
    for name in order[1:]:
        values = columns[name].tolist()
        if 2 * values.count(values[index]) <= len(values):
            value = number(values[index])
            texts.append(value if is_label(data[name]) else f"{name} = {value}")
    return ", ".join(texts)


def metric_of(summary: str) -> str:
    """Return the metric of systems that a summary is made of, by their names."""
    return summary.removesuffix("_sum").removesuffix("_mean").removesuffix("_median")


def kept_values(result: xr.Dataset, metric: str) -> xr.DataArray:
    """Return the values of a metric for each system.

    Raises
    ------
    SpecError
        For a metric that is not of systems, or whose values were not kept, and for what is no name.
    """
    check_result(result)
    if not isinstance(metric, str):
        raise SpecError(
            "a metric is asked for by its name", where="metric", found=shown(metric), expected="such as 'rms'"
        )
    kept = [str(name) for name, each in result.data_vars.items() if system_dim(each)]
    if metric in kept:
        return result[metric]
    base = metric_of(metric)
    kind = json.loads(result.attrs.get("spec", "{}")).get("kind", "galaxy")
    dim = KINDS[kind].system_dim if kind in KINDS else "galaxy"
    if f"{metric}_mean" in result.data_vars:
        what, hint = f"the result does not hold the {metric!r} of each {dim}", f'sweep again with keep = ["{dim}"]'
    elif metric in result.data_vars and base != metric:
        what, hint = f"{metric!r} has no value for each system", f"ask for {base!r}"
    elif metric in result.data_vars:
        what = f"{metric!r} is of all points together, and not made of the values of systems"
        hint = did_you_mean("", [name for name in kept if "best" in result[name].attrs])
    else:
        metrics = [name for name in kept if "best" in result[name].attrs]
        what, hint = f"the result has no metric {metric!r}", did_you_mean(metric, metrics)
        if metric in METRICS:
            if METRICS[metric].logarithm:
                # What is asked of ln L cannot be asked of others.
                metrics = [name for name in metrics if result[name].attrs.get("scale") == "logarithm"]
            again = f"sweep again with {metric!r} among the metrics"
            # Stars are one system, whose value is the summary.
            again += f', and keep = ["{dim}"]' if dim else ""
            hint = f"ask for {' or '.join(metrics)}, or {again}" if metrics else again
    raise SpecError(what, where="by", hint=hint)


def parts(array: xr.DataArray, *, whole: Iterable[str] = (), size: int | None = None) -> Iterator[dict[str, slice]]:
    """Cut an array into parts of whole chunks, each read once: as many as make a part of some size, at least one.

    Dimensions that are to stay `whole` are not cut.
    """
    sizes = {str(dim): n for dim, n in array.sizes.items()}
    lengths = {dim: n if dim in whole else min(n, chunk_length(array, dim)) for dim, n in sizes.items()}
    for dim in reversed(sizes):
        most = (_PART if size is None else size) // max(1, prod(lengths.values()))
        lengths[dim] = min(sizes[dim], lengths[dim] * max(1, most))
    cuts = ([slice(i, min(i + lengths[dim], n)) for i in range(0, n, lengths[dim])] for dim, n in sizes.items())
    return (dict(zip(sizes, cut, strict=True)) for cut in product(*cuts))


def flat_numbers(local: Any, part: Mapping[str, slice], sizes: Sequence[int]) -> Any:
    """Turn numbers of values in a part of a grid into their numbers in the whole, both counted in the order of C."""
    lengths = [each.stop - each.start for each in part.values()]
    index = np.unravel_index(local, lengths) if part else ()
    starts = [each.start for each in part.values()]
    return np.ravel_multi_index([i + start for i, start in zip(index, starts, strict=True)], sizes) if part else local


def loaded(array: xr.DataArray | xr.Dataset) -> Any:
    """Load values of a result.

    Raises
    ------
    StoreError
        When they cannot be read from the store.
    """
    try:
        return array.load()
    except SigcubeError:
        raise
    except (OSError, RuntimeError, ValueError) as error:
        # What codecs raise for a damaged chunk, which they do not document.
        found = f"{type(error).__name__}: {error}"
        hint = "`sigcube verify` tells what is damaged, and repairs it"
        raise StoreError("values of the result cannot be read", found=found, hint=hint) from error


def chunk_length(array: xr.DataArray, dim: str) -> int:
    """Return the length of a chunk of a Dask array or of what is read from disk; 1 in memory, where any is good."""
    if array.chunks is not None:
        return int(array.chunksizes[dim][0])
    return int(array.encoding.get("preferred_chunks", {}).get(dim, 1))


def count_by_status(result: xr.Dataset) -> dict[PointStatus, int]:
    """Return how many points of the grid ended in each way; of a result without a status, none."""
    counts = np.zeros(256, dtype=np.int64)
    if "status" in result:
        for part in parts(result["status"]):
            # Dataset.where makes numbers of it that may be missing, and what is missing has no value.
            values = np.nan_to_num(result["status"].isel(part).values.ravel()).astype(np.uint8)
            counts += np.bincount(values, minlength=counts.size)
    return {status: int(counts[status]) for status in PointStatus}


def shared_values(result: xr.Dataset, status: PointStatus) -> dict[str, Any]:
    """Return the values that all points of the grid that ended so have in common, by axis; of axes with one, none."""
    dims = [dim for dim in map(str, result["status"].dims) if result.sizes[dim] > 1]
    found = {dim: np.zeros(result.sizes[dim], dtype=bool) for dim in dims}
    for part in parts(result["status"]):
        there = result["status"].isel(part) == status
        for dim in dims:
            found[dim][part[dim]] |= there.any([other for other in there.dims if other != dim]).values
    return {
        name: result[name].values[found[dim]][0]
        for dim in dims
        if found[dim].sum() == 1
        for name in axes_along(result, dim)
    }


def about(long_name: str, units: object = "", **attrs: Any) -> dict[str, Any]:
    """Return the attributes of a variable that an answer has."""
    return {"units": units, "long_name": long_name, "source": "sigcube", **attrs}
