"""Summaries of cubes on disk, read one variable at a time: whether they are valid, and what they hold."""

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.cube.fingerprints import slabs
from sigcube.cube.kinds import KINDS, kind_of
from sigcube.cube.schema import COUNT, flag_masks
from sigcube.cube.selection import Sample, keep_points, samples
from sigcube.cube.storage import open_lazily, reading, refuse_invalid
from sigcube.wording import plural

__all__ = [
    "Counts",
    "Range",
    "SampleCounts",
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
    """Number of systems, and of their points."""

    systems: int
    points: int


@dataclass(frozen=True)
class SampleCounts(Counts):
    """What a sample holds, and its description."""

    description: str


@dataclass(frozen=True)
class Range:
    """The range of a variable; None where no point or system has a number.

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
        What each sample holds.
    ranges : tuple of Range
        Every number that is no flag and no identifier.
    raw_files : tuple of Mapping
        ``name``, ``sha256``, ``official`` and, in words, ``standing`` of each.
    """

    title: str
    kind: str
    citation: str
    licence: str
    fingerprint: str
    synthetic: bool
    counts: Counts
    flags: Mapping[str, Mapping[str, int]]
    samples: Mapping[str, SampleCounts]
    ranges: tuple[Range, ...]
    raw_files: tuple[Mapping[str, Any], ...]


def inspect_cube(path: str | Path) -> Summary:
    """Check a cube on disk against its schema and its fingerprint, and summarise it.

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
    """Count the systems and the points of a cube on disk, without reading the rest.

    Raises
    ------
    DataError
        If there is no cube that can be read.
    """
    path = Path(path)
    ds = open_lazily(path)
    with reading(path):
        return _counts(ds)


def summarise(ds: xr.Dataset) -> Summary:
    """Summarise what a valid cube holds; values are read one variable at a time."""
    kind = kind_of(ds)
    return Summary(
        title=ds.attrs["title"],
        kind=kind.name,
        citation=ds.attrs["citation"],
        licence=ds.attrs["licence"],
        fingerprint=ds.attrs.get("fingerprint", ""),
        synthetic=bool(ds.attrs["synthetic"]),
        counts=_counts(ds),
        flags={name: _flagged(ds[name], padded=kind.padded) for name in kind.flags},
        samples={name: _sample_counts(ds, sample) for name, sample in samples(ds).items()},
        ranges=_ranges(ds),
        raw_files=tuple(json.loads(ds.attrs["raw_files"])),
    )


def _counts(ds: xr.Dataset) -> Counts:
    kind = kind_of(ds)
    systems = ds.sizes[kind.system_dim] if kind.system_dim else 1
    return Counts(systems, int(ds[COUNT].sum()) if kind.padded else ds.sizes[kind.dims[0]])


def _flagged(flag: xr.DataArray, *, padded: bool) -> dict[str, int]:
    """Count the points or systems of each flag."""
    values, masks = flag.values, flag_masks(flag)
    return {
        meaning: int(np.count_nonzero(values & np.uint8(mask)))
        for meaning, mask in masks.items()
        if not (padded and meaning == "padding")
    }


def _sample_counts(ds: xr.Dataset, sample: Sample) -> SampleCounts:
    points, systems = keep_points(ds, sample)
    per_system = np.count_nonzero(points.values.reshape(systems.size, -1), axis=1)
    return SampleCounts(int(np.count_nonzero(systems)), int(per_system[systems].sum()), sample.description)


def _ranges(ds: xr.Dataset) -> tuple[Range, ...]:
    """Find the range of each number along the cube's dimensions that is no flag and no identifier."""
    kind = kind_of(ds)
    real = np.arange(ds.sizes[kind.dims[1]]) < ds[COUNT].values[:, np.newaxis] if kind.padded else None
    return tuple(
        _range(array.transpose(*kind.dims, missing_dims="ignore"), real)
        for name, array in ds.data_vars.items()
        if array.dtype.kind in "fiu" and array.dims and set(array.dims) <= set(kind.dims)
        if name not in kind.flags and not str(name).endswith("_id")
    )


def _range(array: xr.DataArray, real: npt.NDArray[np.bool_] | None) -> Range:
    """Find the range of a variable; of one with padding, only the places that hold points, `real`, count."""
    inside = real if array.ndim == 2 else None
    total = array.size if inside is None else int(np.count_nonzero(inside))
    step = math.ceil(total / _MEDIAN_OF)
    start, found, spaced, smallest, largest = 0, 0, [], math.inf, -math.inf
    for part in _parts(array):
        values = part if inside is None else part[inside[start : start + len(part)]]
        start += len(part)
        values = values[np.isfinite(values)]
        if values.size:
            smallest, largest = min(smallest, float(values.min())), max(largest, float(values.max()))
            spaced.append(values[-found % step :: step])
            found += values.size
    name, attrs = str(array.name), array.attrs
    median = float(np.median(np.concatenate(spaced), overwrite_input=True)) if found else None
    ends = (smallest, median, largest) if found else (None, None, None)
    return Range(name, attrs.get("units", ""), attrs["long_name"], found, total - found, *ends)


def _parts(array: xr.DataArray) -> Iterator[npt.NDArray[Any]]:
    """Read an array in parts along its first dimension."""
    for slab in slabs(array.shape[0], array.size, most=_SLAB):
        yield array.isel({array.dims[0]: slab}).values


def describe_counts(kind: str, counts: Counts) -> str:
    """Return how many systems and points a cube or a sample holds, in words.

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
    """Return the name of a raw file, and what is known of it: whether it is the official one, or a user's own."""
    # Cubes of earlier versions called official whatever lay beside its recipe, which their files cannot tell.
    return f"{file['name']} ({file.get('standing') or ('official' if file['official'] else 'unverified')})"
