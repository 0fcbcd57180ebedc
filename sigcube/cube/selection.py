"""Samples: named selections on flags, and conditions beside them, as a dataset or packed end to end."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.cube.conditions import where_true
from sigcube.cube.kinds import kind_of
from sigcube.cube.schema import COUNT, fixed_width, flag_masks
from sigcube.cube.validation import refuse_lost_dimension, refuse_repeated_systems
from sigcube.errors import DataError, SpecError, did_you_mean

__all__ = [
    "EVERYTHING",
    "Packed",
    "Sample",
    "Where",
    "WholeSystems",
    "describe_systems",
    "keep_points",
    "pack",
    "refuse_reshaped",
    "sample_names",
    "samples",
    "select",
]

#: The sample that every cube has: all systems, and all points.
EVERYTHING = "all"

#: What to keep of a sample: a condition as `sigcube.cube.conditions.where_true` reads it, or a mask of one's own.
Where = str | xr.DataArray


@dataclass(frozen=True)
class Sample:
    """A named selection: the flags whose points and systems it leaves out."""

    description: str
    point_flags_excluded: tuple[str, ...] = ()
    system_flags_excluded: tuple[str, ...] = ()


@dataclass(frozen=True, eq=False)
class WholeSystems:
    """All points that systems have in a sample, whatever a condition leaves of them; attributes as of `Packed`."""

    offsets: npt.NDArray[np.int64]
    points: Mapping[str, npt.NDArray[np.float64]]


@dataclass(frozen=True, eq=False)
class Packed:
    """A sample without padding, its points end to end in the cube's order.

    Attributes
    ----------
    systems : tuple of str
        Names of the systems.
    offsets : ndarray of int64, shape (n_systems + 1,)
        The points of system i are ``offsets[i]:offsets[i + 1]``.
    points : Mapping of str to ndarray of float64, shape (n_points,)
        Point variables, in the cube's units.
    per_system : Mapping of str to ndarray of float64, shape (n_systems,)
        System variables, in the cube's units.
    properties : Mapping of str to Variable, shape (n_systems,)
        What the cube knows of its systems, for those who read a result: nothing is computed from them.
    narrowed_from : WholeSystems, optional
        If a condition left some of the systems' points and terms go over all of them: all of them.
    """

    systems: tuple[str, ...]
    offsets: npt.NDArray[np.int64]
    points: Mapping[str, npt.NDArray[np.float64]]
    per_system: Mapping[str, npt.NDArray[np.float64]]
    properties: Mapping[str, xr.Variable] = field(default_factory=dict)
    narrowed_from: WholeSystems | None = None

    @property
    def whole(self) -> WholeSystems:
        """The points that a term of a whole system goes over."""
        return self.narrowed_from or WholeSystems(self.offsets, self.points)

    def part(self, start: int, stop: int) -> "Packed":
        """Return some of the systems, without their properties."""
        narrowed = self.narrowed_from
        return Packed(
            self.systems[start:stop],
            *_part(self.offsets, self.points, start, stop),
            {name: values[start:stop] for name, values in self.per_system.items()},
            narrowed_from=narrowed and WholeSystems(*_part(narrowed.offsets, narrowed.points, start, stop)),
        )

    @property
    def n_systems(self) -> int:
        """Number of systems."""
        return len(self.systems)

    @property
    def n_points(self) -> int:
        """Number of points of all systems together."""
        return int(self.offsets[-1])

    def __repr__(self) -> str:
        """Name what is packed, without the numbers."""
        names = ", ".join([*self.points, *self.per_system])
        return f"Packed({self.n_systems} systems, {self.n_points} points: {names})"


def _part(
    offsets: npt.NDArray[np.int64], points: Mapping[str, npt.NDArray[np.float64]], start: int, stop: int
) -> tuple[npt.NDArray[np.int64], dict[str, npt.NDArray[np.float64]]]:
    own = offsets[start : stop + 1]
    return own - own[0], {name: values[own[0] : own[-1]] for name, values in points.items()}


def samples(ds: xr.Dataset) -> dict[str, Sample]:
    """Return the samples of a cube, by name; the first is ``"all"``."""
    found = {EVERYTHING: Sample("all systems and points")}
    for name, each in json.loads(ds.attrs["samples"]).items():
        points, systems = (tuple(each.get(f"{what}_flags_excluded", ())) for what in ("point", "system"))
        found[name] = Sample(str(each["description"]), points, systems)
    return found


def sample_names(ds: xr.Dataset) -> tuple[str, ...]:
    """Return the names of a cube's samples."""
    return tuple(samples(ds))


