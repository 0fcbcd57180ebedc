"""Galaxies of a survey: a table of dynamical models, and a list of those with counter-rotating stellar discs."""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.cube import KINDS
from sigcube.errors import DataError, Fault, SpecError, error_from
from sigcube.readers.delimited import recipe_faults, twice
from sigcube.readers.padding import labelled
from sigcube.readers.table import text_of
from sigcube.readers.tabular import whole
from sigcube.readers.typing import Cuts, Table

__all__ = ["PopulationCuts", "read_dynpop"]

_KIND = KINDS["population"]
_BIT = {meaning: np.uint8(1 << bit) for bit, meaning in enumerate(_KIND.variable("system_flag").flags)}
_NEEDED = {"galaxies": ("galaxy", "survey_id"), "models": ("f_dm",), "counter_rotators": ("survey_id",)}
# The catalogue of targets and the object in it: MaNGA numbers galaxies thus (Wake+ 2017).
_MANGA_ID = re.compile(r"[0-9]+-[0-9]+")


class PopulationCuts(Cuts):
    """The thresholds of the flags of galaxies of a survey, and how lists are matched with it.

    Attributes
    ----------
    min_quality : float
        Models of a lower quality are flagged.
    observations : {"last", "all"}
        Which rows of a counter-rotator that was observed several times are counted as one: the last of the table, as
        the papers match it, or all.
    """

    min_quality: float = 0.0
    observations: Literal["last", "all"] = "last"


def read_dynpop(tables: Mapping[str, Table], *, cuts: PopulationCuts) -> xr.Dataset:
    """Read MaNGA DynPop and a list of counter-rotators, and match them.

    Zhu+ 2023, MNRAS 522, 6326: one FITS file, whose extensions have their rows in the same order; extension 1 (role
    ``galaxies``) says which galaxy a row is of, extension 4 (role ``models``) holds the model with an NFW halo.
    Bevacqua+ 2022, MNRAS 511, 139 (role ``counter_rotators``): VizieR's text, cells separated by bars.

    Identifiers are compared without the blanks around them, which FITS and VizieR pad with. A galaxy is named by its
    observation, plate and bundle, since some were observed more than once; a counter-rotator that the survey's table
    lacks is kept under its own identifier, and flagged ``unmodelled``.

    Parameters
    ----------
    tables : Mapping of str to Table
        The three tables.
    cuts : PopulationCuts
        Thresholds of the flags.

    Returns
    -------
    Dataset
        The variables of a population cube.

    Raises
    ------
    DataError
        With every fault of a file.
    SpecError
        If the recipe lacks a table or a column.
    """
    if faults := [*recipe_faults(tables, _KIND.name, _NEEDED), *_own_faults(tables)]:
        raise error_from(SpecError, faults, what="the recipe does not fit the reader", where="reader 'dynpop'")
    galaxies, models = (whole(tables[role], kind=_KIND) for role in ("galaxies", "models"))
    listed = _read_list(tables["counter_rotators"], faults)
    galaxies |= {name: np.array([str(text).strip() for text in galaxies[name]], object) for name in _NEEDED["galaxies"]}
    faults += _row_faults(galaxies, models, tables)
    faults += _name_faults(galaxies, listed, tables)
    if faults:
        where = ", ".join(sorted({str(table.path.parent) for table in tables.values()}))
        raise error_from(DataError, faults, what="the tables cannot be matched", where=where)
    return _assemble(galaxies | models, listed, tables, cuts)


def _own_faults(tables: Mapping[str, Table]) -> Iterator[Fault]:
    for role, table in tables.items():
        given = [column.variable for column in table.columns]
        for name in ("counter_rotating", "system_flag"):
            if name in given:
                yield Fault(f"{name!r} is derived, not read", f"files.{role}.columns")
        if role == "counter_rotators" and len(given) > 1:
            yield Fault("only identifiers are read of this list", f"files.{role}.columns", str(len(given)), "1 column")


def _row_faults(galaxies: Mapping[str, Any], models: Mapping[str, Any], tables: Mapping[str, Table]) -> Iterator[Fault]:
    counts = [len(next(iter(values.values()))) for values in (galaxies, models)]
    if counts[0] != counts[1]:
        found = f"{counts[0]} galaxies and {counts[1]} models"
        yield Fault("the extensions differ in rows", tables["models"].path.name, found, "one model a galaxy")
    for name in sorted(galaxies.keys() & models.keys()):
        yield Fault(f"{name!r} is in both tables", tables["models"].path.name, expected="in one")


def _name_faults(galaxies: Mapping[str, Any], listed: Sequence[str], tables: Mapping[str, Table]) -> Iterator[Fault]:
    table = tables["galaxies"]
    label = {column.variable: column.label for column in table.columns}
    yield from twice(galaxies["galaxy"].tolist(), table.path.name, table.columns)
    wrong = [(row, name) for row, name in enumerate(galaxies["survey_id"]) if not _MANGA_ID.fullmatch(name)]
    for row, name in wrong[:20]:
        place = f"{table.path.name} row {row + 1}, column {label['survey_id']}"
        yield Fault("not an identifier", place, repr(name), "CATALOGUE-NUMBER")
    unmatched = set(listed) - set(galaxies["survey_id"].tolist())
    for name in sorted(unmatched & set(galaxies["galaxy"].tolist())):
        yield Fault("an observation is named like a galaxy of the list", table.path.name, repr(name))


