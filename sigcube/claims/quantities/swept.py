"""Numbers that sweeps give: of one model, at one point or at the best of a grid, and of two models system by system."""

import json
from collections.abc import Hashable, Mapping
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import xarray as xr
from pydantic import Field, model_validator

from sigcube.analysis.best import best_index
from sigcube.analysis.labelled import metric_of
from sigcube.claims.as_toml import toml_text
from sigcube.claims.quantities.base import (
    Context,
    Found,
    ModelKeys,
    Quantity,
    ReducedKeys,
    Settings,
    joined_specs,
    system_text,
)
from sigcube.claims.quantities.model_text import model_text
from sigcube.cube import kind_of
from sigcube.errors import SpecError, did_you_mean
from sigcube.model.frames import FRAMES
from sigcube.model.metrics import METRICS
from sigcube.sweep import Sweep

__all__ = ["QUANTITIES", "PairedKeys", "paired"]

# All metrics that rows ask of a kind of cube: readings that take different ones share one sweep, and one loop.
_USUAL: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "galaxy": ("rms", "bias", "chi2_red", "scatter_v", "scatter_g", "scatter_g_rms"),
        "star": ("rms", "bias"),
        "cluster": ("rms", "ratio", "scatter"),
        "landmark": ("ratio", "scatter"),
    }
)


class SweepKeys(ModelKeys, ReducedKeys):
    """A sweep of a kernel over a sample, and what to take of its result."""

    #: A variable of the result, or an axis (with ``best``).
    take: str
    #: As in a sweep's file; the ``settings`` are what is ``fixed`` there. Without ``axes`` the model is evaluated once.
    reference: Settings | None = None
    metrics: list[str] | None = None
    n_fitted: int = 0
    axes: dict[str, Any] = Field(default={})
    #: A summary whose best point on the grid is taken.
    best: str | None = None
    #: A point of the grid, by axis.
    at: Settings = Field(default={})

    @model_validator(mode="after")
    def _win_rate_against_something(self) -> "SweepKeys":
        if self.take == "win_rate" and self.reference is None:
            raise ValueError("win_rate needs a reference")
        return self

    def batch(self) -> Hashable:
        """Keep what compiles the same loop together: labels decide it, numbers do not."""
        labels = {name: value for name, value in self.settings.items() if isinstance(value, str)}
        return ("sweep", self.dataset, self.sample, self.kernel, json.dumps(labels, sort_keys=True))


def sweep(keys: SweepKeys, context: Context) -> Found:
    """Run the sweep, once for all readings that ask for the same, and take a value of it."""
    kind = kind_of(context.cube(keys.dataset)).name
    system_dim = FRAMES[kind].system_dim if kind in FRAMES else None
    metrics = keys.metrics
    if metrics is None:
        asked = {keys.take, keys.best}
        taken = [name for name, each in METRICS.items() if asked & {name, *each.summary_names}]
        metrics = list(dict.fromkeys([*_USUAL.get(kind, ()), *taken]))
    request = {
        "sample": keys.sample,
        "where": keys.condition,
        "kernel": keys.kernel,
        "metrics": metrics,
        "keep": [system_dim] if system_dim else [],
        "dtype": "float64",
        "n_fitted": keys.n_fitted,
        "fixed": keys.settings,
        "reference": keys.reference,
        "axes": keys.axes,
    }
    result = _run(keys.dataset, request, context)
    value = _take(keys, result)
    metric = METRICS.get(metric_of(keys.take))
    details = {
        "take": _in_words(keys),
        "metric": metric.long_name if metric else "",
        "sample": keys.sample_text(context),
        # What varies has no one value.
        **model_text(keys.kernel, keys.settings, kind=kind, free=tuple(keys.axes or ())),
    }
    if keys.reference is not None and "win_rate" in (keys.take, keys.best):
        other = {name: label for name, label in keys.reference.items() if name != "kernel"}
        told = model_text(str(keys.reference["kernel"]), other, kind=kind)
        details |= {"a win": "the RMS over its points is below that of the reference"}
        details |= {f"reference, {key}": text for key, text in told.items()}
    if keys.system is not None:
        details["system"] = system_text(context.cube(keys.dataset), keys.system)
    spec = _spec(keys.dataset, request)
    return Found(value, spec=spec, command="sigcube sweep SPEC.toml", details=details, compares=True)


def _run(dataset: str, request: Mapping[str, Any], context: Context) -> xr.Dataset:
    """Run a sweep, or return the result of an equal one."""
    key = json.dumps([dataset, request], sort_keys=True)
    result: xr.Dataset = context.once(key, lambda: Sweep(context.cube(dataset), **request).compute())
    return result