def select(ds: xr.Dataset, *, sample: str, where: Where | None = None) -> xr.Dataset:
    """Return a cube with only what is in a sample.

    Parameters
    ----------
    ds : Dataset
        A cube.
    sample : str
        One of `sample_names`.
    where : str or DataArray of bool, optional
        A condition on systems or points, such as ``"inclination > 40 and quality == 1"``, or a mask. What does not meet
        it is left out as well.

    Returns
    -------
    Dataset
        The systems of the sample. Points outside it are NaN, but keep their flags.

    Raises
    ------
    SpecError
        For a name that is not a sample of the cube, or a condition that cannot be read.
    DataError
        If the sample is empty.
    """
    kind = kind_of(ds)
    points, systems = _choose(ds, sample, where)
    masked = {
        name: array.where(points)
        for name, array in ds.data_vars.items()
        if kind.point_dim in array.dims and array.dtype.kind == "f"
    }
    chosen = ds.assign(masked)
    return chosen.isel({kind.system_dim: np.flatnonzero(systems)}) if kind.system_dim else chosen


def pack(
    ds: xr.Dataset,
    *,
    sample: str = EVERYTHING,
    where: Where | None = None,
    variables: Iterable[str],
    whole: bool = False,
) -> Packed:
    """Return a sample packed end to end.

    Parameters
    ----------
    ds : Dataset
        A cube.
    sample, where
        As for `select`.
    variables : iterable of str
        Numeric variables of points or systems.
    whole : bool
        Whether to pack all points of the systems too, if `where` left some of them.

    Raises
    ------
    DataError
        For a variable that the cube does not have or that holds no numbers, or if the sample holds nothing.
    SpecError
        For a name that is not a sample of the cube, or a condition that cannot be read.
    """
    kind = kind_of(ds)
    names = tuple(dict.fromkeys(variables))
    numeric = [
        str(name)
        for name, array in ds.data_vars.items()
        if array.dtype.kind in "fiub" and set(array.dims) <= set(kind.dims)
    ]
    if missing := [name for name in names if name not in numeric]:
        raise DataError(
            f"the cube has no numeric variable {', '.join(map(repr, missing))}",
            where=str(ds.attrs.get("title", "cube")),
            hint=did_you_mean(missing[0], numeric),
        )
    kept, systems = _choose(ds, sample, where)
    # A single system has no dimension of its own, and a single point neither.
    shape = (systems.size, -1)
    mask = kept.values.reshape(shape)[systems]
    everywhere = keep_points(ds, samples(ds)[sample])[0].values.reshape(shape)[systems] if whole else mask
    narrowed = not np.array_equal(everywhere, mask)
    points, per_system, whole_points = {}, {}, {}
    for name in names:
        values = ds[name].transpose(*(dim for dim in kind.dims if dim in ds[name].dims)).values
        if set(ds[name].dims) == set(kind.dims):
            rows = values.reshape(shape)[systems]
            points[name] = rows[mask].astype(np.float64)
            if narrowed:
                whole_points[name] = rows[everywhere].astype(np.float64)
        else:
            per_system[name] = values[systems].astype(np.float64)
    offsets = _offsets(mask)
    titles = ds[kind.system_dim].values[systems].tolist() if kind.system_dim else [ds.attrs["title"]]
    properties = _properties(ds, systems, np.diff(offsets))
    of_whole = WholeSystems(_offsets(everywhere), whole_points) if narrowed else None
    return Packed(tuple(map(str, titles)), offsets, points, per_system, properties, of_whole)


def _offsets(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(mask.sum(axis=1))]).astype(np.int64)


def _properties(
    ds: xr.Dataset, systems: npt.NDArray[np.bool_], counts: npt.NDArray[np.int64]
) -> dict[str, xr.Variable]:
    """Return the variables of systems but for their flags, by name, of those that are kept; texts as NumPy's own."""
    kind = kind_of(ds)
    found: dict[str, xr.Variable] = {}
    if kind.system_dim is None:
        return found
    for name in sorted(map(str, ds.data_vars)):
        array = ds[name]
        if array.dims == (kind.system_dim,) and name not in (*kind.flags, COUNT):
            values = array.values[systems]
            if values.dtype.kind in "OT":
                values = fixed_width(values)
            about = {key: str(array.attrs[key]) for key in ("units", "long_name", "source") if key in array.attrs}
            found[name] = xr.Variable(array.dims, values, about)
    about = {"long_name": "number of points in the sample", "source": "sigcube"}
    return {**found, COUNT: xr.Variable((kind.system_dim,), counts, about)}


