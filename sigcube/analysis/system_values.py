"""The values of each system behind a summary of a result, and the summary of some of the systems."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.analysis.best import far_from_best, summary_of
from sigcube.analysis.labelled import axes_along, kept_values, parts, system_dim
from sigcube.engine import Engine, evaluate_sums
from sigcube.engine.finish import finish_systems, mean_of_systems, median_of_systems
from sigcube.errors import SpecError
from sigcube.model.metrics import METRICS
from sigcube.model.model import BoundModel
from sigcube.sweep import Sweep

__all__ = ["SystemValues", "rms_at", "sweep_behind", "system_values"]

FloatArray = npt.NDArray[np.float64]

# Values that are read at a time: those of all systems at some points of the grid.
_PART = 2**22

_NEEDS_REFERENCE = "name a [reference]"


@dataclass(frozen=True, eq=False)
class SystemValues:
    """What a summary is made of: a value of each system at each point of a grid.

    Attributes
    ----------
    summary : str
        Name of the summary: ``rms_mean``, ``rms_median``, ``win_rate``.
    attrs : Mapping
        Of the summary.
    array : DataArray
        The metric of each system; lazy, if the result is.
    reference : DataArray or None
        The RMS of each system under the reference: then a value is 1 for a win and 0 for none, and their mean the rate.
    """

    summary: str
    attrs: Mapping[str, Any]
    array: xr.DataArray
    reference: xr.DataArray | None = None

    @property
    def dim(self) -> str:
        """The dimension of systems."""
        return str(system_dim(self.array))

    @property
    def n_systems(self) -> int:
        """Number of systems."""
        return int(self.array.sizes[self.dim])

    @property
    def grid(self) -> dict[str, int]:
        """Lengths of the grid's dimensions."""
        return {str(dim): n for dim, n in self.array.sizes.items() if dim != self.dim}

    def at(self, place: Mapping[str, Any]) -> FloatArray:
        """Return the values at a place of the grid, of shape ``(n_systems, …)``, NaN where there is none."""
        values: Any = self.array.isel(place).variable.load().astype(np.float64)
        if self.reference is not None:
            against = self.reference.isel({dim: i for dim, i in place.items() if dim in self.reference.dims}).variable
            # As where a sweep counts wins: without a finite value of both there is no win and no loss.
            values = (values < against).where(np.isfinite(values) & np.isfinite(against))
        found: FloatArray = values.transpose(self.dim, ...).values
        return found

    def parts(self) -> Iterator[tuple[dict[str, slice], FloatArray]]:
        """Yield parts of the grid, and the values of all systems there, shape ``(n_systems, points)``."""
        for part in parts(self.array, whole=(self.dim,), size=_PART):
            place = {dim: each for dim, each in part.items() if dim != self.dim}
            yield place, self.at(place).reshape(self.n_systems, -1)

    def summarise(self, values: FloatArray) -> FloatArray:
        """Return the summary over systems of values ``(n_systems, n)``, with the bits that a sweep gives it."""
        return (median_of_systems if self.summary.endswith("_median") else mean_of_systems)(values)

    def far(self, summary: FloatArray) -> FloatArray:
        """Return how far values of the summary are from the best."""
        return far_from_best(xr.DataArray(summary, attrs=dict(self.attrs)))

    def over_grid(self, *functions: Callable[[FloatArray], FloatArray]) -> list[FloatArray]:
        """Return functions of the values of all systems, for each point of the grid."""
        found = [np.empty(list(self.grid.values())) for _ in functions]
        for place, values in self.parts():
            there: Any = (*place.values(), ...)
            for whole, function in zip(found, functions, strict=True):
                target = whole[there]
                target[...] = function(values).reshape(target.shape)
        return found


def system_values(result: xr.Dataset, by: str, *, sweep: Sweep | None = None) -> SystemValues:
    """Find what a summary is made of.

    Parameters
    ----------
    result : Dataset
        Of a sweep with ``keep``.
    by : str
        ``"win_rate"``, a metric with ``_mean`` or ``_median``, or a metric of systems, which stands for its mean.
    sweep : Sweep, optional
        The sweep that made the result; only for ``win_rate``, and if the result was not opened from its store.

    Raises
    ------
    SpecError
        For what is not there or not kept, and a summary that is not made of systems.
    """
    if by == "win_rate":
        array, rate = kept_values(result, "rms"), summary_of(result, by)
        return SystemValues(by, rate.attrs, array, _at_grid_of(array, reference_rms(result, sweep)))
    metric = by.removesuffix("_mean").removesuffix("_median")
    array = kept_values(result, metric)
    return SystemValues(f"{metric}_mean" if by == metric else by, array.attrs, array)


