"""A look through a cube on disk, one variable at a time: whether it is whole, and what it holds."""

import json
import math
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.cube.kinds import KINDS, kind_of
from sigcube.cube.schema import COUNT, Kind, flag_masks
from sigcube.cube.selection import Sample, samples
from sigcube.cube.storage import open_lazily, reading, refuse_invalid
from sigcube.wording import plural

__all__ = [
    "Counts",
    "Kept",
    "Range",
    "Summary",
    "count_cube",
    "describe_counts",
    "describe_file",
    "inspect_cube",
    "summarise",
]

# Values read at a time.
_SLAB = 1 << 20
# Of more values than this, the median is that of evenly spaced ones among them.
_MEDIAN_OF = 1 << 24


@dataclass(frozen=True)
class Counts:
    """How many systems, and how many points of them."""

    systems: int
    points: int


@dataclass(frozen=True)
class Kept(Counts):
    """What a sample keeps, and the sample's own words."""

    description: str


@dataclass(frozen=True)
class Range:
    """What the numbers of a variable are like; None where no point or system has one.

    Attributes
    ----------
    name, unit, long_name : str
        The variable.
    values, missing : int
        How many points or systems have a number, and how many have none.
    smallest, median, largest : float or None
        Of the numbers.
    """

    name: str
    unit: str
    long_name: str
    values: int
    missing: int
    smallest: float | None
    median: float | None
    largest: float | None


@dataclass(frozen=True)
class Summary:
    """What a cube holds.

    Attributes
    ----------
    title, kind, citation, licence, fingerprint : str
        What it says about itself.
    synthetic : bool
        Whether the data are made up.
    counts : Counts
        Everything but padding.
    flags : Mapping
        For each flag variable, how many points or systems each meaning is set for.
    samples : Mapping
        What each sample keeps.
    ranges : tuple of Range
        Every number that is no flag and no identifier.
    raw_files : tuple of Mapping
        ``name``, ``sha256`` and ``official`` of each.
    """

    title: str
    kind: str
    citation: str
    licence: str
    fingerprint: str
    synthetic: bool
    counts: Counts
    flags: Mapping[str, Mapping[str, int]]
    samples: Mapping[str, Kept]
    ranges: tuple[Range, ...]
    raw_files: tuple[Mapping[str, Any], ...]


def inspect_cube(path: str | Path) -> Summary:
    """Check a cube on disk against its schema and its fingerprint, and say what it holds.

    It is read one variable at a time, so memory goes with the number of points, not with that of variables.

    Raises
    ------
    DataError
        If there is no cube, or its content is not what the schema and its own fingerprint say.
    """
    path = Path(path)
    ds = open_lazily(path)
    with reading(path):
        refuse_invalid(ds, path)
        return summarise(ds)


def count_cube(path: str | Path) -> Counts:
    """Count the systems and the points of a cube on disk, without a look at the rest.

    Raises
    ------
    DataError
        If there is no cube that can be read.
    """
    path = Path(path)
    ds = open_lazily(path)
    with reading(path):
        return _counts(ds, kind_of(ds))


def summarise(ds: xr.Dataset) -> Summary:
    """Say what a valid cube holds; values are read one variable at a time."""
    kind = kind_of(ds)
    real = _real(ds, kind)
    return Summary(
        title=ds.attrs["title"],
        kind=kind.name,
        citation=ds.attrs["citation"],
        licence=ds.attrs["licence"],
        fingerprint=ds.attrs.get("fingerprint", ""),
        synthetic=bool(ds.attrs["synthetic"]),
        counts=_counts(ds, kind),
        flags={name: dict(_flagged(ds[name], kind.padded)) for name in kind.flags},
        samples={name: _kept(ds, kind, sample) for name, sample in samples(ds).items()},
        ranges=tuple(_range(array, real) for array in _numbers(ds, kind)),
        raw_files=tuple(json.loads(ds.attrs["raw_files"])),
    )


def _counts(ds: xr.Dataset, kind: Kind) -> Counts:
    systems = ds.sizes[kind.system_dim] if kind.system_dim else 1
    return Counts(systems, int(ds[COUNT].sum()) if kind.padded else ds.sizes[kind.dims[0]])


