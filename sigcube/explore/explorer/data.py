"""The data of the explorer: slices of a result, values of systems at a place, properties; each read once and kept."""

import json
from collections import OrderedDict
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from functools import cached_property
from math import ceil, prod
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.analysis.best import best_index, default_summary, summaries
from sigcube.analysis.labelled import check_result, check_whole_sample
from sigcube.cube import WholeSystems, fingerprint, open_cube, pack
from sigcube.errors import SigcubeError, SpecError
from sigcube.explore.explorer.live import LiveModels
from sigcube.explore.explorer.state import ExplorerOffer, ExplorerState, Place
from sigcube.explore.result_data import ResultAxis, thin, whole_axes
from sigcube.files import path_of
from sigcube.model.frames import variables_of
from sigcube.plan.spec import FORMER_KEYS, MODEL, spec_from_record
from sigcube.plan.values import PointStatus
from sigcube.store import journal_folder
from sigcube.store.result import changed_parts
from sigcube.sweep import Sweep

__all__ = ["ExplorerData", "MapValues", "open_data"]

FloatArray = npt.NDArray[np.float64]

# A larger slice is read at some of its places, evenly spaced; a larger result does not start at its best point.
_MOST_OF_SLICE = 2**22
_MOST_FOR_BEST = 2**22
# Evaluations of a model for a map between grid points: as many as take a tenth of a second.
_MOST_EVALUATIONS = 2**25
_FEWEST_PLACES = 24
# Most places along an axis of the map; a screen shows no more.
_MOST_PLACES = 800
# Most cubes of a folder that are looked at.
_MOST_CUBES = 100
# Variables of points that curves show, besides the observed one.
_POINTS = ("r", "v_gas", "v_disk", "v_bul", "height")
# Errors of a spec that something else wrote: a Dataset may have anything in this attribute.
_NO_SPEC = (TypeError, ValueError, LookupError, AttributeError, OverflowError, RecursionError)
# Parts of an identity that a new version of sigcube may change while the model stays the same.
_OF_A_VERSION = frozenset({"sigcube", "engine", "tile", "stages"})
_ANOTHER = "another version of sigcube computed this result"
# Values agree so well, relatively, if two versions differ by rounding.
_AGREES = 1e-9
# Bytes of slices that are kept.
_KEPT_BYTES = 2**27


@dataclass(frozen=True)
class MapValues:
    """A summary over the axes of a map: y and x, x alone, or none.

    Attributes
    ----------
    values : ndarray
        The summary, shape ``(y, x)``, ``(x,)`` or ``()``.
    status : ndarray of uint8
        How each point ended, see `sigcube.plan.values.PointStatus`.
    axes : tuple of ResultAxis
        The axes, with the values at which it is given.
    between : bool
        Whether it was computed for the page, because the place is between grid points.
    """

    values: FloatArray
    status: npt.NDArray[np.uint8]
    axes: tuple[ResultAxis, ...]
    between: bool


