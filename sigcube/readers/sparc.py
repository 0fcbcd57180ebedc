"""SPARC: rotation curves with mass models, one file a galaxy in a zip, and a table of the galaxies.

Lelli, McGaugh & Schombert 2016, AJ 152, 157. The table's own description of its bytes does not fit its columns, which
are separated by blanks; read by bytes, the error of the distance turns up as the inclination.
"""

import re
import zipfile
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from sigcube.cube import KINDS
from sigcube.errors import DataError, Fault, SpecError, error_from
from sigcube.readers.galaxy import GalaxyCuts, assemble, derive
from sigcube.readers.table import convert, header_faults, parse_rows, text_of
from sigcube.readers.typing import Column, Table

__all__ = ["read_sparc"]

_SUFFIX = "_rotmod.dat"
_DISTANCE = re.compile(r"#\s*Distance\s*=\s*(\S+)\s*Mpc\s*")
_DESCRIPTION = re.compile(r"\s*(?:\d+-)?\s*\d+\s+[AIFE][\d.]+\s+(\S+)\s+(\S+)\s")
_NEEDED = {"curves": KINDS["galaxy"].measured, "catalogue": ("galaxy", "distance", "inclination", "r_disk")}
_DTYPES = {"galaxy": "string", **{variable.name: variable.dtype for variable in KINDS["galaxy"].variables}}
# The table of 175 galaxies has a median of 60°; a shifted column gives a few.
_LEAST_MEDIAN_INCLINATION = 30.0
_ENOUGH_FOR_A_MEDIAN = 30


@dataclass(frozen=True)
class _Curve:
    """One galaxy's file: its distance [Mpc], NaN if it could not be read, and its columns."""

    place: str
    distance: float
    columns: dict[str, list[Any]]


def read_sparc(tables: Mapping[str, Table], *, cuts: GalaxyCuts) -> xr.Dataset:
    """Read the rotation curves (role ``curves``, a zip) and the master table (role ``catalogue``).

    Parameters
    ----------
    tables : Mapping of str to Table
        The two files.
    cuts : GalaxyCuts
        Thresholds of the flags.

    Returns
    -------
    Dataset
        The variables of a galaxy cube, in the order of the master table.

    Raises
    ------
    DataError
        With every fault of both files.
    SpecError
        If the recipe lacks one of the files, or a column that the cube cannot be without.
    """
    _refuse_recipe(tables)
    curves_table, catalogue_table = tables["curves"], tables["catalogue"]
    faults: list[Fault] = []
    catalogue = _read_catalogue(catalogue_table, faults)
    curves = _read_curves(curves_table, faults)
    faults += _disagreements(catalogue, catalogue_table, curves, curves_table)
    if faults:
        folders = sorted({str(table.path.parent) for table in (curves_table, catalogue_table)})
        hint = "fetch the files again with `sigcube fetch sparc`, or mend them"
        raise error_from(DataError, faults, what="the SPARC files cannot be read", where=", ".join(folders), hint=hint)
    return derive(_assemble(catalogue, catalogue_table, curves, curves_table), cuts=cuts)


def _refuse_recipe(tables: Mapping[str, Table]) -> None:
    given = {role: [column.variable for column in table.columns] for role, table in tables.items()}
    faults = [Fault("missing", f"files.{role}") for role in _NEEDED if role not in given]
    faults += [
        Fault(f"no column for {name!r}", f"files.{role}.columns")
        for role, names in _NEEDED.items()
        for name in names
        if role in given and name not in given[role]
    ]
    if faults:
        raise error_from(SpecError, faults, what="the recipe does not fit the reader", where="reader 'sparc'")


def _read_catalogue(table: Table, faults: list[Fault]) -> dict[str, list[Any]]:
    where = table.path.name
    before = len(faults)
    lines = text_of(table.path.read_bytes(), where=where, faults=faults)
    rules = [number for number, line in lines if line.startswith("---")]
    if lines and not rules:
        faults.append(Fault("there is no line of dashes before the rows", where))
    described = [match.groups() for _, line in lines[: max(rules, default=0)] if (match := _DESCRIPTION.match(line))]
    if rules:
        pairs = [(label, _generic_unit(unit)) for unit, label in described]
        faults.extend(header_faults(pairs, table.columns, where=where))
    if len(faults) > before:
        return {column.variable: [] for column in table.columns}
    values = parse_rows(lines[rules[-1] :], table.columns, dtypes=_DTYPES, where=where, faults=faults)
    faults.extend(_twice(values["galaxy"], where))
    if len(faults) == before:
        faults.extend(_shift_faults(values["inclination"], where))
    return values


def _shift_faults(inclination: Sequence[float], where: str) -> Iterable[Fault]:
    median = float(np.median(inclination))
    if len(inclination) >= _ENOUGH_FOR_A_MEDIAN and median <= _LEAST_MEDIAN_INCLINATION:
        yield Fault("the median inclination is too low, so columns are shifted", where, f"{median:g}", "well above 30")


def _generic_unit(text: str) -> str:
    """Return a unit of the table's description, written in the notation of CDS, as astropy writes it."""
    from astropy.units import Unit

    try:
        return str(Unit(text, format="cds").to_string()) if text != "---" else ""
    except ValueError:
        return text


