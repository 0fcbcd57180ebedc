"""Samples: named selections on flags, as a dataset or packed end to end."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.cube.kinds import kind_of
from sigcube.cube.schema import Kind, flag_masks
from sigcube.errors import DataError, SpecError, did_you_mean

__all__ = ["EVERYTHING", "Packed", "Sample", "pack", "sample_names", "samples", "select"]

#: The sample that every cube has: all systems, and all points.
EVERYTHING = "all"


@dataclass(frozen=True)
class Sample:
    """A named selection: the flags whose points and systems it leaves out."""

    description: str
    point_flags_excluded: tuple[str, ...] = ()
    system_flags_excluded: tuple[str, ...] = ()


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
    """

    systems: tuple[str, ...]
    offsets: npt.NDArray[np.int64]
    points: Mapping[str, npt.NDArray[np.float64]]
    per_system: Mapping[str, npt.NDArray[np.float64]]

    @property
    def n_systems(self) -> int:
        """Number of systems."""
        return len(self.systems)

    @property
    def n_points(self) -> int:
        """Number of points of all systems together."""
        return int(self.offsets[-1])

    def __repr__(self) -> str:
        """Say what is packed, without the numbers."""
        names = ", ".join([*self.points, *self.per_system])
        return f"Packed({self.n_systems} systems, {self.n_points} points: {names})"


def samples(ds: xr.Dataset) -> dict[str, Sample]:
    """Return the samples of a cube, by name; the first is ``"all"``."""
    declared: dict[str, dict[str, Any]] = json.loads(ds.attrs["samples"])
    return {EVERYTHING: Sample("all systems and points"), **{name: _sample(each) for name, each in declared.items()}}


def _sample(each: Mapping[str, Any]) -> Sample:
    return Sample(
        str(each["description"]),
        tuple(each.get("point_flags_excluded", ())),
        tuple(each.get("system_flags_excluded", ())),
    )


def sample_names(ds: xr.Dataset) -> tuple[str, ...]:
    """Return the names of a cube's samples."""
    return tuple(samples(ds))


def select(ds: xr.Dataset, *, sample: str) -> xr.Dataset:
    """Return a cube with only what a sample holds.

    Parameters
    ----------
    ds : Dataset
        A cube.
    sample : str
        One of `sample_names`.

    Returns
    -------
    Dataset
        The systems of the sample; the values of points that it leaves out are NaN, their flags stay.

    Raises
    ------
    SpecError
        For a name that is not a sample of the cube.
    DataError
        If the sample holds nothing.
    """
    kind = kind_of(ds)
    kept, systems = _choice(ds, sample)
    masked = {
        name: array.where(kept)
        for name, array in ds.data_vars.items()
        if kind.point_dim in array.dims and array.dtype.kind == "f"
    }
    chosen = ds.assign(masked)
    return chosen.isel({kind.system_dim: systems}) if kind.system_dim else chosen


def pack(ds: xr.Dataset, *, sample: str = EVERYTHING, variables: Iterable[str]) -> Packed:
    """Return a sample packed end to end.

    Parameters
    ----------
    ds : Dataset
        A cube.
    sample : str
        One of `sample_names`.
    variables : iterable of str
        Numeric variables of points or systems.

    Raises
    ------
    DataError
        For a variable that the cube does not have or that holds no numbers, or if the sample holds nothing.
    SpecError
        For a name that is not a sample of the cube.
    """
    kind = kind_of(ds)
    names = tuple(dict.fromkeys(variables))
    _refuse_unknown(ds, names)
    kept, systems = _choice(ds, sample)
    # A single system has no dimension of its own, and a single point neither.
    mask = kept.values.reshape(_shape(ds, kind))[systems]
    points, per_system = {}, {}
    for name in names:
        values = ds[name].transpose(*(dim for dim in kind.dims if dim in ds[name].dims)).values
        if set(ds[name].dims) == set(kind.dims):
            points[name] = values.reshape(_shape(ds, kind))[systems][mask].astype(np.float64)
        else:
            per_system[name] = values[systems].astype(np.float64)
    offsets = np.concatenate([[0], np.cumsum(mask.sum(axis=1))]).astype(np.int64)
    return Packed(_names(ds, kind, systems), offsets, points, per_system)


def _shape(ds: xr.Dataset, kind: Kind) -> tuple[int, int]:
    """Return numbers of systems and of points a system, padding included."""
    return (
        ds.sizes[kind.system_dim] if kind.system_dim else 1,
        ds.sizes[kind.point_dim] if kind.point_dim else 1,
    )


def _names(ds: xr.Dataset, kind: Kind, systems: npt.NDArray[np.int64]) -> tuple[str, ...]:
    if kind.system_dim is None:
        return (str(ds.attrs["title"]),)
    return tuple(map(str, ds[kind.system_dim].values[systems].tolist()))


def _choice(ds: xr.Dataset, sample: str) -> tuple[xr.DataArray, npt.NDArray[np.int64]]:
    """Which points a sample keeps, over the dimensions of points, and the indices of the systems it keeps any of."""
    kind = kind_of(ds)
    chosen = _find(ds, sample)
    kept = _kept_points(ds, kind, chosen)
    systems = kept.values.reshape(_shape(ds, kind)).any(axis=1)
    if kind.system_flag is not None:
        flag = ds[kind.system_flag]
        systems &= (flag.values & _mask(flag, chosen.system_flags_excluded)) == 0
    if not systems.any():
        raise DataError(f"sample {sample!r} holds no system", where=str(ds.attrs.get("title", "cube")))
    return kept, np.flatnonzero(systems)


def _kept_points(ds: xr.Dataset, kind: Kind, chosen: Sample) -> xr.DataArray:
    if kind.point_flag is None:
        return xr.ones_like(ds[kind.system_flag], dtype=bool)
    flag = ds[kind.point_flag].transpose(*kind.dims)
    padding = ("padding",) if kind.padded else ()
    return (flag & _mask(flag, (*padding, *chosen.point_flags_excluded))) == 0


def _find(ds: xr.Dataset, sample: str) -> Sample:
    found = samples(ds)
    if sample not in found:
        raise SpecError(f"the cube has no sample {sample!r}", where="sample", hint=did_you_mean(sample, found))
    return found[sample]


def _mask(flag: xr.DataArray, meanings: Iterable[str]) -> np.uint8:
    masks = flag_masks(flag)
    return np.uint8(sum({masks[meaning] for meaning in meanings}))


def _refuse_unknown(ds: xr.Dataset, names: Iterable[str]) -> None:
    dims = kind_of(ds).dims
    numeric = [
        str(name) for name, array in ds.data_vars.items() if array.dtype.kind in "fiub" and set(array.dims) <= set(dims)
    ]
    missing = [name for name in names if name not in numeric]
    if missing:
        raise DataError(
            f"the cube has no numeric variable {', '.join(map(repr, missing))}",
            where=str(ds.attrs.get("title", "cube")),
            hint=did_you_mean(missing[0], numeric),
        )
