"""Summaries of a result that have no value anywhere: why, and which one has."""

from collections.abc import Iterable

import numpy as np
import xarray as xr

from sigcube.analysis.labelled import count_by_status, loaded, parts
from sigcube.plan.values import PointStatus
from sigcube.wording import plural

__all__ = ["first_with_values", "why_no_value"]


def first_with_values(result: xr.Dataset, names: Iterable[str]) -> str:
    """Return the first of some summaries that has a finite value anywhere; the very first if none has."""
    ordered = tuple(names)
    return next((name for name in ordered if _has_value(result[name])), ordered[0])


def _has_value(array: xr.DataArray) -> bool:
    return any(bool(np.isfinite(loaded(array.isel(part)).values).any()) for part in parts(array))


def why_no_value(result: xr.Dataset) -> str:
    """Say why a summary has no value, as far as the result tells: blocks that failed, or points that lack something."""
    counts = count_by_status(result)
    without = {"failed": PointStatus.FAILED, "killed their worker": PointStatus.KILLED, "are to do": PointStatus.TODO}
    said = [f"{plural(counts[status], 'grid point')} {words}" for words, status in without.items() if counts[status]]
    if said:
        return f"{', '.join(said)}: `sigcube status` tells why"
    return str(result.attrs.get("lacking", "the result's status tells why"))
