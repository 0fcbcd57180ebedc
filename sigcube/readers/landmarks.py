"""Landmarks: tests that rest on one mass, one radius and at most one measurement each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.constants import PAPER
from sigcube.cube import KINDS
from sigcube.errors import DataError, Fault, SpecError, error_from
from sigcube.readers.delimited import dtypes_of, optional_of, read_csv, recipe_faults, twice
from sigcube.readers.padding import labelled
from sigcube.readers.table import convert
from sigcube.readers.typing import Cuts, Table

__all__ = ["LAWS", "LandmarkCuts", "Law", "read_landmarks"]

FloatArray = npt.NDArray[np.float64]

_KIND = KINDS["landmark"]
_BIT = {meaning: np.uint8(1 << bit) for bit, meaning in enumerate(_KIND.variable("system_flag").flags)}
_WORDS = ("landmark", "group", "quantity", "law", "unit", "reference")
_ALWAYS = ("g_ext", "z", "D", "L", "printed")
_NEEDED = (*_WORDS, *_ALWAYS, "r", "separation", "m_bar", "g_bar", "observed", "e_observed")
_AU_IN_KPC = PAPER.AU / PAPER.kpc


@dataclass(frozen=True)
class Law:
    """How the Newtonian prediction of an observable follows from the baryons.

    Attributes
    ----------
    unit : str
        The unit of the observable.
    power : float
        The power of Σ that it goes with.
    needs : str
        What must be known of the baryons: ``"g_bar"`` or ``"m_bar"``; empty for what is 1 by definition.
    """

    unit: str
    power: float
    needs: str = "g_bar"


#: The observables of landmarks (SI §4a).
LAWS: Mapping[str, Law] = {
    "velocity": Law("km/s", 0.5),
    "dispersion": Law("km/s", 0.5),
    "velocity_ratio": Law("", 0.5, ""),
    "acceleration": Law("m/s2", 1.0),
    "mass": Law("solMass", 1.0, "m_bar"),
    "boost": Law("", 1.0, ""),
}


class LandmarkCuts(Cuts):
    """Landmarks have no thresholds: the table itself says what is observed and what is printed."""


def read_landmarks(tables: Mapping[str, Table], *, cuts: LandmarkCuts) -> xr.Dataset:
    """Read a table of landmarks (role ``table``, CSV).

    A landmark has a radius ``r``, or a ``separation`` in AU, and a mass ``m_bar`` or an acceleration ``g_bar``; of each
    pair exactly one, as its source gives it. The other follows, g = G M/r², with the constants of the papers, and so
    does ``newton``: √(g r) for a velocity, √(g r/5) for a dispersion, the acceleration or the mass itself, and 1 for
    the boost and for a velocity over the Newtonian one (SI §4a).

    Parameters
    ----------
    tables : Mapping of str to Table
        The file.
    cuts : LandmarkCuts
        Nothing.

    Returns
    -------
    Dataset
        The variables of a landmark cube.

    Raises
    ------
    DataError
        With every fault of the file.
    SpecError
        If the recipe lacks the file, or a column.
    """
    if faults := list(recipe_faults(tables, _KIND.name, {"table": _NEEDED})):
        raise error_from(SpecError, faults, what="the recipe does not fit the reader", where="reader 'landmarks'")
    table = tables["table"]
    faults = []
    optional = optional_of(_KIND.name) - set(_ALWAYS) | {"r", "g_bar"}
    raw = read_csv(table, dtypes=dtypes_of(_KIND.name), faults=faults, may_be_empty=optional)
    values = _in_units(raw, table) if not faults else {}
    faults += _value_faults(values, table.path.name) if not faults else []
    if faults:
        raise error_from(DataError, faults, what="the landmarks cannot be read", where=str(table.path.parent))
    return _assemble(values, table)


def _in_units(raw: Mapping[str, list[Any]], table: Table) -> dict[str, Any]:
    dtypes = dtypes_of(_KIND.name)
    return {
        column.variable: convert(raw[column.variable], column, _KIND.variable(column.variable).unit)
        if dtypes[column.variable] == "float64"
        else raw[column.variable]
        for column in table.columns
    }


def _value_faults(values: Mapping[str, Any], where: str) -> Iterator[Fault]:
    names = values["landmark"]
    yield from twice(names, where, ())
    for row, (name, law, unit) in enumerate(zip(names, values["law"], values["unit"], strict=True)):
        place = f"{where}, {name or f'row {row + 1}'}"
        numbers = {key: float(values[key][row]) for key in ("r", "separation", "m_bar", "g_bar")}
        yield from _one_of(numbers, "r", "separation", place)
        yield from _one_of(numbers, "m_bar", "g_bar", place)
        yield from (Fault(f"{key} is not above 0", place, f"{x:g}") for key, x in numbers.items() if x <= 0)
        for key in ("g_ext", "z", "D", "L"):
            if values[key][row] < 0:
                yield Fault(f"{key} is below 0", place, f"{values[key][row]:g}")
        if values["printed"][row] not in (0, 1):
            yield Fault("printed is neither 0 nor 1", place, f"{values['printed'][row]:g}")
        yield from _law_faults(law, unit, numbers, place)


def _one_of(numbers: Mapping[str, float], one: str, other: str, place: str) -> Iterator[Fault]:
    given = [key for key in (one, other) if not np.isnan(numbers[key])]
    if len(given) != 1:
        yield Fault("too much or too little is given", place, " and ".join(given) or "neither", f"{one} or {other}")


def _law_faults(law: str, unit: str, numbers: Mapping[str, float], place: str) -> Iterator[Fault]:
    if law not in LAWS:
        yield Fault("there is no such law", place, repr(law), ", ".join(LAWS))
    elif unit != LAWS[law].unit:
        yield Fault(f"the unit is not that of a {law}", place, repr(unit), repr(LAWS[law].unit))
    elif LAWS[law].needs == "m_bar" and np.isnan(numbers["m_bar"]):
        yield Fault("an enclosed mass needs m_bar", place)


def _assemble(values: Mapping[str, Any], table: Table) -> xr.Dataset:
    sources = {column.variable: f"{table.path.name}, column {column.label}" for column in table.columns}
    r = np.where(np.isnan(values["r"]), values["separation"] * _AU_IN_KPC, values["r"])
    g_bar = np.where(np.isnan(values["g_bar"]), _acceleration(values["m_bar"], r), values["g_bar"])
    derived = {
        "r": (r, "; from the separation where that is given, AU = 1.496e11 m, kpc = 3.086e19 m"),
        "g_bar": (g_bar, "; G M/r² where the mass is given, G = 6.674e-11, Msun = 1.989e30 kg, kpc = 3.086e19 m"),
        "newton": (_newton(values, r, g_bar), "derived: law, r, g_bar, m_bar"),
        "power": ([LAWS[law].power for law in values["law"]], "derived: law"),
        "system_flag": (_flags(values), "derived: observed, printed"),
    }
    variables = {
        name: labelled(_KIND, name, array, sources[name]) for name, array in values.items() if name != "landmark"
    }
    variables |= {
        name: labelled(_KIND, name, array, sources.get(name, "") + source) for name, (array, source) in derived.items()
    }
    names = xr.Variable("landmark", np.array(values["landmark"], dtype=object), {"long_name": "landmark", "units": ""})
    return xr.Dataset(variables, coords={"landmark": names})


def _acceleration(mass: FloatArray, r: FloatArray) -> FloatArray:
    """G M/r² [m/s²] of a mass [Msun] at a radius [kpc]."""
    metres = r * PAPER.kpc
    return np.asarray(PAPER.G * PAPER.Msun * mass / (metres * metres), dtype=np.float64)


def _newton(values: Mapping[str, Any], r: FloatArray, g_bar: FloatArray) -> FloatArray:
    v_sq = g_bar * (r * PAPER.kpc) * 1e-6
    by_law = {
        "velocity": np.sqrt(v_sq),
        "dispersion": np.sqrt(v_sq / 5.0),
        "acceleration": g_bar,
        "mass": values["m_bar"],
    }
    one = np.ones_like(r)
    return np.array([by_law.get(law, one)[row] for row, law in enumerate(values["law"])], dtype=np.float64)


def _flags(values: Mapping[str, Any]) -> npt.NDArray[np.uint8]:
    flag = np.where(np.isnan(values["observed"]), _BIT["not_observed"], 0)
    return (flag | np.where(np.asarray(values["printed"]) == 0, _BIT["not_printed"], 0)).astype(np.uint8)