def _spec(dataset: str, request: Mapping[str, Any]) -> str:
    file = {"cube": f"cubes/{dataset}.zarr", **request}
    return toml_text({key: value for key, value in file.items() if value is not None})


def _take(keys: SweepKeys, result: xr.Dataset) -> float:
    """Find the value that a reading means."""
    known = [str(each) for each in (*result.data_vars, *result.coords)]
    for name in (keys.best, keys.take):
        if name is not None and name not in known:
            raise SpecError(f"the result has no {name!r}", where="take", hint=did_you_mean(name, known))
    chosen = result.sel(keys.at)
    if keys.best is not None:
        index = best_index(chosen[keys.best])
        if index is None:
            raise SpecError("no point of the grid has a finite value", where="best", found=keys.best)
        chosen = chosen.isel(index)
    hint = "name a system, a statistic, the best point, or at which point"
    return keys.reduced(keys.of_system(chosen[keys.take]), keys.take, hint=hint)


def _in_words(keys: SweepKeys) -> str:
    parts = [keys.take]
    if keys.statistic is not None:
        parts.insert(0, f"{keys.statistic_text()} of")
    if keys.system is not None:
        parts.append(f"of {keys.system}")
    if keys.best is not None:
        parts.append(f"where {keys.best} is best")
    if keys.at:
        parts.append("at " + ", ".join(f"{name} = {value}" for name, value in keys.at.items()))
    return " ".join(parts)


class PairedKeys(ModelKeys):
    """A metric of each system under a model and under another."""

    #: The other model: its kernel, and its settings.
    reference: Settings
    #: What both are measured by; less is better.
    metric: str = "rms"
    #: The share of systems where the model's metric is the smaller, or the mean of how much larger it is.
    take: Literal["wins", "difference"] = "wins"
    #: Only these systems.
    systems: list[str] = Field(default_factory=list)

    @model_validator(mode="after")
    def _a_model_to_compare_with(self) -> "PairedKeys":
        if "kernel" not in self.reference:
            raise ValueError("the reference needs a kernel")
        return self

    def batch(self) -> Hashable:
        """Keep what compiles the same loop together."""
        return ("paired", self.dataset, self.sample, self.kernel)


def paired(keys: PairedKeys, context: Context) -> Found:
    """Compare the two models over the systems that are wanted."""
    cube = context.cube(keys.dataset)
    dim = str(kind_of(cube).system_dim)
    other = {name: value for name, value in keys.reference.items() if name != "kernel"}
    requests = [
        {
            "sample": keys.sample,
            "where": keys.condition,
            "kernel": kernel,
            "metrics": [keys.metric],
            "keep": [dim],
            "dtype": "float64",
            "fixed": settings,
        }
        for kernel, settings in ((keys.kernel, keys.settings), (keys.reference["kernel"], other))
    ]
    results = [_run(keys.dataset, request, context) for request in requests]
    names = _wanted(keys, cube, [str(name) for name in results[0][dim].values])
    ours, theirs = (result[keys.metric].sel({dim: names}).values.reshape(len(names)) for result in results)
    both = np.isfinite(ours) & np.isfinite(theirs)
    if not both.any():
        raise SpecError("there is no system to compare", where="systems", found=", ".join(names) or "none")
    ours, theirs = ours[both], theirs[both]
    value = float((ours < theirs).mean() if keys.take == "wins" else (ours - theirs).mean())
    specs = joined_specs([_spec(keys.dataset, request) for request in requests])
    kind = kind_of(cube).name
    reference = model_text(str(keys.reference["kernel"]), other, kind=kind)
    details = {
        "systems": str(int(both.sum())),
        "sample": keys.sample_text(context),
        "take": f"{keys.take} of {keys.metric}",
        **model_text(keys.kernel, keys.settings, kind=kind),
        **{f"reference, {key}": text for key, text in reference.items()},
    }
    return Found(value, spec=specs, command="sigcube sweep SPEC.toml", details=details, compares=True)


def _wanted(keys: PairedKeys, cube: xr.Dataset, names: list[str]) -> list[str]:
    """Return the names of the systems that a row is about, in the order of the cube."""
    dim = str(kind_of(cube).system_dim)
    if unknown := [name for name in keys.systems if name not in names]:
        hint = did_you_mean(unknown[0], names)
        raise SpecError(f"there is no {dim} {unknown[0]!r} here", where="systems", hint=hint)
    return [name for name in names if not keys.systems or name in keys.systems]


QUANTITIES = {
    "sweep": Quantity(SweepKeys, sweep, uses_model=True),
    "paired": Quantity(PairedKeys, paired, uses_model=True),
}
