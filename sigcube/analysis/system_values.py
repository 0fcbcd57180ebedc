"""The values of each system behind a summary of a result, and the summary of some of the systems."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.analysis.best import far_from_best, find_summary
from sigcube.analysis.labelled import axes_along, kept_values, metric_of, parts, system_dim
from sigcube.cube import Packed
from sigcube.engine import Engine, evaluate_sums
from sigcube.engine.finish import finish_systems, mean_of_systems, median_of_systems
from sigcube.errors import SpecError, StoreMismatch
from sigcube.model.metrics import METRICS
from sigcube.model.model import BoundModel
from sigcube.plan.grid import Grid
from sigcube.plan.plan import Plan
from sigcube.store import journal_folder
from sigcube.sweep import Sweep

__all__ = ["SystemValues", "check_stored", "rms_at", "sweep_behind", "system_values"]

FloatArray = npt.NDArray[np.float64]

# The number of values read at a time: those of all systems at some points of the grid.
_PART = 2**22

_NEEDS_REFERENCE = "name a [reference]"


@dataclass(frozen=True, eq=False)
class SystemValues:
    """The values behind a summary: one for each system at each point of a grid.

    Attributes
    ----------
    summary : str
        Name of the summary: ``rms_mean``, ``rms_median``, ``win_rate``.
    attrs : Mapping
        Attributes of the summary.
    array : DataArray
        The metric of each system; lazy, if the result is.
    reference : DataArray or None
        The RMS of each system under the reference, if any: a value is then 1 for a win and 0 for none, and their mean
        the rate.
    sweep : Sweep or None
        The sweep of that reference.
    """

    summary: str
    attrs: Mapping[str, Any]
    array: xr.DataArray
    reference: xr.DataArray | None = None
    sweep: Sweep | None = None

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
        if self.reference is None:
            found: FloatArray = self.array.isel(place).transpose(self.dim, ...).values.astype(np.float64)
            return found
        rms, against = self.pair(place)
        # As in a sweep: without a finite value of both, there is no win and no loss.
        return np.where(np.isfinite(rms) & np.isfinite(against), rms < against, np.nan)

    def pair(self, place: Mapping[str, Any]) -> tuple[FloatArray, FloatArray]:
        """Return the RMS under the model and under the reference at a place, each of shape ``(n_systems, …)``.

        They compare as in a sweep: where the model's RMS was kept as float32, and is so close to the reference's that
        rounding would decide, the model is evaluated again.
        """
        assert self.reference is not None
        assert self.sweep is not None
        here = self.array.isel(place).transpose(self.dim, ...)
        rms = np.array(here.values, dtype=np.float64, order="C")
        reference = self.reference.isel({dim: i for dim, i in place.items() if dim in self.reference.dims}).variable
        wide = reference.set_dims(dict(here.sizes))  # type: ignore[no-untyped-call]
        against: FloatArray = wide.transpose(*here.dims).values
        if self.array.dtype == np.float32:
            with np.errstate(invalid="ignore", over="ignore"):
                close = np.abs(rms - against) <= np.spacing(np.abs(against).astype(np.float32))
            points = np.flatnonzero(close.reshape(len(rms), -1).any(axis=0))
            if points.size:
                rms.reshape(len(rms), -1)[:, points] = _evaluate_again(self.sweep, here, points)
        return rms, against

    def check(self, stored: FloatArray, now: FloatArray) -> None:
        """Refuse a summary whose values differ from the stored ones, if it is of all systems of the sweep.

        Raises
        ------
        StoreMismatch
            Where both are finite, and differ by more than the rounding of what was kept.
        """
        if self.sweep is None or self.n_systems != self.sweep.packed.n_systems:
            return
        rounded = self.array.dtype == np.float32 and self.summary != "win_rate"
        check_stored(stored, now, self.summary, rtol=1e-6 if rounded else 1e-9)

    def parts(self) -> Iterator[tuple[dict[str, slice], FloatArray]]:
        """Yield parts of the grid, and the values of all systems there, shape ``(n_systems, points)``."""
        for part in parts(self.array, whole=(self.dim,), size=_PART):
            place = {dim: each for dim, each in part.items() if dim != self.dim}
            yield place, self.at(place).reshape(self.n_systems, -1)

    def summarise(self, values: FloatArray) -> FloatArray:
        """Return the summary over systems of values ``(n_systems, n)``, with the bits that a sweep gives it."""
        if self.summary.endswith("_sum"):
            return mean_of_systems(values) * len(values)
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
    """Find the values behind a summary.

    Parameters
    ----------
    result : Dataset
        Of a sweep with ``keep``.
    by : str
        ``"win_rate"``, a metric with ``_mean``, ``_median`` or ``_sum``, or a metric of systems, for its mean.
    sweep : Sweep, optional
        The sweep that made the result: needed for ``win_rate`` if the result was not opened from its store.

    Raises
    ------
    SpecError
        For a summary that is unknown or not made of systems, or whose values were not kept.
    """
    if by == "win_rate" and "rms_mean" not in result and "loglike_mean" in result:
        hint = "sweep with metrics = ['rms', 'loglike'], which compares them by RMS"
        raise SpecError("the reference is compared by ln L, which no question reads again", where="by", hint=hint)
    if by == "win_rate":
        array, rate = kept_values(result, "rms"), result[find_summary(result, by)]
        sweep = sweep_behind(result, sweep)
        return SystemValues(by, rate.attrs, array, _at_grid_of(array, reference_rms(sweep)), sweep)
    metric = by if by in result and system_dim(result[by]) else metric_of(by)
    array = kept_values(result, metric)
    return SystemValues(f"{metric}_mean" if by == metric else by, array.attrs, array)


def check_stored(stored: FloatArray, now: FloatArray, name: str, *, rtol: float) -> None:
    """Refuse values of a summary that differ from the stored ones, where both are finite."""
    both = np.isfinite(stored) & np.isfinite(now)
    was, found = stored[both], now[both]
    # What is near zero by cancellation is as uncertain as what cancels; accelerations are all of 1e-10 m/s².
    if np.allclose(found, was, rtol=rtol, atol=rtol * np.abs(was).max(initial=0.0)):
        return
    worst = np.abs(found - was).argmax()
    raise StoreMismatch(
        "the model and its reference give other values now than when the result was written",
        where=name,
        found=f"{found[worst]:g}",
        expected=f"{was[worst]:g}",
        hint="use the version of sigcube that made it: see its attribute 'versions'",
    )


def reference_rms(sweep: Sweep) -> xr.DataArray:
    """Compute the RMS of each system under the reference of a sweep, along the axes that the reference follows.

    A result does not hold it, but it holds the points of the sweep, and names the reference.
    """
    plan, packed = sweep.plan(probe=False), sweep.packed
    found: dict[BoundModel, FloatArray] = {}
    for section in plan.sections:
        model = section.reference
        if model is None:
            raise SpecError("the sweep has no reference, and so no win rate", where="by", hint=_NEEDS_REFERENCE)
        if model not in found:
            found[model] = _rms(model, packed, _swept(model, plan.spec.grid), model.dims)
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
    """Return the sweep that made a result: the given one, if it is, or the one in its store.

    Raises
    ------
    SpecError
        For another sweep, and for none where no store holds one that can be read without its maker's own code.
    """
    source = result.encoding.get("source")
    # A copy that xarray wrote has no journal.
    if sweep is None and source and journal_folder(source).is_dir():
        try:
            return Sweep.from_result(source)
        except SpecError as error:
            hint = "name the sweep that made the result: sweep="
            raise SpecError(error.what, where=error.where, found=error.found, hint=hint) from None
    if sweep is None:
        raise SpecError(
            "a win rate over other systems needs the RMS of the reference, which a result does not hold",
            where="by",
            hint="open the result from its store with sigcube.open_result, or name the sweep that made it: sweep=",
        )
    if any(result.attrs.get(key) != sweep.plan(probe=False).attrs[key] for key in ("spec", "cube_fingerprint")):
        raise SpecError("this is not the sweep that made the result", where="sweep", found=repr(sweep))
    return sweep


def rms_at(
    sweep: Sweep, places: Sequence[Mapping[str, Any]], *, on_progress: Callable[[int, int], None] | None = None
) -> tuple[FloatArray, FloatArray]:
    """Evaluate the model and the reference of a sweep at some points of its grid, for a result that kept no systems.

    Parameters
    ----------
    sweep : Sweep
        With a reference.
    places : sequence of Mapping
        For each point the value or label of every axis.
    on_progress : callable, optional
        Called with the number of points that are done, and their total.

    Returns
    -------
    rms, against : ndarray
        The RMS of each system under the model and under the reference, shape ``(n_systems, len(places))``.

    Raises
    ------
    SpecError
        If the sweep has no reference, or a point is not in it.
    """
    plan, packed = sweep.plan(probe=False), sweep.packed
    grid = plan.spec.grid
    if plan.spec.reference is None:
        raise SpecError("the sweep has no reference, and so no win rate", where="by", hint=_NEEDS_REFERENCE)
    numbers = _numbers(grid, {axis.name: [place[axis.name] for place in places] for axis in grid.axes})
    engine, found, done = Engine(plan, packed), np.empty((2, packed.n_systems, len(places))), 0
    section_of = _sections_at(plan, numbers, len(places))
    tell = on_progress or (lambda _done, _total: None)
    tell(done, len(places))
    for each in np.unique(section_of):
        own = np.flatnonzero(section_of == each)
        index = {dim: numbers[dim][own] for dim in grid.dims}
        for here, *values in engine.rms_at(plan.sections[each], index):
            found[:, :, own[here]] = values
            done += here.size
            tell(done, len(places))
    return found[0], found[1]


def _sections_at(plan: Plan, numbers: Mapping[str, npt.NDArray[np.intp]], n_points: int) -> npt.NDArray[np.intp]:
    """Return the number of the section to which each of some points of a grid belongs."""
    sections = {position: i for i, section in enumerate(plan.sections) for position in section.positions}
    labels = [numbers[dim].tolist() for dim in plan.spec.grid.label_dims]
    return np.array([sections[tuple(each[i] for each in labels)] for i in range(n_points)], dtype=np.intp)


def _evaluate_again(sweep: Sweep, here: xr.DataArray, points: npt.NDArray[np.intp]) -> FloatArray:
    """Evaluate the model at some points of an array ``(n_systems, …)``, of which they are flat numbers.

    It goes row by row, along the dimension in which the points differ most: model and reference are equal on lines or
    planes of the grid. The values have the bits of the sweep, which do not depend on such cuts.
    """
    plan, packed = sweep.plan(probe=False), sweep.packed
    grid, index = plan.spec.grid, dict[str, npt.NDArray[np.intp]]()
    if here.ndim > 1:
        index = dict(zip(map(str, here.dims[1:]), np.unravel_index(points, here.shape[1:]), strict=True))
    columns: dict[str, Any] = {}
    for name in (axis.name for axis in grid.axes):
        if name not in here.coords:
            raise SpecError(f"the result has lost its coordinate {name!r}", where="by")
        coord = here[name].variable
        values = coord.values[tuple(index[str(dim)] for dim in coord.dims)]
        columns[name] = np.broadcast_to(values, points.shape).tolist()
    numbers = _numbers(grid, columns)
    section_of = _sections_at(plan, numbers, points.size)
    found = np.empty((packed.n_systems, points.size))
    for section in np.unique(section_of):
        model, own = plan.sections[section].model, np.flatnonzero(section_of == section)
        order = sorted(model.dims, key=lambda dim: np.unique(numbers[dim][own]).size)
        outer = np.array([numbers[dim][own] for dim in order[:-1]]).reshape(-1, own.size)
        row_of = np.unique(outer, axis=1, return_inverse=True)[1].ravel() if outer.size else np.zeros_like(own)
        for row in range(row_of.max() + 1):
            at = own[row_of == row]
            here_only = {dim: numbers[dim][at[:1]] for dim in order[:-1]}
            inverse: npt.NDArray[np.intp] = np.zeros(at.size, dtype=np.intp)
            if order:
                here_only[order[-1]], inverse = np.unique(numbers[order[-1]][at], return_inverse=True)
            values = _rms(model, packed, _swept(model, grid, here_only), tuple(order))
            found[:, at] = values.reshape(packed.n_systems, -1)[:, inverse]
    rows = {name: i for i, name in enumerate(packed.systems)}
    return found[[rows[name] for name in here[here.dims[0]].values.tolist()]]


def _rms(model: BoundModel, packed: Packed, swept: Mapping[str, FloatArray], order: tuple[str, ...]) -> FloatArray:
    """Return the RMS of each system under a model, shape ``(n_systems, *lengths of order)``."""
    sums = evaluate_sums(model, packed, swept, order=order)["residual_sq"]
    counts = np.diff(packed.offsets).astype(np.float64)
    values = finish_systems(METRICS["rms"], counts, (sums.reshape(packed.n_systems, -1),))
    return values.reshape(packed.n_systems, *sums.shape[1:])


def _swept(
    model: BoundModel, grid: Grid, at: Mapping[str, npt.NDArray[np.intp]] | None = None
) -> dict[str, FloatArray]:
    """Return the values of what a model sweeps: all, or those at some places of each dimension."""
    arrays = {axis.name: axis.array for axis in grid.axes if not axis.is_label}
    return {name: arrays[name] if at is None else arrays[name][at[dim]] for name, dim in model.swept}


def _numbers(grid: Grid, columns: Mapping[str, Sequence[Any]]) -> dict[str, npt.NDArray[np.intp]]:
    """Find the places along each dimension of a grid at which points lie, from their values of every axis."""
    found: dict[str, npt.NDArray[np.intp]] = {}
    for dim in grid.dims:
        axes = grid.along(dim)
        known = {key: i for i, key in enumerate(zip(*(axis.values for axis in axes), strict=True))}
        wanted = list(zip(*(columns[axis.name] for axis in axes), strict=True))
        if unknown := [key for key in wanted if key not in known]:
            raise _unknown([axis.name for axis in axes], unknown[0])
        found[dim] = np.array([known[key] for key in wanted], dtype=np.intp)
    return found


def _unknown(names: Sequence[str], values: Sequence[Any]) -> SpecError:
    what = f"{', '.join(names)} = {', '.join(map(str, values))} is not in the sweep"
    return SpecError(what, where="sweep", hint="name the sweep that made the result")


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
            raise _unknown(names, unknown[0])
        index = [at[key] for key in wanted]
        place[dim] = index if dim in array.dims else index[0]
    return reference.isel(place)
