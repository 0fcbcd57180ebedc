"""Galaxies of a survey: a table of dynamical models, and a list of those with counter-rotating stellar discs."""

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import numpy as np
import xarray as xr

from sigcube.cube import KINDS
from sigcube.errors import DataError, Fault, SpecError, error_from
from sigcube.readers.assembly import column_sources, flag_bits, flat, repeated
from sigcube.readers.contract import Cuts, check_recipe
from sigcube.readers.formats import RowSource, Table, guarded, read_rows, read_table, read_whole, text_lines

__all__ = ["PopulationCuts", "read_dynpop"]

_POPULATION = KINDS["population"]
_NEEDED = {"galaxies": ("galaxy", "survey_id"), "models": ("f_dm",), "counter_rotators": ("survey_id",)}
# MaNGA numbers galaxies by the catalogue of targets and the object in it (Wake+ 2017).
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
    ``galaxies``) identifies the galaxies, extension 4 (role ``models``) holds the model with an NFW halo.
    Bevacqua+ 2022, MNRAS 511, 139 (role ``counter_rotators``): VizieR's text, cells separated by bars.

    Identifiers are compared without the blanks around them, which FITS and VizieR pad with. A galaxy is named by its
    observation, plate and bundle, since some were observed more than once; a counter-rotator that is not in the
    survey's table keeps its own identifier, and is flagged ``unmodelled``. Parameters, result and errors are those of
    `Reader`.
    """
    check_recipe(tables, "'dynpop'", _POPULATION, _NEEDED)
    if (n := len(tables["counter_rotators"].columns)) > 1:
        what, where = "only identifiers are read from this list", "files.counter_rotators.columns"
        raise SpecError(what, where=where, found=str(n), expected="1 column")
    galaxies = read_table(tables["galaxies"], kind=_POPULATION, needed=("galaxy",))
    models = read_table(tables["models"], kind=_POPULATION)
    faults: list[Fault] = []
    listed = _read_list(tables["counter_rotators"], faults)
    faults += _catalogue_faults(galaxies, models, listed, tables)
    if faults:
        where = ", ".join(sorted({str(table.path.parent) for table in tables.values()}))
        raise error_from(DataError, faults, what="the tables cannot be matched", where=where)
    return _match(galaxies | models, listed, tables, cuts)


def _catalogue_faults(
    galaxies: Mapping[str, Any], models: Mapping[str, Any], listed: Sequence[str], tables: Mapping[str, Table]
) -> Iterator[Fault]:
    file, models_file = (tables[role].path.name for role in ("galaxies", "models"))
    names, ids = galaxies["galaxy"].tolist(), galaxies["survey_id"].tolist()
    if len(names) != models["f_dm"].size:
        found = f"{len(names)} galaxies and {models['f_dm'].size} models"
        yield Fault("the extensions differ in rows", models_file, found, "one model a galaxy")
    for name in sorted(galaxies.keys() & models.keys()):
        yield Fault(f"{name!r} is in both tables", models_file, expected="in one")
    yield from repeated(names, file)
    label = next(column.label for column in tables["galaxies"].columns if column.variable == "survey_id")
    wrong = [(row, name) for row, name in enumerate(ids, start=1) if not _MANGA_ID.fullmatch(name)]
    for row, name in wrong[:20]:
        yield Fault("not an identifier", f"{file} row {row}, column {label}", repr(name), "CATALOGUE-NUMBER")
    for name in sorted(set(listed).difference(ids).intersection(names)):
        yield Fault("an observation is named like a galaxy of the list", file, repr(name))


def _read_list(table: Table, faults: list[Fault]) -> list[str]:
    """Return the identifiers of VizieR's text: comments, labels, units, dashes, rows."""
    where, wrong = table.path.name, list[Fault]()
    with guarded(table.path):
        lines = text_lines(read_whole(table.path), wrong, where=where)
    if wrong:
        faults += wrong
        return []
    rows = [(n, [cell.strip() for cell in line.split("|")]) for n, line in lines if not line.startswith("#")]
    ruled = [i for i, (_, cells) in enumerate(rows) if all(cell and not cell.strip("-") for cell in cells)]
    source = RowSource(rows[0][1] if rows else [], {})
    for number, cells in rows[ruled[0] + 1 :] if ruled else ():
        source.add(number, cells)
    names: list[str] = read_rows(source, table.columns, kind=_POPULATION, where=where, faults=wrong)[
        "survey_id"
    ].tolist()
    if rows and (len(ruled) != 1 or ruled[0] > 2):
        wrong = [Fault("there is not one line of dashes under the labels and their units", where)]
    label = table.columns[0].label
    for row, name in enumerate(names):
        if not _MANGA_ID.fullmatch(name):
            place = f"{where}, {source.places([row])[row]}, column {label}"
            wrong.append(Fault("not an identifier", place, repr(name), "CATALOGUE-NUMBER"))
    faults += [*wrong, *repeated(names, where)]
    return names


def _match(
    values: Mapping[str, Any], listed: Sequence[str], tables: Mapping[str, Table], cuts: PopulationCuts
) -> xr.Dataset:
    ids = values["survey_id"].tolist()
    known = set(ids)
    # Galaxies of the list that the survey lacks: nothing is known about them but their identifiers.
    alone = [name for name in listed if name not in known]
    unknown = np.full(len(alone), np.nan)
    joined = {
        name: np.concatenate([array, np.array(alone, dtype=object) if name in _NEEDED["galaxies"] else unknown])
        for name, array in values.items()
    }
    ids += alone
    last = {name: row for row, name in enumerate(ids)}
    earlier = np.array([last[name] != row for row, name in enumerate(ids)], dtype=np.bool_)
    counter = np.isin(joined["survey_id"].astype(str), np.array(listed, dtype=str))
    if cuts.observations == "last":
        counter &= ~earlier
    f_dm = joined["f_dm"]
    meanings = {
        "unmodelled": np.isnan(f_dm),
        "f_dm_out_of_range": (f_dm < 0) | (f_dm > 1),
        "low_quality": joined.get("quality", np.full(f_dm.shape, np.nan)) < cuts.min_quality,
        "earlier_observation": earlier,
    }
    joined |= {"counter_rotating": counter, "system_flag": flag_bits(_POPULATION, "system_flag", meanings)}
    of_the_list = tables["counter_rotators"]
    sources = column_sources(tables["galaxies"], tables["models"])
    sources["survey_id"] += f" and {column_sources(of_the_list)['survey_id']}"
    sources["counter_rotating"] = f"derived: in {of_the_list.path.name}, {cuts.observations} observation"
    sources["system_flag"] = f"derived: f_dm within 0 … 1, quality at least {cuts.min_quality:g}"
    return flat(_POPULATION, joined, sources, name="observation of a galaxy")