def reference_rms(result: xr.Dataset, sweep: Sweep | None) -> xr.DataArray:
    """Compute the RMS of each system under the reference of a sweep, along the axes that the reference follows.

    A result does not hold it, but the points that its sweep saw, and which model the reference is.
    """
    sweep = sweep_behind(result, sweep)
    plan, packed = sweep.plan(probe=False), sweep.packed
    axes, rms = plan.spec.grid.axes, METRICS["rms"]
    found: dict[BoundModel, FloatArray] = {}
    for section in plan.sections:
        model = section.reference
        if model is None:
            raise SpecError("the sweep has no reference, and so no win rate", where="by", hint=_NEEDS_REFERENCE)
        if model not in found:
            swept = {name: next(axis.array for axis in axes if axis.name == name) for name, _ in model.swept}
            sums = evaluate_sums(model, packed, swept)["residual_sq"]
            counts = np.diff(packed.offsets).astype(np.float64)
            values = finish_systems(rms, counts, (sums.reshape(packed.n_systems, -1),))
            found[model] = values.reshape(packed.n_systems, *sums.shape[1:])
    followed = {dim for model in found for dim in model.dims}
    labels = [dim for dim in plan.spec.grid.label_dims if plan.dims[dim] > 1]
    dims = [dim for dim in plan.dims if dim in followed or dim in labels]
    table = xr.DataArray(
        np.empty((packed.n_systems, *(plan.dims[dim] for dim in dims))),
        dims=(str(plan.system_dim), *dims),
        coords={name: each for name, each in plan.coords.items() if each[0] in dims}
        | {str(plan.system_dim): list(packed.systems)},
    )
    for section in plan.sections:
        assert section.reference is not None
        own = xr.DataArray(found[section.reference], dims=(str(plan.system_dim), *section.reference.dims))
        for position in section.positions:
            place = dict(zip(plan.spec.grid.label_dims, position, strict=True))
            table[{dim: i for dim, i in place.items() if dim in dims}] = own
    return table


def sweep_behind(result: xr.Dataset, sweep: Sweep | None) -> Sweep:
    """Return the sweep that made a result: the one that is named, if it is that one, or as its store has it."""
    if sweep is None and "source" in result.encoding:
        return Sweep.from_result(result.encoding["source"])
    if sweep is None:
        raise SpecError(
            "a win rate over other systems needs the RMS of the reference, which a result does not hold",
            where="by",
            hint="open the result from its store with sigcube.open_result, or name the sweep that made it: sweep=",
        )
    if any(result.attrs.get(key) != sweep.plan(probe=False).attrs[key] for key in ("spec", "cube_fingerprint")):
        raise SpecError("this is not the sweep that made the result", where="sweep", found=repr(sweep))
    return sweep


def rms_at(sweep: Sweep, places: Sequence[Mapping[str, Any]]) -> tuple[FloatArray, FloatArray]:
    """Evaluate the model and the reference of a sweep at some points of its grid, for a result that kept no systems.

    Parameters
    ----------
    sweep : Sweep
        With a reference.
    places : sequence of Mapping
        For each point the value or label of every axis.

    Returns
    -------
    rms, against : ndarray
        The RMS of each system under the model and under the reference, shape ``(n_systems, len(places))``.
    """
    plan, packed = sweep.plan(probe=False), sweep.packed
    grid = plan.spec.grid
    if plan.spec.reference is None:
        raise SpecError("the sweep has no reference, and so no win rate", where="by", hint=_NEEDS_REFERENCE)
    sections = {position: section for section in plan.sections for position in section.positions}
    names = {dim: [axis.name for axis in grid.along(dim)] for dim in grid.dims}
    known = {
        dim: {key: i for i, key in enumerate(zip(*(axis.values for axis in grid.along(dim)), strict=True))}
        for dim in grid.dims
    }
    engine, found = Engine(plan, packed), np.empty((2, packed.n_systems, len(places)))
    for i, place in enumerate(places):
        index = {dim: known[dim][tuple(place[name] for name in names[dim])] for dim in grid.dims}
        section = sections[tuple(index[dim] for dim in grid.label_dims)]
        found[0, :, i], found[1, :, i] = engine.rms_at(section, index)
    return found[0], found[1]


def _at_grid_of(array: xr.DataArray, reference: xr.DataArray) -> xr.DataArray:
    """Take from the reference the systems and the values of axes that an array has, by their names and values."""
    place: dict[str, Any] = {}
    for dim in map(str, reference.dims):
        names = axes_along(reference, dim)
        if lost := [name for name in names if name not in array.coords]:
            raise SpecError(f"the result has lost its coordinate {lost[0]!r}", where="by")
        columns = ([np.atleast_1d(each[name].values).tolist() for name in names] for each in (array, reference))
        wanted, known = (list(zip(*each, strict=True)) for each in columns)
        at = {key: i for i, key in enumerate(known)}
        if unknown := [key for key in wanted if key not in at]:
            what = f"{', '.join(names)} = {', '.join(map(str, unknown[0]))} is not in the sweep"
            raise SpecError(what, where="sweep", hint="name the sweep that made the result")
        index = [at[key] for key in wanted]
        place[dim] = index if dim in array.dims else index[0]
    return reference.isel(place)
