"""SPARC: rotation curves with mass models, one file a galaxy in a zip, and a table of the galaxies.

Lelli, McGaugh & Schombert 2016, AJ 152, 157. The table's byte-by-byte description does not match its columns, which
are separated by blanks; read by bytes, the error of the distance turns up as the inclination.
"""

import re
import zipfile
import zlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import xarray as xr

from sigcube.cube import KINDS
from sigcube.errors import DataError, Fault, error_from
from sigcube.readers.assembly import column_sources, pad, radius_faults, repeated
from sigcube.readers.contract import check_recipe
from sigcube.readers.formats import MOST_WHOLE, Column, RowSource, Table, read_rows, read_whole, text_lines
from sigcube.readers.galaxy import PROPERTIES, GalaxyCuts, derive, join_properties

__all__ = ["read_sparc"]

_GALAXY = KINDS["galaxy"]
_SUFFIX = "_rotmod.dat"
_DISTANCE = re.compile(r"#\s*Distance\s*=\s*(\S+)\s*Mpc\s*")
_DESCRIPTION = re.compile(r"\s*(?:\d+-)?\s*\d+\s+[AIFE][\d.]+\s+(\S+)\s+(\S+)\s")
_NEEDED = {"curves": _GALAXY.measured, "catalogue": ("galaxy", "distance", "inclination", "r_disk")}
# The table of 175 galaxies has a median of 60°; a shifted column gives a few.
_LEAST_MEDIAN_INCLINATION = 30.0
_ENOUGH_FOR_A_MEDIAN = 30

Columns = Mapping[str, Any]


@dataclass(frozen=True)
class _Curve:
    """One galaxy's file: its distance [Mpc], NaN if it could not be read, and its columns."""

    place: str
    distance: float
    columns: Columns


def read_sparc(tables: Mapping[str, Table], *, cuts: GalaxyCuts) -> xr.Dataset:
    """Read the rotation curves (role ``curves``, a zip) and the master table (role ``catalogue``).

    A further table of the galaxies (role ``properties``) is joined by their names. The galaxies are in the order of the
    master table. Parameters, result and errors are those of `Reader`.
    """
    check_recipe(tables, "'sparc'", _GALAXY, _NEEDED, optional=PROPERTIES)
    curves_table, catalogue_table = tables["curves"], tables["catalogue"]
    faults: list[Fault] = []
    catalogue = _read_catalogue(catalogue_table, faults)
    curves = _read_curves(curves_table, faults)
    faults += _disagreements(catalogue, catalogue_table, curves, curves_table)
    if faults:
        folders = sorted({str(table.path.parent) for table in (curves_table, catalogue_table)})
        hint = "fetch the files again with `sigcube fetch sparc`, or correct them"
        raise error_from(DataError, faults, what="the SPARC files cannot be read", where=", ".join(folders), hint=hint)
    names = catalogue["galaxy"].tolist()
    points = {
        name: np.concatenate([curves[galaxy].columns[name] for galaxy in names])
        for name in (column.variable for column in curves_table.columns)
    }
    systems = {name: values for name, values in catalogue.items() if name != "galaxy"}
    counts = [curves[galaxy].columns["r"].size for galaxy in names]
    sources = column_sources(curves_table, catalogue_table)
    cube = derive(pad(_GALAXY, names, counts, points=points, systems=systems, sources=sources), cuts=cuts)
    return join_properties(cube, tables)


def _read_catalogue(table: Table, faults: list[Fault]) -> Columns:
    where, wrong = table.path.name, list[Fault]()
    lines = text_lines(read_whole(table.path), wrong, where=where)
    rules = [i for i, (_, line) in enumerate(lines) if line.startswith("---")]
    if not rules and not wrong:
        wrong.append(Fault("there is no line of dashes before the rows", where))
    if wrong:
        faults += wrong
        return {"galaxy": np.empty(0), "distance": np.empty(0)}
    described = [match.groups() for _, line in lines[: rules[-1]] if (match := _DESCRIPTION.match(line))]
    units = {label: _unit(unit) for unit, label in described if unit != "---"}
    source = RowSource([label for _, label in described], units)
    for number, line in lines[rules[-1] + 1 :]:
        source.add(number, line.split())
    values = _read_rows(source, table.columns, where, wrong)
    wrong += repeated(values["galaxy"], where)
    if not wrong:
        median = float(np.median(values["inclination"]))
        if len(values["inclination"]) >= _ENOUGH_FOR_A_MEDIAN and median <= _LEAST_MEDIAN_INCLINATION:
            what = "the median inclination is too low, so columns are shifted"
            wrong.append(Fault(what, where, f"{median:g}", "well above 30"))
    faults += wrong
    return values


