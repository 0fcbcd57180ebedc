"""A user's own table: any format, any kind of cube, as far as its columns allow."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from pydantic import Field

from sigcube.cube import KINDS, Kind
from sigcube.errors import Fault
from sigcube.readers.assembly import column_sources, flag_bits, flat, pad, repeated
from sigcube.readers.clusters import ClusterCuts, complete, flag_clusters, ways_to
from sigcube.readers.contract import Cuts, NoCuts, Reader, check_recipe
from sigcube.readers.formats import Table, read_table, unreadable
from sigcube.readers.galaxy import PROPERTIES, GalaxyCuts, derive, join_properties

__all__ = ["TableStarCuts", "read_cluster_table", "read_galaxy_table", "read_star_table", "table_reader"]

Columns = dict[str, npt.NDArray[Any]]

_ROLE = "table"


class TableStarCuts(Cuts):
    """The thresholds of the flags of stars whose coordinates are in the file.

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

    A part of the mass model that the file lacks may be a constant of the recipe. A further table of the galaxies (role
    ``properties``) is joined by their names. The galaxies are in the order of their
    first rows. Parameters, result and errors are those of `Reader`.
    """
    kind = KINDS["galaxy"]
    needed = ("galaxy", *kind.measured, "r_disk")
    table, values = _read(tables, kind, columns=needed, needed=needed, optional=PROPERTIES)
    names, counts, points, systems = _grouped(values, table, kind)
    cube = pad(kind, names, counts, points=points, systems=systems, sources=column_sources(table))
    return join_properties(derive(cube, cuts=cuts), tables)


def read_cluster_table(tables: Mapping[str, Table], *, cuts: ClusterCuts) -> xr.Dataset:
    """Read clusters (role ``table``), one row a radius, with a column that names the cluster.

    The baryons, and likewise what is observed, are given as logarithms of accelerations, as accelerations or as masses;
    the baryons also as gas and stars, or as M500 (`ClusterCuts`). The other quantities are derived. A table of the CDS
    needs the role ``readme`` too. The clusters are in the order of their first rows. Parameters, result and errors are
    those of `Reader`.
    """
    kind, either = KINDS["cluster"], (ways_to("bar", cuts), ways_to("obs", cuts))
    table, values = _read(tables, kind, columns=("cluster", "r"), needed=("cluster", "r"), either=either)
    names, counts, points, systems = _grouped(values, table, kind)
    shared: Columns = {name: np.repeat(systems[name], counts) for name in ("m500", "e_m500") if name in systems}
    points, sources = complete({**points, **shared}, cuts=cuts, sources=column_sources(table))
    points = {name: column for name, column in points.items() if name not in shared}
    return flag_clusters(pad(kind, names, counts, points=points, systems=systems, sources=sources), cuts=cuts)


def read_star_table(tables: Mapping[str, Table], *, cuts: TableStarCuts) -> xr.Dataset:
    """Read stars (role ``table``) whose galactocentric coordinates and velocities are in the file.

    A star without one of them is flagged ``incomplete``. Parameters, result and errors are those of `Reader`.
    """
    kind = KINDS["star"]
    columns = [v.name for v in kind.variables if v.required and not v.flags]
    table, values = _read(tables, kind, columns=columns, unique="source_id")
    meanings = {"incomplete": ~np.logical_and.reduce([np.isfinite(values[name]) for name in kind.measured])}
    if cuts.max_height is not None:
        meanings["off_plane"] = np.abs(values["height"]) > cuts.max_height
    if cuts.radii is not None:
        meanings["outside_radii"] = (values["r"] < cuts.radii[0]) | (values["r"] > cuts.radii[1])
    values["point_flag"] = flag_bits(kind, "point_flag", meanings)
    return flat(kind, values, {**column_sources(table), "point_flag": "derived"})


def table_reader(kind_name: str, unmeasured: Mapping[str, str]) -> Reader:
    """Return a reader of systems of one row each (role ``table``) for cubes of a kind.

    ``unmeasured`` gives for each variable that need not be measured the flag of the systems without it.
    """
    kind = KINDS[kind_name]
    dim = str(kind.system_dim)
    columns = [dim, *(v.name for v in kind.variables if v.required and not v.flags)]
    needed = [dim, *(name for name in kind.measured if name not in unmeasured)]

    def read(tables: Mapping[str, Table], *, cuts: NoCuts) -> xr.Dataset:
        table, values = _read(tables, kind, columns=columns, needed=needed, unique=dim)
        unknown = np.full(len(values[dim]), np.nan)
        meanings = {flag: np.isnan(values.get(name, unknown)) for name, flag in unmeasured.items()}
        values["system_flag"] = flag_bits(kind, "system_flag", meanings)
        return flat(kind, values, {**column_sources(table), "system_flag": "derived"})

    return read


def _read(
    tables: Mapping[str, Table],
    kind: Kind,
    *,
    columns: Sequence[str],
    needed: Collection[str] = (),
    either: Sequence[Sequence[Sequence[str]]] = (),
    unique: str | None = None,
    optional: Sequence[str] = (),
) -> tuple[Table, Columns]:
    """Check the recipe for columns, and read the table, refusing what is twice in the column of a unique variable."""
    reader = f"'table', kind {kind.name!r}"
    check_recipe(tables, reader, kind, {_ROLE: columns}, either=either, optional=("readme", *optional))
    readme = tables.get("readme")
    table = replace(tables[_ROLE], readme=readme.path if readme is not None else None)
    values = read_table(table, kind=kind, needed=needed)
    if unique is not None and (faults := repeated(values[unique].tolist())):
        raise unreadable(table.path, faults)
    return table, values


def _grouped(values: Columns, table: Table, kind: Kind) -> tuple[list[str], npt.NDArray[np.int64], Columns, Columns]:
    """Put the rows of each system together; what belongs to a system must be the same in all its rows."""
    dim = str(kind.system_dim)
    names = list(dict.fromkeys(values[dim].tolist()))
    ranks = {name: rank for rank, name in enumerate(names)}
    system_of_row = np.array([ranks[name] for name in values[dim]], dtype=np.int64)
    order = np.lexsort((values["r"], system_of_row))
    counts, system_of_row = np.bincount(system_of_row), system_of_row[order]
    rows = {name: column[order] for name, column in values.items() if name != dim}
    points = {name: column for name, column in rows.items() if kind.variable(name).dims == kind.dims}
    same = (np.diff(system_of_row) == 0) & (np.diff(points["r"]) == 0)
    unit = kind.variable("r").unit
    faults = [
        Fault(
            f"{names[system_of_row[row]]} has two rows at one radius",
            found=f"{points['r'][row]:g} {unit} in rows {order[row] + 1} and {order[row + 1] + 1} of the data",
        )
        for row in np.flatnonzero(same).tolist()
    ]
    systems = {name: column[np.cumsum(counts) - counts] for name, column in rows.items() if name not in points}
    for name, first in systems.items():
        both = rows[name], np.repeat(first, counts)
        differs = (both[0] != both[1]) & ~((both[0] != both[0]) & (both[1] != both[1]))
        for system in np.unique(system_of_row[differs]).tolist():
            what = f"{name} differs between the rows of {names[system]}"
            faults.append(Fault(what, expected="one value for all of them"))
    if faults:
        raise unreadable(table.path, faults)
    return names, counts, points, systems