class ExplorerData:
    """A result, with the models behind it and the cube, as far as they are known.

    Parameters
    ----------
    result : Dataset
        Of a sweep.
    path : Path or None
        The store of the result, which may still grow.
    sweep : Sweep or None
        The sweep behind it, for places between grid points and for curves.
    cube : Dataset or None
        The cube that it was computed from, with errors and properties of systems.
    note : str
        Why there are no models, or what to know of them, for people to read.
    cube_path : Path, optional
        Where that cube lies, for the commands and code that the page shows.
    """

    def __init__(
        self,
        result: xr.Dataset,
        *,
        path: Path | None,
        sweep: Sweep | None,
        cube: xr.Dataset | None,
        note: str = "",
        cube_path: Path | None = None,
    ) -> None:
        self.result, self.path, self.cube, self.note = result, path, cube, note
        self.cube_path = cube_path
        self.live = None if sweep is None else _with_points(LiveModels.of(sweep), result, cube)
        self.axes = whole_axes(result)
        self.metrics = tuple(sorted(summaries(result), key=lambda name: name != default_summary(result)))
        self._kept: OrderedDict[Any, MapValues] = OrderedDict()

    @cached_property
    def columns(self) -> Mapping[str, FloatArray]:
        """Numeric properties of the systems: variables of the cube, or those that the result repeats."""
        if self.live is None or self.system_dim is None:
            return {}
        own = {name: self.result[name] for name in self.result.coords if self.result[name].dims == (self.system_dim,)}
        if self.cube is not None:
            names = {str(name): i for i, name in enumerate(self.cube[self.system_dim].values)}
            order = [names[name] for name in self.live.packed.systems]
            there = {name: each for name, each in self.cube.data_vars.items() if each.dims == (self.system_dim,)}
            own |= {name: each.isel({self.system_dim: order}) for name, each in there.items()}
        numbers = {str(n): a for n, a in own.items() if a.dtype.kind in "fiu" and "flag" not in str(n)}
        return MappingProxyType({n: a.values.astype(np.float64) for n, a in numbers.items() if np.isfinite(a).any()})

    @cached_property
    def column_attrs(self) -> Mapping[str, Mapping[str, Any]]:
        """Attributes of the columns."""
        holder = self.result if self.cube is None else self.cube
        return {name: holder[name].attrs if name in holder else self.result[name].attrs for name in self.columns}

    @property
    def kind(self) -> str:
        """The kind of cube behind the result, such as ``galaxy``; empty if unknown."""
        if self.live is None:
            return ""
        return self.live.plan.spec.model.frame.kind

    @property
    def system_dim(self) -> str | None:
        """The dimension of systems, if there is one."""
        return None if self.live is None else self.live.plan.system_dim

    @property
    def systems(self) -> tuple[str, ...]:
        """Names of the systems."""
        return self.live.packed.systems if self.live is not None and self.system_dim is not None else ()

    @cached_property
    def between(self) -> frozenset[str]:
        """The axes of numbers that may take any value: those with a dimension to themselves."""
        if self.live is None:
            return frozenset()
        grid = self.live.plan.spec.grid
        alone = {axis.name for axis in grid.axes if len(grid.along(axis.dim)) == 1}
        return frozenset(axis.name for axis in self.axes if axis.use != "label" and axis.name in alone)

    def first_place(self) -> dict[str, float | str]:
        """Return where the explorer starts: the best point of a small result, the middle of a large one."""
        at: dict[str, int] | None = None
        if self.result["status"].size <= _MOST_FOR_BEST:
            at = best_index(self.result[self.metrics[0]])
        return self.place_of({axis.dim: axis.kept[axis.size // 2] for axis in self.axes} if at is None else at)

    def place_of(self, at: Mapping[str, Any]) -> dict[str, float | str]:
        """Return the place with an index along each dimension of the result."""
        found: dict[str, float | str] = {}
        for axis in self.axes:
            i = int(np.flatnonzero(axis.kept == int(at.get(axis.dim, 0)))[0])
            found[axis.name] = axis.texts[i] if axis.use == "label" else float(axis.values[i])
        return found

    def index_of(self, place: Place, offer: ExplorerOffer) -> dict[str, int]:
        """Return the index along each dimension of the grid point nearest to a place."""
        return {axis.dim: int(axis.kept[offer.index_of(axis.name, place[axis.name])]) for axis in self.axes}

    def whole_place(self, place: Place, offer: ExplorerOffer) -> dict[str, float | str]:
        """Return the value of every axis of the sweep at a place, including those that vary together with others."""
        at, found = self.index_of(place, offer), {}
        for name, coord in self.result.coords.items():
            if str(name) in self._grid_names:
                value = coord.isel(at, missing_dims="ignore").values.item() if coord.dims else coord.values.item()
                found[str(name)] = value
        return found | {name: value for name, value in place.items() if name in self.between}

    @cached_property
    def _grid_names(self) -> frozenset[str]:
        return frozenset() if self.live is None else frozenset(a.name for a in self.live.plan.spec.grid.axes)

    def values_at(self, place: Place, offer: ExplorerOffer) -> xr.Dataset:
        """Return every summary at a place, and the metrics of each system if they are known."""
        if self.live is not None:
            return self.live.at(self.whole_place(place, offer))
        return self.result.isel(self.index_of(place, offer)).load()

    def points_at(self, place: Place, offer: ExplorerOffer) -> dict[str, FloatArray]:
        """Return terms of the model at every point of the sample; see `LiveModels.points`."""
        return {} if self.live is None else self.live.points(self.whole_place(place, offer))

    def map_values(self, state: ExplorerState, offer: ExplorerOffer) -> MapValues:
        """Return the summary of a view over its axes: read at grid points, computed between them."""
        names = [name for name in (state.y, state.x) if name is not None]
        others = {name: value for name, value in state.moved.items() if name not in names}
        axes = tuple(offer.axis(name) for name in names)
        between = not offer.is_on_grid(others) and self.live is not None
        key = (state.metric, *names, *others.items())
        if key in self._kept:
            self._kept.move_to_end(key)
            return self._kept[key]
        found = self._computed(state, offer, axes) if between else self._read(state, offer, axes)
        self._kept[key] = found
        while sum(each.values.nbytes for each in self._kept.values()) > _KEPT_BYTES and len(self._kept) > 1:
            self._kept.popitem(last=False)
        return found

    def forget(self) -> None:
        """Forget what was read: the store has grown."""
        self._kept.clear()

    def _read(self, state: ExplorerState, offer: ExplorerOffer, axes: tuple[ResultAxis, ...]) -> MapValues:
        at = self.index_of(state.moved, offer)
        most = _MOST_PLACES if prod(axis.size for axis in axes) > _MOST_OF_SLICE else _MOST_OF_SLICE
        shown = tuple(thin(axis, most, int(axis.kept[0])) if axis.size > most else axis for axis in axes)
        index = {dim: i for dim, i in at.items() if dim not in {axis.dim for axis in axes}}
        kept = {axis.dim: axis.kept for axis in shown}
        dims = [axis.dim for axis in shown]
        part = self.result[[state.metric, "status"]].isel(index).isel(kept).load().transpose(*dims)
        return MapValues(
            part[state.metric].values.astype(np.float64), part["status"].values.astype(np.uint8), shown, False
        )

    def _computed(self, state: ExplorerState, offer: ExplorerOffer, axes: tuple[ResultAxis, ...]) -> MapValues:
        assert self.live is not None
        most = [axis.size for axis in axes]
        while prod(most) * self.live.packed.n_points > _MOST_EVALUATIONS and max(most) > _FEWEST_PLACES:
            most[most.index(max(most))] = ceil(max(most) / 2)
        shown = tuple(thin(axis, n, int(axis.kept[0])) for axis, n in zip(axes, most, strict=True))
        place = self.whole_place(state.moved, offer)
        along: dict[str, FloatArray] = {}
        for axis in shown:
            for other in self.live.plan.spec.grid.along(axis.dim):
                along[other.name] = np.asarray(self.result[other.name].values[axis.kept], dtype=np.float64)
        found = self.live.over(place, along, state.metric).transpose(*(axis.dim for axis in shown))
        return MapValues(found[state.metric].values, found["status"].values, shown, True)


def open_data(result: xr.Dataset | str | Path, cube: xr.Dataset | str | Path | None) -> ExplorerData:
    """Find what the explorer needs for a result: its store, the sweep behind it, and its cube.

    Raises
    ------
    SpecError
        If there is something else than a result, or it was computed from another cube.
    DataError, StoreError
        If there is nothing at a path, or it is damaged.
    """
    from sigcube.store.result import open_result

    path = None if isinstance(result, xr.Dataset) else path_of(result, what="a result")
    opened = result if isinstance(result, xr.Dataset) else open_result(result)
    check_result(opened)
    if not [name for name in summaries(opened)] or "status" not in opened or not opened["status"].size:
        raise SpecError("this result has no summary over its axes", where="result", found=", ".join(map(str, opened)))
    check_whole_sample(opened)
    found = Path(cube) if isinstance(cube, str | Path) else None
    if cube is None and path is not None:
        found = _cube_beside(path, opened)
    given = cube if isinstance(cube, xr.Dataset) else None if found is None else open_cube(found)
    if given is not None and "cube_fingerprint" in opened.attrs:
        if (own := fingerprint(given)) != opened.attrs["cube_fingerprint"]:
            expected = str(opened.attrs["cube_fingerprint"])
            raise SpecError("the result was computed from another cube", where="cube", found=own, expected=expected)
    sweep, note = _sweep_behind(opened, path, given)
    return ExplorerData(opened, path=path, sweep=sweep, cube=given, note=note, cube_path=found)


def _cube_beside(path: Path, result: xr.Dataset) -> Path | None:
    """Find the cube of a result in the folder above its own, or in ``cubes``, by its fingerprint."""
    wanted = result.attrs.get("cube_fingerprint")
    folders = dict.fromkeys([path.resolve().parent, path.resolve().parent.parent, Path("cubes").resolve()])
    for cube in (each for folder in folders for each in sorted(folder.glob("*.zarr"))[:_MOST_CUBES]):
        with suppress(OSError, ValueError, AttributeError, RecursionError):
            attributes = json.loads((cube / "zarr.json").read_bytes()).get("attributes", {})
            if wanted is not None and attributes.get("fingerprint") == wanted:
                return cube
    return None


def _with_points(live: LiveModels, result: xr.Dataset, cube: xr.Dataset | None) -> LiveModels:
    """Add the variables that curves show from the cube: a sweep keeps only those that its metrics need."""
    if cube is None:
        return live
    own = variables_of(cube).points
    model = live.plan.spec.model
    wanted = [n for n in (*_POINTS, model.name_behind("observed"), model.name_behind("error")) if n in own]
    where = result.attrs.get("where")
    try:
        more = pack(cube, sample=str(result.attrs.get("sample", "all")), where=where, variables=wanted, whole=True)
    except SigcubeError:
        # A mask that was given in Python is no longer known.
        return live
    if more.systems != live.packed.systems or not np.array_equal(more.offsets, live.packed.offsets):
        return live
    packed = replace(live.packed, points={**more.points, **live.packed.points})
    # A store of an earlier version has the kept points alone, with which its model was computed.
    if more.narrowed_from is not None and live.packed.narrowed_from is not None:
        points = {**more.whole.points, **live.packed.whole.points}
        packed = replace(packed, narrowed_from=WholeSystems(more.whole.offsets, points))
    return replace(live, packed=packed)


def _sweep_behind(result: xr.Dataset, path: Path | None, cube: xr.Dataset | None) -> tuple[Sweep | None, str]:
    """Return the sweep that made a result, or None and the reason."""
    try:
        if path is not None and journal_folder(path).is_dir():
            sweep = Sweep.from_result(path)
            changed = changed_parts(sweep.plan(probe=False), path)
            if not changed:
                return sweep, ""
            if not changed.keys() <= _OF_A_VERSION:
                return None, f"this version of sigcube would compute something else: another {', '.join(changed)}"
            worst = _largest_difference(LiveModels.of(sweep), result)
            if worst is None:
                return None, f"{_ANOTHER}, and has no value yet at the grid points that would be compared"
            if worst <= _AGREES:
                same = f"to {worst:.1g}" if worst else "to the last bit"
                return sweep, f"{_ANOTHER}; grid points computed again agree {same}"
            return None, f"{_ANOTHER}, and this one does not get its values"
        if cube is None or "spec" not in result.attrs:
            return None, "values of the grid alone: give the cube to see curves and what is between grid points"
        own = {name: result.attrs[name] for name in ("sample", "where", "error_floor") if name in result.attrs}
        return Sweep(cube, **own, **_arguments_of(result.attrs["spec"])), ""
    except SigcubeError as error:
        return None, str(error).splitlines()[0]
    except _NO_SPEC:
        return None, "values of the grid alone: its spec is not one that sigcube has written"


def _largest_difference(live: LiveModels, result: xr.Dataset) -> float | None:
    """Return how far summaries at some grid points are from those computed now, relative to them; None if none is done.

    The points have one combination of labels, as each has a loop of its own to compile.
    """
    grid, names = live.plan.spec.grid, summaries(result)
    sizes, small = {str(d): n for d, n in result["status"].sizes.items()}, result["status"].size <= _MOST_FOR_BEST
    at = (best_index(result[default_summary(result)]) if small else None) or {d: n // 2 for d, n in sizes.items()}
    found = []
    for place in (at, *({**at, **{d: end for d in sizes if d not in grid.label_dims}} for end in (0, -1))):
        point = result.isel(place)[["status", *names]].load()
        if point["status"].item() == PointStatus.DONE:
            now = live.at({axis.name: axis.values[place[axis.dim]] for axis in grid.axes})
            stored, own = (np.array([each[name].item() for name in names]) for each in (point, now))
            same = (own == stored) | (np.isnan(own) & np.isnan(stored))
            far = np.where(same, 0.0, np.abs(own - stored) / np.where(stored == 0.0, 1.0, np.abs(stored)))
            found.append(float(np.where(np.isnan(far), np.inf, far).max()))
    return max(found, default=None)


def _arguments_of(text: str) -> dict[str, Any]:
    """Return the arguments of a sweep from the spec of a result, once it is known to be valid."""
    record = json.loads(text)
    spec_from_record(record)
    found = {FORMER_KEYS.get(key, key): value for key, value in record.items() if key != "kind"}
    if "models" in record:
        found["axes"] = {name: axis for name, axis in record["axes"].items() if name != MODEL}
    return found