def _read_list(table: Table, faults: list[Fault]) -> list[str]:
    """Return the identifiers of VizieR's text: comments, labels, units, dashes, rows."""
    where, (column,) = table.path.name, table.columns
    lines = [(number, line) for number, line in _text(table.path, faults) if line.strip() and not line.startswith("#")]
    rows = [(number, [cell.strip() for cell in line.split("|")]) for number, line in lines]
    ruled = [place for place, (_, cells) in enumerate(rows) if _is_rule(cells)]
    if not rows or column.label not in rows[0][1]:
        found = " ".join(rows[0][1])[:200] if rows else "nothing"
        faults.append(Fault(f"column {column.label} is missing", where, found, column.label))
    elif len(ruled) != 1 or ruled[0] > 2:
        faults.append(Fault("there is not one line of dashes under the labels and their units", where))
    else:
        return _identifiers(rows[0][1], rows[ruled[0] + 1 :], column.label, where, faults)
    return []


def _text(path: Path, faults: list[Fault]) -> list[tuple[int, str]]:
    try:
        content = path.read_bytes()
    except OSError as error:
        faults.append(Fault("the file cannot be read", path.name, str(error)))
        return []
    return text_of(content, where=path.name, faults=faults)


def _is_rule(cells: Sequence[str]) -> bool:
    return all(cell and not cell.strip("-") for cell in cells)


def _identifiers(
    labels: Sequence[str], rows: Sequence[tuple[int, list[str]]], label: str, where: str, faults: list[Fault]
) -> list[str]:
    if labels.count(label) > 1:
        faults.append(Fault(f"column {label} is there {labels.count(label)} times", where, expected="once"))
    if not rows:
        faults.append(Fault("there are no rows", where))
    names = []
    for number, cells in rows:
        place = f"{where} line {number}"
        if len(cells) != len(labels):
            faults.append(Fault("wrong number of columns", place, str(len(cells)), str(len(labels))))
        elif not _MANGA_ID.fullmatch(name := cells[labels.index(label)]):
            faults.append(Fault("not an identifier", f"{place}, column {label}", repr(name), "CATALOGUE-NUMBER"))
        else:
            names.append(name)
    faults.extend(twice(names, where, ()))
    return names


def _assemble(
    values: Mapping[str, Any], listed: Sequence[str], tables: Mapping[str, Table], cuts: PopulationCuts
) -> xr.Dataset:
    ids = values["survey_id"].tolist()
    known = set(ids)
    alone = [name for name in listed if name not in known]
    joined = {name: _with_rows(array, alone, name) for name, array in values.items()}
    earlier = _earlier(joined["survey_id"].tolist())
    counter = np.isin(joined["survey_id"].astype(str), np.array(listed, dtype=str))
    if cuts.observations == "last":
        counter &= ~earlier
    sources = {c.variable: f"{t.path.name}, column {c.label}" for t in tables.values() for c in t.columns}
    sources["survey_id"] = " and ".join(
        f"{tables[role].path.name}, column {next(c.label for c in tables[role].columns if c.variable == 'survey_id')}"
        for role in ("galaxies", "counter_rotators")
    )
    sources["counter_rotating"] = f"derived: in {tables['counter_rotators'].path.name}, {cuts.observations} observation"
    sources["system_flag"] = f"derived: f_dm within 0 … 1, quality at least {cuts.min_quality:g}"
    joined |= {"counter_rotating": counter.astype(np.int64), "system_flag": _flags(joined, earlier, cuts)}
    variables = {name: labelled(_KIND, name, v, sources[name]) for name, v in joined.items() if name != "galaxy"}
    names = xr.Variable("galaxy", joined["galaxy"], {"long_name": "observation of a galaxy", "units": ""})
    return xr.Dataset(variables, coords={"galaxy": names})


def _with_rows(array: npt.NDArray[Any], alone: Sequence[str], name: str) -> npt.NDArray[Any]:
    """Add the galaxies of the list that the survey lacks: named by themselves, and nothing known of them."""
    more = np.array(alone, dtype=object) if name in ("galaxy", "survey_id") else np.full(len(alone), np.nan)
    return np.concatenate([array, more])


def _earlier(ids: Sequence[str]) -> npt.NDArray[np.bool_]:
    last = {name: row for row, name in enumerate(ids)}
    return np.array([last[name] != row for row, name in enumerate(ids)], dtype=np.bool_)


def _flags(values: Mapping[str, Any], earlier: npt.NDArray[np.bool_], cuts: PopulationCuts) -> npt.NDArray[np.uint8]:
    f_dm = values["f_dm"]
    low = values["quality"] < cuts.min_quality if "quality" in values else np.zeros(f_dm.shape, dtype=np.bool_)
    flag = np.zeros(f_dm.shape, dtype=np.uint8)
    for meaning, applies in {
        "unmodelled": np.isnan(f_dm),
        "f_dm_out_of_range": (f_dm < 0) | (f_dm > 1),
        "low_quality": low,
        "earlier_observation": earlier,
    }.items():
        flag |= np.where(applies, _BIT[meaning], 0).astype(np.uint8)
    return flag
