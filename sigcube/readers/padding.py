"""From rows that name their system to padded variables, for every kind of cube with points in systems."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.cube import COUNT, Kind
from sigcube.errors import Fault

__all__ = ["group", "labelled", "pad", "per_system"]


def group(names: npt.NDArray[Any], r: npt.NDArray[np.float64]) -> tuple[list[str], npt.NDArray[np.int64], Any]:
    """Put the rows of each system together, from the inside out.

    Parameters
    ----------
    names : ndarray of str, shape (n,)
        The system of each row.
    r : ndarray, shape (n,)
        Its radius.

    Returns
    -------
    labels : list of str
        The systems, in the order in which they first appear.
    counts : ndarray of int
        Their rows.
    order : ndarray of int, shape (n,)
        The rows, system after system.

    Examples
    --------
    >>> group(np.array(["b", "a", "b"]), np.array([2.0, 1.0, 1.0]))
    (['b', 'a'], array([2, 1]), array([2, 0, 1]))
    """
    ranks: dict[str, int] = {}
    system = np.array([ranks.setdefault(str(name), len(ranks)) for name in names], dtype=np.int64)
    return list(ranks), np.bincount(system, minlength=len(ranks)), np.lexsort((r, system))


def per_system(
    values: npt.NDArray[Any], name: str, labels: Sequence[str], counts: npt.NDArray[np.int64], faults: list[Fault]
) -> npt.NDArray[Any]:
    """Return the one value that all rows of a system share, rows being put together; a fault where they differ."""
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
    labels: Sequence[str],
    counts: npt.NDArray[np.int64],
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
    labels : sequence of str, length n_systems
        The systems.
    counts : ndarray of int, shape (n_systems,)
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
        The variables and ``n_points``, without flags.
    """
    real = np.arange(counts.max()) < counts[:, np.newaxis]
    variables: dict[str, Any] = {}
    for name, packed in points.items():
        padded = np.full(real.shape, np.nan)
        padded[real] = packed
        variables[name] = labelled(kind, name, padded, sources[name])
    for name, values in systems.items():
        variables[name] = labelled(kind, name, values, sources[name])
    variables[COUNT] = labelled(kind, COUNT, counts, "derived: rows of the raw file")
    dim = str(kind.system_dim)
    names = xr.Variable(dim, np.array(list(labels), dtype=object), {"long_name": dim, "units": ""})
    return xr.Dataset(variables, coords={dim: names})


def labelled(kind: Kind, name: str, values: Any, source: str) -> xr.Variable:
    """Return a variable with its declared type and attributes."""
    variable = kind.variable(name)
    dtype = object if variable.dtype == "string" else variable.dtype
    return xr.Variable(variable.dims, np.asarray(values, dtype=dtype), variable.attrs(source=source))
