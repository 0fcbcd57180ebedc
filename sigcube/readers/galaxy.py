"""Shared by all readers of galaxies: cuts, flags, quantities derived from the points, and a joined table."""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import numpy.typing as npt
import xarray as xr
from pydantic import Field

from sigcube.cube import COUNT, KINDS
from sigcube.errors import Fault, SpecError, did_you_mean, error_from
from sigcube.readers.assembly import column_sources, flag_bits, labelled, repeated
from sigcube.readers.contract import Cuts
from sigcube.readers.formats import Table, read_table, unreadable

__all__ = ["PROPERTIES", "GalaxyCuts", "derive", "join_properties"]

#: Roles of a table of further properties of the galaxies, one row a galaxy, and of its ReadMe if it is of the CDS.
PROPERTIES = ("properties", "properties_readme")
# Most unknown names that are listed; a wrong table has hundreds.
_MOST = 20

_GALAXY = KINDS["galaxy"]

FloatArray = npt.NDArray[np.float64]


class GalaxyCuts(Cuts):
    """The thresholds of the flags of galaxies.

    Attributes
    ----------
    min_points : int
        Galaxies with fewer rows, or fewer points without a flag, are flagged.
    upsilon_disk, upsilon_bulge : float
        Mass-to-light ratios [Msun/solLum] at which V_bar² ≤ 0 flags a point, whatever ratios a sweep uses later.
    """

    min_points: int = Field(default=5, ge=1)
    upsilon_disk: float = Field(default=0.5, ge=0)
    upsilon_bulge: float = Field(default=0.7, ge=0)


def derive(ds: xr.Dataset, *, cuts: GalaxyCuts) -> xr.Dataset:
    """Add the flags to padded raw variables, and what follows from the good points, those without a flag.

    Scale lengths and the share of the bulge are defined in SI §3.1, §5 and §13.3; one of them is ``r_disk``.
    """
    real = np.arange(ds.sizes["radius"]) < ds[COUNT].values[:, np.newaxis]
    v_gas, v_disk, v_bul = (ds[name].values for name in ("v_gas", "v_disk", "v_bul"))
    v_bar_sq = v_gas * np.abs(v_gas) + cuts.upsilon_disk * v_disk**2 + cuts.upsilon_bulge * v_bul**2
    point_flag = {
        "padding": ~real,
        "nonpositive_radius": real & ~(ds["r"].values > 0),
        "nonpositive_v_obs": real & ~(ds["v_obs"].values > 0),
        "negative_vbar": real & ~(v_bar_sq > 0),
    }
    good = ~np.logical_or.reduce(list(point_flag.values()))
    system_flag = {
        "too_few_rows": ds[COUNT].values < cuts.min_points,
        "too_few_points": good.sum(axis=1) < cuts.min_points,
    }
    derived = {
        "point_flag": flag_bits(_GALAXY, "point_flag", point_flag),
        "system_flag": flag_bits(_GALAXY, "system_flag", system_flag),
        **_scale_lengths(ds, good),
        **_totals(ds, good),
    }
    cut = f"M/L = {cuts.upsilon_disk:g} and {cuts.upsilon_bulge:g}, at least {cuts.min_points} points"
    sources = {name: "derived: kept points" for name in derived}
    sources |= {name: f"derived: {cut}" for name in ("point_flag", "system_flag")}
    sources["scale_length_catalogue"] = ds["r_disk"].attrs["source"]
    return ds.assign({name: labelled(_GALAXY, name, values, sources[name]) for name, values in derived.items()})


def join_properties(ds: xr.Dataset, tables: Mapping[str, Table]) -> xr.Dataset:
    """Add the columns of the table of properties, if there is one, by the names of the galaxies; NaN without a row.

    Raises
    ------
    SpecError
        If the recipe gives it a column that is not a number of a galaxy, or that the cube already has.
    DataError
        With every fault of the table: a galaxy that the cube does not have, or that is there twice.
    """
    role, readme = PROPERTIES
    if role not in tables:
        return ds
    table, dim = tables[role], str(_GALAXY.system_dim)
    if readme in tables:
        table = replace(table, readme=tables[readme].path)
    _check_columns(ds, table, f"files.{role}.columns")
    values = read_table(table, kind=_GALAXY, needed=(dim,))
    names = list(map(str, ds[dim].values))
    rank = {name: i for i, name in enumerate(names)}
    unknown = [name for name in values[dim].tolist() if name not in rank]
    faults = repeated(values[dim].tolist())
    faults += [Fault(f"the cube has no {dim} {n!r}", expected=did_you_mean(n, names)) for n in unknown[:_MOST]]
    if faults:
        raise unreadable(table.path, faults, more=len(unknown[_MOST:]))
    at, sources = [rank[name] for name in values[dim].tolist()], column_sources(table)
    joined = {}
    for name in (each for each in values if each != dim):
        column = np.full(len(names), np.nan)
        column[at] = values[name]
        joined[name] = labelled(_GALAXY, name, column, sources[name])
    return ds.assign(joined)


def _check_columns(ds: xr.Dataset, table: Table, where: str) -> None:
    dim = str(_GALAXY.system_dim)
    given = [column.variable for column in table.columns]
    faults = [] if dim in given else [Fault(f"no column for {dim!r}", where)]
    for name in given:
        if name == dim:
            continue
        variable = _GALAXY.variable(name)
        if variable.dims != (dim,) or variable.dtype != "float64":
            faults.append(Fault(f"{name!r} is no number of a galaxy", where))
        elif name in ds:
            faults.append(Fault(f"the cube has {name!r} already", where))
    if faults:
        raise error_from(SpecError, faults, what="the table cannot be joined to the galaxies", where="recipe")


def _scale_lengths(ds: xr.Dataset, good: npt.NDArray[np.bool_]) -> dict[str, FloatArray]:
    # Good points first, in order, so that "the third point of the good ones" is an index.
    order = np.argsort(~good, axis=1, kind="stable")
    n = good.sum(axis=1)
    r = np.take_along_axis(np.where(good, ds["r"].values, np.nan), order, axis=1)
    disk = np.take_along_axis(np.where(good, np.abs(ds["v_disk"].values), -np.inf), order, axis=1)
    rows = np.arange(n.size)
    outermost = r[rows, np.maximum(n - 1, 0)]
    third, peak = n // 3, np.argmax(disk, axis=1)
    return {
        "scale_length_third_point": np.where(third == 0, outermost / 2, r[rows, third]),
        # Without a disc every value is zero, and the first is the largest.
        "scale_length_disk_peak": np.where(peak == 0, outermost / 3, r[rows, peak]),
        "scale_length_catalogue": ds["r_disk"].values,
        "scale_length_outermost": outermost,
    }


def _totals(ds: xr.Dataset, good: npt.NDArray[np.bool_]) -> dict[str, FloatArray]:
    gas, disk, bul = (np.where(good, np.abs(ds[name].values), 0.0) for name in ("v_gas", "v_disk", "v_bul"))
    some = good.any(axis=1)
    # Added one after another: NumPy's own sum takes an order that depends on the processor, and these bits are hashed.
    bulge, everything = (np.cumsum(squares, axis=1)[:, -1] for squares in (bul**2, gas**2 + disk**2 + bul**2))
    share = np.divide(bulge, everything, out=np.full(some.size, np.nan), where=everything > 0)
    largest = {"v_gas_max": gas, "v_disk_max": disk, "v_bul_max": bul}
    return {"f_bulge": share, **{name: np.where(some, values.max(axis=1), np.nan) for name, values in largest.items()}}