def _read_rows(source: RowSource, columns: Sequence[Column], where: str, faults: list[Fault]) -> Columns:
    needed = {column.variable for column in columns if column.missing is None}
    return read_rows(source, columns, kind=_GALAXY, where=where, faults=faults, needed=needed)


def _unit(text: str) -> str:
    """Return a unit of the table's description, in the notation of CDS, as astropy writes it."""
    from astropy.units import Unit

    try:
        return str(Unit(text, format="cds").to_string())
    except ValueError:
        return text


def _read_curves(table: Table, faults: list[Fault]) -> dict[str, _Curve]:
    curves: dict[str, _Curve] = {}
    archive_name = table.path.name
    try:
        with zipfile.ZipFile(table.path) as archive:
            members = [member for member in archive.infolist() if not member.is_dir()]
            galaxies = [Path(member.filename).name.removesuffix(_SUFFIX) for member in members]
            faults += repeated(galaxies, archive_name)
            if (unpacked := sum(member.file_size for member in members)) > MOST_WHOLE:
                faults.append(Fault("the zip unpacks to too much", archive_name, f"{unpacked}", f"{MOST_WHOLE} bytes"))
                members, galaxies = [], []
            for galaxy, member in zip(galaxies, members, strict=True):
                place = f"{archive_name}: {member.filename}"
                curves[galaxy] = _read_curve(archive.read(member), table.columns, place, faults)
            if not archive.infolist():
                faults.append(Fault("the zip is empty", archive_name, expected=f"files NAME{_SUFFIX}"))
    except (zipfile.BadZipFile, zlib.error, EOFError) as error:
        faults.append(Fault("the zip is truncated or damaged", archive_name, str(error), "a whole zip"))
    except (RuntimeError, NotImplementedError) as error:
        # Encrypted, or compressed by a method that Python does not know.
        faults.append(Fault("the zip cannot be unpacked", archive_name, str(error), "a plain zip"))
    return curves


def _read_curve(content: bytes, columns: Sequence[Column], where: str, faults: list[Fault]) -> _Curve:
    wrong: list[Fault] = []
    lines = text_lines(content, wrong, where=where)
    header = [line for _, line in lines if line.startswith("#")]
    distance = _distance(header[0]) if header else np.nan
    labels, units = (line.removeprefix("#").split() for line in (header[1:] if len(header) == 3 else ("", "")))
    if not wrong and (len(header) != 3 or not np.isfinite(distance)):
        expected = "three lines: # Distance = … Mpc, labels, units"
        wrong.append(Fault("the header is another", where, repr(header[0]) if header else "no header", expected))
    elif len(labels) != len(units):
        found = f"{len(labels)} and {len(units)}"
        wrong.append(Fault("labels and units differ in number", where, found, f"{len(columns)} each"))
    values: Columns = {column.variable: np.empty(0) for column in columns}
    if not wrong:
        # Astropy reads L as litre.
        units = [re.sub(r"^L/", "solLum/", unit) for unit in units]
        source = RowSource(labels, dict(zip(labels, units, strict=True)))
        for number, line in lines:
            if not line.startswith("#"):
                source.add(number, line.split())
        values = _read_rows(source, columns, where, wrong)
        wrong += radius_faults(values["r"].tolist(), where) if not wrong else []
    faults += wrong
    return _Curve(where, distance, values)


def _distance(line: str) -> float:
    """Return the distance [Mpc] that a header gives, NaN if it gives none."""
    match = _DISTANCE.fullmatch(line)
    try:
        return float(match[1]) if match else np.nan
    except ValueError:
        return np.nan


def _disagreements(
    catalogue: Columns, catalogue_table: Table, curves: Mapping[str, _Curve], curves_table: Table
) -> Iterator[Fault]:
    distances = dict(zip(catalogue["galaxy"], catalogue["distance"], strict=True))
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
