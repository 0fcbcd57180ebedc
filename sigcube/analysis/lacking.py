"""Summaries of a result that have no value anywhere: why, and which one has."""

from collections.abc import Iterable

import numpy as np
import xarray as xr

from sigcube.analysis.labelled import count_by_status, loaded, parts, system_dim
from sigcube.plan.values import PointStatus
from sigcube.wording import count, plural

__all__ = ["caution_of_unfinished", "first_with_values", "systems_without_value", "why_no_value"]


def first_with_values(result: xr.Dataset, names: Iterable[str]) -> str:
    """Return the first of some summaries that has a finite value anywhere; the very first if none has."""
    ordered = tuple(names)
    return next((name for name in ordered if _has_value(result[name])), ordered[0])


def _has_value(array: xr.DataArray) -> bool:
    return any(bool(np.isfinite(loaded(array.isel(part)).values).any()) for part in parts(array))


def why_no_value(result: xr.Dataset) -> str:
    """Say why a summary has no value, as far as the result tells: blocks that failed, or points that lack something."""
    if said := _not_computed(result):
        return f"of {plural(result['status'].size, 'grid point')}, {said}: `sigcube status` tells why"
    return str(result.attrs.get("lacking", "the result's status tells why"))


def systems_without_value(result: xr.Dataset) -> list[str]:
    """Name the systems without a value at the first invalid point of the grid; none if the result does not keep them.

    One of them leaves every summary there without a value.
    """
    kept = [name for name, each in result.data_vars.items() if system_dim(each)]
    for part in parts(result["status"]):
        there = np.argwhere(result["status"].isel(part).values == PointStatus.INVALID)
        if kept and there.size:
            at = {dim: part[dim].start + int(i) for dim, i in zip(part, there[0], strict=True)}
            here = loaded(result[kept].isel(at))
            without = np.any([~np.isfinite(here[name].values) for name in kept], axis=0)
            return [str(name) for name in here[system_dim(here)].values[without]]
    return []


def caution_of_unfinished(result: xr.Dataset) -> dict[str, str]:
    """Return a caution for the attributes of an answer if points of the grid were not computed; else nothing.

    What has no value yet cannot be the best, and a label without any looks as if it had been compared and lost.
    """
    if said := _not_computed(result):
        return {
            "caution": f"of {plural(result['status'].size, 'grid point')}, {said}: the answer is of the others alone"
        }
    return {}


def _not_computed(result: xr.Dataset) -> str:
    counts = count_by_status(result)
    without = {"failed": PointStatus.FAILED, "killed their worker": PointStatus.KILLED, "are to do": PointStatus.TODO}
    return ", ".join(f"{count(counts[status])} {words}" for words, status in without.items() if counts[status])
