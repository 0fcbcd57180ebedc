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
    "labelled",
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


def pad(
    kind: Kind,
    names: Sequence[str],
    counts: npt.ArrayLike,
    *,
    points: Mapping[str, npt.NDArray[np.float64]],
    systems: Mapping[str, Any],
    sources: Mapping[str, str],
) -> xr.Dataset:
    """Pad points that lie end to end, system after system, and label everything.

    ``names``, ``counts`` and the variables of ``systems`` have shape (n_systems,), those of ``points`` shape
    (n_points,), all in the cube's units; ``sources`` says where each is from. ``n_points`` is added, the flags and the
    derived variables are not.
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
    """Label variables of full shape, in the cube's units, from their sources.

    Among ``values`` are the names of the systems, by their dimension; ``name`` says what they are, if not that.
    """
    dim = kind.system_dim
    variables = {key: labelled(kind, key, array, sources[key]) for key, array in values.items() if key != dim}
    if dim is None:
        return xr.Dataset(variables)
    attrs = {"long_name": name or dim}
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