def _read_curves(table: Table, faults: list[Fault]) -> dict[str, _Curve]:
    curves: dict[str, _Curve] = {}
    archive_name = table.path.name
    try:
        with zipfile.ZipFile(table.path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            galaxies = [Path(member.filename).name.removesuffix(_SUFFIX) for member in members]
            faults.extend(_twice(galaxies, archive_name))
            for galaxy, member in zip(galaxies, members, strict=True):
                place = f"{archive_name}: {member.filename}"
                curves[galaxy] = _read_curve(archive.read(member), table.columns, place, faults)
            if not members:
                faults.append(Fault("the zip is empty", archive_name, expected=f"files NAME{_SUFFIX}"))
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        faults.append(Fault("the zip is truncated or damaged", archive_name, str(error), "a whole zip"))
    except (RuntimeError, NotImplementedError) as error:
        # Encrypted, or packed by a method that Python does not know.
        faults.append(Fault("the zip cannot be unpacked", archive_name, str(error), "a plain zip"))
    return curves


def _read_curve(content: bytes, columns: Sequence[Column], where: str, faults: list[Fault]) -> _Curve:
    lines = text_of(content, where=where, faults=faults)
    header = [line for _, line in lines if line.startswith("#")]
    before = len(faults)
    faults.extend(_curve_header_faults(header, columns, where) if lines else ())
    values: dict[str, list[Any]] = {column.variable: [] for column in columns}
    if len(faults) == before and lines:
        rows = [(number, line) for number, line in lines if not line.startswith("#")]
        values = parse_rows(rows, columns, dtypes=_DTYPES, where=where, faults=faults)
    if len(faults) == before:
        faults.extend(_order_faults(values["r"], where))
    return _Curve(where, _distance(header), values)


def _distance(header: Sequence[str]) -> float:
    """Return the distance [Mpc] that the first line gives, NaN if it gives none."""
    match = _DISTANCE.fullmatch(header[0]) if header else None
    try:
        return float(match[1]) if match else np.nan
    except ValueError:
        return np.nan


def _curve_header_faults(header: Sequence[str], columns: Sequence[Column], where: str) -> list[Fault]:
    if len(header) != 3 or not np.isfinite(_distance(header)):
        expected = "three lines: # Distance = … Mpc, labels, units"
        return [Fault("the header is another", where, repr(header[0]) if header else "no header", expected)]
    labels, units = (line.removeprefix("#").split() for line in header[1:])
    if len(labels) != len(units):
        found = f"{len(labels)} and {len(units)}"
        return [Fault("labels and units differ in number", where, found, f"{len(columns)} each")]
    # Astropy reads L as litre.
    pairs = [(label, re.sub(r"^L/", "solLum/", unit)) for label, unit in zip(labels, units, strict=True)]
    return header_faults(pairs, columns, where=where)


def _order_faults(radii: Sequence[float], where: str) -> Iterable[Fault]:
    for row, (inner, outer) in enumerate(pairwise(radii), start=2):
        if not outer > inner:
            yield Fault("the radius does not increase", f"{where}, row {row}", f"{outer:g}", f"above {inner:g}")


def _twice(names: Iterable[str], where: str) -> list[Fault]:
    counts = Counter(names)
    return [Fault(f"{name} is there {n} times", where, expected="once") for name, n in counts.items() if n > 1]


def _disagreements(
    catalogue: Mapping[str, list[Any]], catalogue_table: Table, curves: Mapping[str, _Curve], curves_table: Table
) -> Iterable[Fault]:
    distances = dict(zip(catalogue["galaxy"], catalogue["distance"], strict=False))
    # A file that could not be read at all is one fault, not one a galaxy.
    if not distances or not curves:
        return
    table, archive = catalogue_table.path.name, curves_table.path.name
    for name in sorted(distances.keys() - curves.keys()):
        yield Fault(f"galaxy {name} has no rotation curve", table, expected=f"{name}{_SUFFIX} in {archive}")
    for name in sorted(curves.keys() - distances.keys()):
        yield Fault(f"galaxy {name} is not in the table", curves[name].place, expected=f"a row in {table}")
    for name in sorted(distances.keys() & curves.keys()):
        if curves[name].distance != distances[name] and np.isfinite(curves[name].distance):
            found = f"{curves[name].distance:g} Mpc"
            yield Fault("the distance is not that of the table", curves[name].place, found, f"{distances[name]:g} Mpc")


def _assemble(
    catalogue: Mapping[str, list[Any]], catalogue_table: Table, curves: Mapping[str, _Curve], curves_table: Table
) -> xr.Dataset:
    unit = {variable.name: variable.unit for variable in KINDS["galaxy"].variables}
    names = catalogue["galaxy"]
    points = {
        column.variable: convert(
            [value for name in names for value in curves[name].columns[column.variable]], column, unit[column.variable]
        )
        for column in curves_table.columns
    }
    systems = {
        column.variable: catalogue[column.variable]
        if _DTYPES[column.variable] == "string"
        else convert(catalogue[column.variable], column, unit[column.variable])
        for column in catalogue_table.columns
        if column.variable != "galaxy"
    }
    sources = {
        column.variable: f"{table.path.name}, column {column.label}"
        for table in (curves_table, catalogue_table)
        for column in table.columns
    }
    counts = [len(curves[name].columns["r"]) for name in names]
    return assemble(names, counts, points=points, systems=systems, sources=sources)
