"""A user's own table: any format, any kind of cube, as far as its columns allow."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from pydantic import Field

from sigcube.cube import KINDS, Kind
from sigcube.errors import Fault, SpecError, error_from
from sigcube.readers.clusters import ClusterCuts, complete, flag_clusters, ways_to
from sigcube.readers.files import unreadable
from sigcube.readers.galaxy import GalaxyCuts, derive
from sigcube.readers.padding import group, labelled, pad, per_system
from sigcube.readers.tabular import places, whole
from sigcube.readers.typing import Cuts, Reader, Table

__all__ = ["NoCuts", "TableStarCuts", "read_cluster_table", "read_galaxy_table", "read_star_table", "table_reader"]

Columns = dict[str, npt.NDArray[Any]]

_ROLE = "table"
_SHOWN = 20


class NoCuts(Cuts):
    """No thresholds."""


class TableStarCuts(Cuts):
    """The thresholds of the flags of stars whose coordinates somebody else has worked out.

    Attributes
    ----------
    max_height : float or None
        Largest |z| of the disc [kpc].
    radii : (float, float) or None
        Least and largest R [kpc].
    """

    max_height: float | None = Field(default=None, gt=0)
    radii: tuple[float, float] | None = None


def read_galaxy_table(tables: Mapping[str, Table], *, cuts: GalaxyCuts) -> xr.Dataset:
    """Read rotation curves (role ``table``), one row a point, with a column that names the galaxy.

    Parameters
    ----------
    tables : Mapping of str to Table
        The file; a part of the mass model that it lacks may be a constant of the recipe.
    cuts : GalaxyCuts
        Thresholds of the flags.

    Returns
    -------
    Dataset
        The variables of a galaxy cube, galaxies in the order of their first rows.

    Raises
    ------
    DataError
        With every fault of the file.
    SpecError
        If the recipe lacks the file, or a column that the cube cannot be without.
    """
    kind = KINDS["galaxy"]
    table = _table(tables, kind, [(name,) for name in ("galaxy", *kind.measured, "r_disk")])
    values = _read(table, kind, needed=(*kind.measured, "r_disk"))
    labels, counts, points, systems = _grouped(values, table, kind)
    return derive(pad(kind, labels, counts, points=points, systems=systems, sources=_sources(table)), cuts=cuts)


def read_cluster_table(tables: Mapping[str, Table], *, cuts: ClusterCuts) -> xr.Dataset:
    """Read clusters (role ``table``), one row a radius, with a column that names the cluster.

    The baryons, and likewise what is observed, are given as logarithms of accelerations, as accelerations or as masses;
    the baryons also as gas and stars, or as M500 (`ClusterCuts`). What follows is added.

    Parameters
    ----------
    tables : Mapping of str to Table
        The file, and for one of the CDS its ``readme``.
    cuts : ClusterCuts
        Thresholds of the flags.

    Returns
    -------
    Dataset
        The variables of a cluster cube, clusters in the order of their first rows.

    Raises
    ------
    DataError
        With every fault of the file.
    SpecError
        If the recipe lacks the file, or a column that the cube cannot be without.
    """
    kind = KINDS["cluster"]
    table = _table(tables, kind, [("cluster",), ("r",)], either=(ways_to("bar", cuts), ways_to("obs", cuts)))
    values = _read(table, kind, needed=("r",))
    labels, counts, points, systems = _grouped(values, table, kind)
    shared: Columns = {name: np.repeat(systems[name], counts) for name in ("m500", "e_m500") if name in systems}
    points, sources = complete({**points, **shared}, cuts=cuts, sources=_sources(table))
    points = {name: column for name, column in points.items() if name not in shared}
    return flag_clusters(pad(kind, labels, counts, points=points, systems=systems, sources=sources), cuts=cuts)


def read_star_table(tables: Mapping[str, Table], *, cuts: TableStarCuts) -> xr.Dataset:
    """Read stars (role ``table``) whose galactocentric coordinates and velocities the file gives.

    Parameters
    ----------
    tables : Mapping of str to Table
        The file.
    cuts : TableStarCuts
        Thresholds of the flags.

    Returns
    -------
    Dataset
        The variables of a star cube; a star without one of them is flagged ``incomplete``.

    Raises
    ------
    DataError
        With every fault of the file.
    SpecError
        If the recipe lacks the file, or a column that the cube cannot be without.
    """
    kind = KINDS["star"]
    table = _table(tables, kind, [(v.name,) for v in kind.variables if v.required and not v.flags])
    values = _read(table, kind, needed=())
    _refuse(table, _twice(values["source_id"]))
    wrong = {"incomplete": ~np.logical_and.reduce([np.isfinite(values[name]) for name in kind.measured])}
    if cuts.max_height is not None:
        wrong["off_plane"] = np.abs(values["height"]) > cuts.max_height
    if cuts.radii is not None:
        wrong["outside_radii"] = (values["r"] < cuts.radii[0]) | (values["r"] > cuts.radii[1])
    return _flat(values, table, kind, flag="point_flag", wrong=wrong)


def _read_systems(tables: Mapping[str, Table], *, cuts: NoCuts, kind: str, unmeasured: Mapping[str, str]) -> xr.Dataset:
    """Read systems of one row each; ``unmeasured`` names the flag of each variable that may be missing."""
    declared = KINDS[kind]
    required = [v.name for v in declared.variables if v.required and not v.flags]
    table = _table(tables, declared, [(str(declared.system_dim),), *((name,) for name in required)])
    needed = [name for name in declared.measured if name not in unmeasured]
    values = _read(table, declared, needed=needed)
    _refuse(table, _twice(values[str(declared.system_dim)]))
    n = len(values[str(declared.system_dim)])
    wrong = {
        flag: np.isnan(values[name]) if name in values else np.ones(n, dtype=np.bool_)
        for name, flag in unmeasured.items()
    }
    return _flat(values, table, declared, flag="system_flag", wrong=wrong)


def table_reader(kind: str, unmeasured: Mapping[str, str]) -> Reader:
    """Return a reader of systems of one row each (role ``table``).

    Parameters
    ----------
    kind : str
        The kind of cube.
    unmeasured : Mapping of str to str
        For each variable that need not be measured, the flag that says so.
    """
    return partial(_read_systems, kind=kind, unmeasured=unmeasured)


def _table(
    tables: Mapping[str, Table],
    kind: Kind,
    needed: Sequence[tuple[str, ...]],
    *,
    either: Sequence[Sequence[tuple[str, ...]]] = (),
) -> Table:
    """Return the table, or refuse a recipe without it or without columns that are needed, or of each choice one."""
    faults = [] if _ROLE in tables else [Fault("missing", f"files.{_ROLE}")]
    given = {column.variable for column in tables[_ROLE].columns} if _ROLE in tables else set()
    if _ROLE in tables:
        place = f"files.{_ROLE}.columns"
        faults += [Fault(f"no column for {name!r}", place) for names in needed for name in names if name not in given]
        faults += [
            Fault(f"{name!r} is derived, not read", place) for name in sorted(given & _derived(kind, needed, either))
        ]
        for ways in either:
            if not any(given.issuperset(way) for way in ways):
                expected = "; or ".join(" and ".join(way) for way in ways)
                faults.append(Fault("a column is missing", place, expected=expected))
    if faults:
        raise error_from(
            SpecError, faults, what="the recipe does not fit the reader", where=f"reader 'table', kind {kind.name!r}"
        )
    readme = tables.get("readme")
    return replace(tables[_ROLE], readme=readme.path if readme is not None else None)


def _derived(
    kind: Kind, needed: Sequence[tuple[str, ...]], either: Sequence[Sequence[tuple[str, ...]]]
) -> frozenset[str]:
    """Return what every cube has and no column gives; a column for it would be read and thrown away."""
    read = {name for names in (*needed, *(way for ways in either for way in ways)) for name in names}
    return frozenset(variable.name for variable in kind.variables if variable.required) - read


def _read(table: Table, kind: Kind, *, needed: Sequence[str]) -> Columns:
    values = whole(table, kind=kind)
    missing = [
        (row, Fault(f"{name} is missing", expected="a number")) for name in needed for row in _where_nan(values[name])
    ]
    if kind.system_dim is not None:
        nameless = np.flatnonzero(values[kind.system_dim] == "").tolist()
        missing += [(row, Fault(f"the {kind.system_dim} has no name")) for row in nameless]
    if missing:
        there = places(table, [row for row, _ in missing[:_SHOWN]])
        faults = [replace(fault, where=there[row]) for row, fault in missing[:_SHOWN]]
        raise unreadable(table.path, faults, more=len(missing) - len(faults))
    return values


def _where_nan(column: npt.NDArray[np.float64]) -> list[int]:
    rows: list[int] = np.flatnonzero(np.isnan(column)).tolist()
    return rows


def _refuse(table: Table, faults: Sequence[Fault]) -> None:
    if faults:
        raise unreadable(table.path, faults)


def _twice(names: npt.NDArray[Any]) -> list[Fault]:
    found, counts = np.unique(names.astype(str), return_counts=True)
    return [
        Fault(f"{name} is there {n} times", expected="once") for name, n in zip(found, counts, strict=True) if n > 1
    ]


def _grouped(values: Columns, table: Table, kind: Kind) -> tuple[list[str], npt.NDArray[np.int64], Columns, Columns]:
    """Put the rows of each system together; what belongs to a system must be the same in all its rows."""
    dim = str(kind.system_dim)
    labels, counts, order = group(values[dim], values["r"])
    rows = {name: column[order] for name, column in values.items() if name != dim}
    points = {name: column for name, column in rows.items() if kind.variable(name).dims == kind.dims}
    faults = list(_radius_faults(points["r"], labels, counts))
    systems = {
        name: per_system(column, name, labels, counts, faults) for name, column in rows.items() if name not in points
    }
    _refuse(table, faults)
    return labels, counts, points, systems


def _radius_faults(r: npt.NDArray[np.float64], labels: Sequence[str], counts: Any) -> Iterator[Fault]:
    starts = np.zeros(r.size, dtype=np.bool_)
    starts[np.cumsum(counts) - counts] = True
    systems = np.repeat(np.arange(len(labels)), counts)
    for row in np.flatnonzero(~starts[1:] & (np.diff(r) == 0)).tolist():
        yield Fault(f"{labels[systems[row]]} has two rows at one radius", found=f"{r[row]:g}")


def _flat(
    values: Columns, table: Table, kind: Kind, *, flag: str, wrong: Mapping[str, npt.NDArray[np.bool_]]
) -> xr.Dataset:
    bits = {meaning: np.uint8(1 << bit) for bit, meaning in enumerate(kind.variable(flag).flags)}
    flags = np.zeros(len(next(iter(values.values()))), dtype=np.uint8)
    for meaning, where in wrong.items():
        flags |= np.where(where, bits[meaning], 0).astype(np.uint8)
    sources = {**_sources(table), flag: "derived"}
    variables = {
        name: labelled(kind, name, column, sources[name])
        for name, column in {**values, flag: flags}.items()
        if name != kind.system_dim
    }
    if kind.system_dim is None:
        return xr.Dataset(variables)
    dim = kind.system_dim
    return xr.Dataset(variables, coords={dim: xr.Variable(dim, values[dim], {"long_name": dim, "units": ""})})


def _sources(table: Table) -> dict[str, str]:
    sources: dict[str, str] = {}
    for column in table.columns:
        said = f"{table.path.name}, column {column.label}" if column.label else f"the recipe: {column.constant}"
        sources[column.variable] = (
            f"{sources[column.variable]} and {column.label}" if column.variable in sources else said
        )
    return sources
