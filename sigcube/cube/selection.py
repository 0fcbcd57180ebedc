"""Samples: named selections on flags, as a dataset or packed end to end."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.cube.schema import flag_masks, kind_of
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
    return ds.assign(masked).isel({kind.system_dim: systems})


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
    mask = kept.values[systems]
    points, per_system = {}, {}
    for name in names:
        array = ds[name]
        if kind.point_dim in array.dims:
            points[name] = array.transpose(*kind.dims).values[systems][mask].astype(np.float64)
        else:
            per_system[name] = array.values[systems].astype(np.float64)
    offsets = np.concatenate([[0], np.cumsum(mask.sum(axis=1))]).astype(np.int64)
    labels = ds[kind.system_dim].values[systems].tolist()
    return Packed(tuple(map(str, labels)), offsets, points, per_system)


def _choice(ds: xr.Dataset, sample: str) -> tuple[xr.DataArray, npt.NDArray[np.int64]]:
    """Which points a sample keeps, (system, point), and the indices of the systems that it keeps points of."""
    kind = kind_of(ds)
    chosen = _find(ds, sample)
    point_flag = ds[kind.point_flag].transpose(*kind.dims)
    kept = (point_flag & _mask(point_flag, ("padding", *chosen.point_flags_excluded))) == 0
    excluded = ds[kind.system_flag].values & _mask(ds[kind.system_flag], chosen.system_flags_excluded)
    systems = np.flatnonzero((excluded == 0) & kept.values.any(axis=1))
    if not systems.size:
        raise DataError(f"sample {sample!r} holds no system", where=str(ds.attrs.get("title", "cube")))
    return kept, systems


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
