"""What a page says its numbers rest on, below its cards."""

from collections.abc import Iterable, Mapping
from typing import Any

import xarray as xr

from sigcube.explore.style import record

__all__ = ["notes_of"]

#: What results repeat of their data and of what was asked of them; the citation comes last.
_FROM_DATA = ("cube", "sample", "where", "error_floor", "errors", "lacking", "citation")


def notes_of(result: xr.Dataset, *, also: Iterable[str] = ()) -> dict[str, str]:
    """Return where the numbers of a sweep, a fit or a posterior come from, as far as it says.

    Parameters
    ----------
    result : Dataset
        The sweep, the fit or the posterior.
    also : iterable of str
        Further attributes to name.
    """
    notes = {name.replace("_", " "): str(result.attrs.get(name, "")) for name in (*_FROM_DATA, *also)}
    spec, versions = record(result, "spec"), record(result, "versions")
    # "parameters" in results of earlier versions.
    held, models = spec.get("fixed", spec.get("parameters", {})), spec.get("models", {})
    if isinstance(models, list):
        # A fit has its models in a list, each with what it holds.
        models = {str(one.get("name")): one for one in models if isinstance(one, Mapping)}
    kernels = [str(_in(one, "kernel") or name) for name, one in models.items()] if isinstance(models, Mapping) else []
    notes["kernel"] = str(spec.get("kernel") or ", ".join(dict.fromkeys(kernels)))
    told = _told(held)
    if isinstance(models, Mapping):
        told += [f"{name}: {each}" for name, one in models.items() for each in _told(_in(one, "fixed"))]
    notes["held fixed"] = ", ".join(told)
    reference = spec.get("reference")
    if isinstance(reference, Mapping):
        against = {name: value for name, value in reference.items() if name != "kernel"}
        notes["reference"] = ", ".join([str(reference.get("kernel", "")), *_told(against)])
    notes["made by"] = f"sigcube {versions['sigcube']}" if "sigcube" in versions else ""
    return {name: text for name, text in notes.items() if text}


def _in(table: Any, key: str) -> Any:
    return table.get(key) if isinstance(table, Mapping) else None


def _told(table: Any) -> list[str]:
    return [f"{name} = {value}" for name, value in table.items()] if isinstance(table, Mapping) else []