def describe_systems(result: xr.Dataset, properties: Mapping[str, xr.Variable]) -> xr.Dataset:
    """Give a result over systems their properties as coordinates, but for names that it has itself."""
    taken = {*result.variables, *result.dims}
    own = {name: each for name, each in properties.items() if name not in taken and each.dims[0] in result.dims}
    text = {name: each.astype(object) for name, each in own.items() if each.dtype.kind == "U"}
    return result.assign_coords({**own, **text})


def refuse_reshaped(ds: xr.Dataset) -> None:
    """Refuse a cube whose variables no longer have the dimensions of its kind, or that has a system twice.

    Raises
    ------
    DataError
        For a dimension that a selection dropped, a system that it repeated, and for a flag that a mask of points spread
        over them.
    """
    kind, where = kind_of(ds), str(ds.attrs.get("title", "cube"))
    refuse_lost_dimension(ds)
    refuse_repeated_systems(ds)
    if kind.system_flag is not None and ds[kind.system_flag].dims != (kind.system_dim,):
        raise DataError(
            "values of systems were spread over their points, as Dataset.where does with a condition on points",
            where=where,
            found=f"{kind.system_flag} over {', '.join(map(str, ds[kind.system_flag].dims))}",
            hint="give the condition to the sweep or the fit instead, such as where='r > 2'",
        )


def _choose(ds: xr.Dataset, name: object, where: Where | None) -> tuple[xr.DataArray, npt.NDArray[np.bool_]]:
    found = samples(ds)
    if not isinstance(name, str):
        # A mask, say.
        hint = "give a mask or a condition as where=..., which narrows a sample"
        raise SpecError("a sample is a name", where="sample", found=type(name).__name__, hint=hint)
    if name not in found:
        raise SpecError(f"the cube has no sample {name!r}", where="sample", hint=did_you_mean(name, found))
    refuse_reshaped(ds)
    points, systems = keep_points(ds, found[name])
    if where is not None:
        points = (points & _mask(ds, where)).transpose(*points.dims)
        systems = systems & points.values.reshape(systems.size, -1).any(axis=1)
    if not systems.any():
        met = "" if where is None else f" where {where}" if isinstance(where, str) else " under this mask"
        raise DataError(f"sample {name!r} holds no system{met}", where=str(ds.attrs.get("title", "cube")))
    return points, systems


def _mask(ds: xr.Dataset, where: Where) -> xr.DataArray:
    if isinstance(where, str):
        return where_true(ds, where)
    dims = kind_of(ds).dims
    if not isinstance(where, xr.DataArray) or where.dtype != bool or not set(where.dims) <= set(dims) or not where.dims:
        raise SpecError(
            "what to keep is a condition, or a mask of the cube's systems or points",
            where="where",
            found=f"{where.dtype} over {where.dims}" if isinstance(where, xr.DataArray) else type(where).__name__,
            expected=f"text, or a DataArray of bool over {' and '.join(dims)}",
        )
    try:
        return xr.align(ds, where, join="exact", copy=False)[1]
    except ValueError as error:
        raise SpecError("the mask is not of this cube's systems", where="where", found=str(error)) from None


def keep_points(ds: xr.Dataset, sample: Sample) -> tuple[xr.DataArray, npt.NDArray[np.bool_]]:
    """Return which points a sample keeps, over the dimensions of points and without padding, and which systems.

    A system is kept if it has such a point and none of the excluded flags.
    """
    kind = kind_of(ds)
    if kind.point_flag is None:
        points = xr.ones_like(ds[kind.system_flag], dtype=bool)
    else:
        padding = ("padding",) if kind.padded else ()
        points = _lacks(ds[kind.point_flag], (*padding, *sample.point_flags_excluded)).transpose(*kind.dims)
    n_systems = ds.sizes[kind.system_dim] if kind.system_dim else 1
    # Of no systems, the length of a row would be any.
    rows = points.values.reshape(n_systems, -1) if n_systems else np.zeros((0, 1), dtype=bool)
    systems = np.asarray(rows.any(axis=1))
    if kind.system_flag is not None:
        systems = systems & _lacks(ds[kind.system_flag], sample.system_flags_excluded).values
    return points, systems


def _lacks(flag: xr.DataArray, meanings: Iterable[str]) -> xr.DataArray:
    """Return where a flag variable has none of some flags, and is not itself masked, as by Dataset.where."""
    masks = flag_masks(flag)
    bits = np.uint8(sum({masks[meaning] for meaning in meanings}))
    return ((flag.fillna(0).astype(np.uint8) & bits) == 0) & flag.notnull()
