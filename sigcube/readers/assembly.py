"""From columns of raw files to the labelled, padded and flagged variables of a cube."""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import pairwise
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.cube import COUNT, Kind
from sigcube.errors import Fault
from sigcube.readers.formats import Table

__all__ = [
    "column_sources",
    "flag_bits",
    "flat",
    "group",
    "labelled",
    "one_per_system",
    "pad",
    "radius_faults",
    "repeated",
]


def column_sources(*tables: Table) -> dict[str, str]:
    """Return for each variable the file and column that it is from, or that it is a constant of the recipe."""
    sources: dict[str, str] = {}
    for table in tables:
        for column in table.columns:
            if column.variable in sources:
                sources[column.variable] += f" and {column.label}"
            elif column.label:
                sources[column.variable] = f"{table.name}, column {column.label}"
            else:
                sources[column.variable] = f"the recipe: {column.constant}"
    return sources


def repeated(names: Iterable[Any], where: str = "") -> list[Fault]:
    """Find names that occur more than once."""
    counts = Counter(names).items()
    return [Fault(f"{name} is there {count} times", where, expected="once") for name, count in counts if count > 1]


def radius_faults(radii: Sequence[float], where: str) -> Iterator[Fault]:
    """Find rows of a rotation curve whose radius does not increase."""
    for row, (inner, outer) in enumerate(pairwise(radii), start=2):
        if outer <= inner:
            yield Fault("the radius does not increase", f"{where}, row {row}", f"{outer:g}", f"above {inner:g}")


def group(names: npt.NDArray[Any], r: npt.NDArray[np.float64]) -> tuple[list[str], npt.NDArray[np.int64], Any]:
    """Put the rows of each system together, from the inside out, by their names and radii of shape (n,).

    Returned are the systems in the order in which they first appear, their numbers of rows, and the order of the rows,
    system after system.

    Examples
    --------
    >>> group(np.array(["b", "a", "b"]), np.array([2.0, 1.0, 1.0]))
    (['b', 'a'], array([2, 1]), array([2, 0, 1]))
    """
    ranks: dict[str, int] = {}
    system = np.array([ranks.setdefault(str(name), len(ranks)) for name in names], dtype=np.int64)
    return list(ranks), np.bincount(system, minlength=len(ranks)), np.lexsort((r, system))


def one_per_system(
    values: npt.NDArray[Any], name: str, labels: Sequence[str], counts: npt.NDArray[np.int64], faults: list[Fault]
) -> npt.NDArray[Any]:
    """Return the one value that all rows of a system share, rows being in groups; a fault if they differ."""
    starts = np.cumsum(counts) - counts
    first: npt.NDArray[Any] = values[starts]
    again = np.repeat(first, counts)
    differs = (values != again) & ~((values != values) & (again != again))
    for label, wrong in zip(labels, np.logical_or.reduceat(differs, starts), strict=True):
        if wrong:
            faults.append(Fault(f"{name} differs between the rows of {label}", expected="one value for all of them"))
    return first


def pad(
    kind: Kind,
    names: Sequence[str],
    counts: npt.ArrayLike,
    *,
    points: Mapping[str, npt.NDArray[np.float64]],
    systems: Mapping[str, Any],
    sources: Mapping[str, str],
) -> xr.Dataset:
    """Pad points that lie end to end, and label everything.

    Parameters
    ----------
    kind : Kind
        The kind of cube.
    names : sequence of str, length n_systems
        The systems.
    counts : array_like of int, shape (n_systems,)
        Number of points of each.
    points : Mapping of str to ndarray, shape (n_points,)
        Point variables in the cube's units, system after system.
    systems : Mapping of str to array_like, shape (n_systems,)
        System variables in the cube's units.
    sources : Mapping of str to str
        Where each variable is from.

    Returns
    -------
    Dataset
        The variables and ``n_points``; flags and derived variables are still missing.
    """
    counts = np.asarray(counts, dtype=np.int64)
    real = np.arange(counts.max()) < counts[:, np.newaxis]
    values: dict[str, Any] = {}
    for name, packed in points.items():
        values[name] = np.full(real.shape, np.nan)
        values[name][real] = packed
    values |= {**systems, COUNT: counts, str(kind.system_dim): names}
    return flat(kind, values, {**sources, COUNT: "derived: rows of the raw file"})


def flat(kind: Kind, values: Mapping[str, Any], sources: Mapping[str, str], *, name: str = "") -> xr.Dataset:
    """Label variables of full shape.

    Parameters
    ----------
    kind : Kind
        The kind of cube.
    values : Mapping of str to array_like
        Variables in the cube's units, and the names of the systems by their dimension.
    sources : Mapping of str to str
        Where each variable is from.
    name : str
        What the names of the systems are, in words; the dimension if empty.
    """
    dim = kind.system_dim
    variables = {key: labelled(kind, key, array, sources[key]) for key, array in values.items() if key != dim}
    if dim is None:
        return xr.Dataset(variables)
    attrs = {"long_name": name or dim, "units": ""}
    return xr.Dataset(variables, coords={dim: xr.Variable(dim, np.array(list(values[dim]), dtype=object), attrs)})


def labelled(kind: Kind, name: str, values: Any, source: str) -> xr.Variable:
    """Return a variable with its declared type and attributes."""
    variable = kind.variable(name)
    dtype = object if variable.dtype == "string" else variable.dtype
    return xr.Variable(variable.dims, np.asarray(values, dtype=dtype), variable.attrs(source=source))


def flag_bits(kind: Kind, name: str, meanings: Mapping[str, npt.NDArray[np.bool_]]) -> npt.NDArray[np.uint8]:
    """Return the values of a flag variable, from where each of its meanings applies."""
    bits = {meaning: np.uint8(1 << bit) for bit, meaning in enumerate(kind.variable(name).flags)}
    flags = np.zeros(next(iter(meanings.values())).shape, dtype=np.uint8)
    for meaning, applies in meanings.items():
        flags[applies] |= bits[meaning]
    return flags
