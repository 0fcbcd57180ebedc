"""Numbers that a sweep gives: at one point of a model, or at the best of a grid."""

import json
from collections.abc import Hashable, Mapping
from types import MappingProxyType
from typing import Any

import xarray as xr
from pydantic import Field, model_validator

from sigcube.analysis.best import best_index
from sigcube.claims.as_toml import toml_text
from sigcube.claims.quantities.base import Context, Found, Keys, Quantity
from sigcube.claims.quantities.reductions import reduce
from sigcube.cube import kind_of
from sigcube.errors import SpecError, did_you_mean
from sigcube.model.frames import FRAMES
from sigcube.model.metrics import METRICS
from sigcube.sweep import Sweep

__all__ = ["SWEEPS", "SweepKeys"]

# All that rows ask of a kind of cube, at once: readings that differ in what they take share one sweep, and one loop.
_USUAL: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "galaxy": ("rms", "bias", "chi2_red", "scatter_v", "scatter_g", "scatter_g_rms"),
        "star": ("rms", "bias"),
        "cluster": ("rms", "ratio", "scatter"),
        "landmark": ("ratio", "scatter"),
    }
)
# Two numbers as an axis need not be compiled for one another; this one changes no model.
_CONSTANTS = "constants"


class SweepKeys(Keys):
    """A sweep of a kernel over a sample, and what to take of its result.

    Attributes
    ----------
    dataset, sample, kernel, settings, reference, metrics, fitted, axes
        As in a sweep's file; ``settings`` are its parameters, ``dataset`` is the name of a recipe. Without ``axes`` the
        model is evaluated once.
    take : str
        A variable of the result, or an axis (with ``best``).
    best : str or None
        A summary whose best point on the grid is taken.
    at : dict
        A point of the grid, by axis.
    system : str or None
        The system whose value is taken.
    statistic, within, percentile
        How several values become one: see `sigcube.claims.quantities.reductions.reduce`.
    """

    dataset: str
    kernel: str
    take: str
    sample: str = "all"
    settings: dict[str, str | float] = Field(default={})
    reference: dict[str, str | float] | None = None
    metrics: list[str] | None = None
    fitted: int = 0
    axes: dict[str, Any] = Field(default={})
    best: str | None = None
    at: dict[str, str | float] = Field(default={})
    system: str | None = None
    statistic: str | None = None
    within: list[float] | None = None
    percentile: float = 50.0

    @model_validator(mode="after")
    def _win_rate_against_something(self) -> "SweepKeys":
        if self.take == "win_rate" and self.reference is None:
            raise ValueError("win_rate needs a reference")
        return self

    def company(self) -> Hashable:
        """Keep what compiles the same loop together: labels decide it, numbers do not."""
        labels = {name: value for name, value in self.settings.items() if isinstance(value, str)}
        return ("sweep", self.dataset, self.sample, self.kernel, json.dumps(labels, sort_keys=True))


def sweep(keys: SweepKeys, context: Context) -> Found:
    """Run the sweep, once for all readings that ask for the same, and take a value of it."""
    cube = context.cube(keys.dataset)
    request = _request(keys, kind_of(cube).name)
    result = context.once(_key(keys.dataset, request), lambda: Sweep(cube, **request).compute())
    file = {"cube": f"cubes/{keys.dataset}.zarr", **request}
    return Found(
        _take(keys, result),
        {keys.dataset: str(result.attrs["cube_fingerprint"])},
        toml_text({key: value for key, value in file.items() if value is not None}),
        "sigcube sweep SPEC.toml",
        {"take": _in_words(keys)},
    )


def _key(dataset: str, request: Mapping[str, Any]) -> str:
    return json.dumps([dataset, request], sort_keys=True)


def _request(keys: SweepKeys, kind: str) -> dict[str, Any]:
    """Return the arguments of the sweep, always in the same form."""
    settings = dict(keys.settings)
    axes = dict(keys.axes) or {_CONSTANTS: [settings.pop(_CONSTANTS, "paper")]}
    system_dim = FRAMES[kind].system_dim if kind in FRAMES else None
    return {
        "sample": keys.sample,
        "kernel": keys.kernel,
        "metrics": _metrics(keys, kind),
        "keep": [system_dim] if system_dim else [],
        "dtype": "float64",
        "fitted": keys.fitted,
        "parameters": settings,
        "reference": keys.reference,
        "axes": axes,
    }


def _metrics(keys: SweepKeys, kind: str) -> list[str]:
    """Return the metrics that are usual for the kind, with the one that is taken."""
    if keys.metrics is not None:
        return keys.metrics
    usual = list(_USUAL.get(kind, ()))
    wanted = [name for name in METRICS if keys.take in (name, f"{name}_mean", f"{name}_median")]
    return list(dict.fromkeys([*usual, *wanted]))


def _take(keys: SweepKeys, result: xr.Dataset) -> float:
    """Find the value that a reading means."""
    chosen = result.sel({name: value for name, value in keys.at.items()})
    if keys.best is not None:
        place = best_index(_variable(chosen, keys.best))
        if place is None:
            raise SpecError("no point of the grid has a finite value", where="best", found=keys.best)
        chosen = chosen.isel(place)
    values = _variable(chosen, keys.take)
    if keys.system is not None:
        values = _of_system(values, keys.system)
    if keys.statistic is not None:
        return reduce(values.values, keys.statistic, within=keys.within, percentile=keys.percentile)
    if values.size != 1:
        hint = "name a system, a statistic, the best point, or at which point"
        raise SpecError(f"{keys.take} has {values.size} values here", where="take", hint=hint)
    return float(values.values.ravel()[0])


def _variable(result: xr.Dataset, name: str) -> xr.DataArray:
    known = [str(each) for each in (*result.data_vars, *result.coords)]
    if name not in known:
        raise SpecError(f"the result has no {name!r}", where="take", hint=did_you_mean(name, known))
    return result[name]


def _of_system(values: xr.DataArray, system: str) -> xr.DataArray:
    dims = [dim for dim in values.dims if dim in ("galaxy", "cluster", "landmark")]
    if not dims:
        raise SpecError(f"{values.name} has no value of each system", where="system", found=system)
    names = [str(name) for name in values[dims[0]].values]
    if system not in names:
        raise SpecError(f"there is no {dims[0]} {system!r} here", where="system", hint=did_you_mean(system, names))
    return values.isel({dims[0]: names.index(system)})


def _in_words(keys: SweepKeys) -> str:
    """Say what of the result is taken."""
    parts = [keys.take]
    if keys.statistic is not None:
        ends = f" within {keys.within[0]:g} to {keys.within[1]:g}" if keys.within else ""
        rank = f" {keys.percentile:g}" if keys.statistic == "percentile" else ""
        parts.insert(0, f"{keys.statistic}{rank}{ends} of")
    if keys.system is not None:
        parts.append(f"of {keys.system}")
    if keys.best is not None:
        parts.append(f"where {keys.best} is best")
    if keys.at:
        parts.append("at " + ", ".join(f"{name} = {value}" for name, value in keys.at.items()))
    return " ".join(parts)


SWEEPS: Mapping[str, Quantity] = MappingProxyType({"sweep": Quantity(SweepKeys, sweep)})