def _real(ds: xr.Dataset, kind: Kind) -> npt.NDArray[np.bool_] | None:
    """Which places hold points; None where all do."""
    return np.arange(ds.sizes[kind.dims[1]]) < ds[COUNT].values[:, np.newaxis] if kind.padded else None


def _flagged(flag: xr.DataArray, padded: bool) -> Iterator[tuple[str, int]]:
    for meaning, mask in flag_masks(flag).items():
        if not (padded and meaning == "padding"):
            yield meaning, sum(int(np.count_nonzero(part & np.uint8(mask))) for part in _parts(flag))


def _kept(ds: xr.Dataset, kind: Kind, sample: Sample) -> Kept:
    length = ds.sizes[kind.dims[0]]
    systems = _without(ds, kind.system_flag, sample.system_flags_excluded, length)
    padding = ("padding",) if kind.padded else ()
    points = _without(ds, kind.point_flag, (*padding, *sample.point_flags_excluded), length)
    if kind.system_dim is None:
        return Kept(int(points.any()), int(points.sum()), sample.description)
    per_system = np.where(systems, points.reshape(length, -1).sum(axis=1), 0)
    return Kept(int((per_system > 0).sum()), int(per_system.sum()), sample.description)


def _without(ds: xr.Dataset, name: str | None, excluded: Iterable[str], length: int) -> Any:
    """Which points or systems have none of some flags."""
    if name is None:
        return np.ones(length, dtype=bool)
    masks = flag_masks(ds[name])
    mask = np.uint8(sum(masks[meaning] for meaning in excluded))
    return np.concatenate([(part & mask) == 0 for part in _parts(ds[name])])


def _numbers(ds: xr.Dataset, kind: Kind) -> Iterator[xr.DataArray]:
    """Yield what has a range: numbers along the cube's dimensions, without flags and identifiers."""
    for name, array in ds.data_vars.items():
        identifies = str(name).endswith("_id")
        if array.dtype.kind in "fiu" and array.dims and set(array.dims) <= set(kind.dims):
            if name not in kind.flags and not identifies:
                yield array


def _range(array: xr.DataArray, real: npt.NDArray[np.bool_] | None) -> Range:
    total = array.size if real is None or array.ndim < 2 else int(real.sum())
    step = math.ceil(total / _MEDIAN_OF)
    found, spaced, smallest, largest = 0, [], math.inf, -math.inf
    for values in _finite(array, real):
        if values.size:
            smallest, largest = min(smallest, float(values.min())), max(largest, float(values.max()))
            spaced.append(values[-found % step :: step])
            found += values.size
    name, attrs = str(array.name), array.attrs
    median = float(np.median(np.concatenate(spaced), overwrite_input=True)) if found else None
    ends = (smallest, median, largest) if found else (None, None, None)
    return Range(name, attrs["units"], attrs["long_name"], found, total - found, *ends)


def _finite(array: xr.DataArray, real: npt.NDArray[np.bool_] | None) -> Iterator[npt.NDArray[Any]]:
    start = 0
    for part in _parts(array):
        if real is not None and part.ndim == 2:
            inside = real[start : start + len(part)]
            start += len(part)
            part = part[inside]
        yield part[np.isfinite(part)]


def _parts(array: xr.DataArray) -> Iterator[npt.NDArray[Any]]:
    """Read an array in parts along its first dimension."""
    length = array.shape[0]
    step = max(1, _SLAB * length // max(1, array.size))
    for start in range(0, length, step):
        yield array.isel({array.dims[0]: slice(start, start + step)}).values


def describe_counts(kind: str, counts: Counts) -> str:
    """Say how many systems and points a cube or a sample holds.

    Examples
    --------
    >>> describe_counts("galaxy", Counts(175, 3391)), describe_counts("star", Counts(1, 144000))
    ('175 galaxies, 3,391 points', '144,000 stars')
    """
    declared = KINDS[kind]
    if declared.padded:
        return f"{plural(counts.systems, declared.dims[0])}, {plural(counts.points, 'point')}"
    return plural(counts.points, declared.dims[0])


def describe_file(file: Any) -> str:
    """Say which raw file it is, and whether it is the official one."""
    return f"{file['name']} ({'official' if file['official'] else 'unverified'})"
