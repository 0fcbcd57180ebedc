"""Landmarks: tests that rest on one mass, one radius and at most one measurement each."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.constants import PAPER
from sigcube.cube import KINDS
from sigcube.errors import Fault
from sigcube.readers.assembly import column_sources, flag_bits, flat, repeated
from sigcube.readers.contract import NoCuts, check_recipe
from sigcube.readers.formats import Table, read_table, unreadable

__all__ = ["LAWS", "Law", "read_landmarks"]

FloatArray = npt.NDArray[np.float64]

_LANDMARK = KINDS["landmark"]
_ALWAYS = ("landmark", "g_ext", "z", "D", "L")
_TEXT = ("group", "quantity", "law", "unit", "reference")
_COLUMNS = (*_ALWAYS, *_TEXT, "printed", "r", "separation", "m_bar", "g_bar", "observed", "e_observed")
_AU_IN_KPC = PAPER.AU / PAPER.kpc


@dataclass(frozen=True)
class Law:
    """How the Newtonian prediction of an observable follows from the baryons.

    Attributes
    ----------
    unit : str
        The unit of the observable.
    power : float
        The power of Σ that it is proportional to.
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


def read_landmarks(tables: Mapping[str, Table], *, cuts: NoCuts) -> xr.Dataset:
    """Read a table of landmarks (role ``table``).

    A landmark has a radius ``r``, or a ``separation`` in AU, and a mass ``m_bar`` or an acceleration ``g_bar``; of each
    pair exactly one, as its source gives it. The other follows, g = G M/r², with the constants of the papers, and so
    does ``newton``: √(g r) for a velocity, √(g r/5) for a dispersion, the acceleration or the mass itself, and 1 for
    the boost and for a velocity over the Newtonian one (SI §4a). Parameters, result and errors are those of `Reader`.
    """
    check_recipe(tables, "'landmarks'", _LANDMARK, {"table": _COLUMNS})
    table = tables["table"]
    values = read_table(table, kind=_LANDMARK, needed=_ALWAYS)
    if faults := list(_value_faults(values)):
        raise unreadable(table.path, faults)
    sources = column_sources(table)
    sources["r"] += "; from the separation where that is given, AU = 1.496e11 m, kpc = 3.086e19 m"
    sources["g_bar"] += "; G M/r² where the mass is given, G = 6.674e-11, Msun = 1.989e30 kg, kpc = 3.086e19 m"
    sources |= {"newton": "derived: law, r, g_bar, m_bar", "power": "derived: law"}
    sources["system_flag"] = "derived: observed, printed"
    r = np.where(np.isnan(values["r"]), values["separation"] * _AU_IN_KPC, values["r"])
    g_bar = np.where(np.isnan(values["g_bar"]), _acceleration(values["m_bar"], r), values["g_bar"])
    meanings = {"not_observed": np.isnan(values["observed"]), "not_printed": values["printed"] == 0}
    derived = {
        "r": r,
        "g_bar": g_bar,
        "newton": _newton(values, r, g_bar),
        "power": [LAWS[law].power for law in values["law"]],
        "system_flag": flag_bits(_LANDMARK, "system_flag", meanings),
    }
    return flat(_LANDMARK, values | derived, sources)


def _value_faults(values: Mapping[str, Any]) -> Iterator[Fault]:
    yield from repeated(values["landmark"])
    for row, (name, law, unit) in enumerate(zip(values["landmark"], values["law"], values["unit"], strict=True)):
        numbers = {key: float(values[key][row]) for key in ("r", "separation", "m_bar", "g_bar")}
        for pair in (("r", "separation"), ("m_bar", "g_bar")):
            given = [key for key in pair if not np.isnan(numbers[key])]
            if len(given) != 1:
                found = " and ".join(given) or "neither"
                yield Fault("too much or too little is given", name, found, " or ".join(pair))
        yield from (Fault(f"{key} is not above 0", name, f"{x:g}") for key, x in numbers.items() if x <= 0)
        for key in ("g_ext", "z", "D", "L"):
            if values[key][row] < 0:
                yield Fault(f"{key} is below 0", name, f"{values[key][row]:g}")
        if values["printed"][row] not in (0, 1):
            yield Fault("printed is neither 0 nor 1", name, f"{values['printed'][row]}")
        if law not in LAWS:
            yield Fault("there is no such law", name, repr(law), ", ".join(LAWS))
        elif unit != LAWS[law].unit:
            yield Fault(f"the unit is not that of a {law}", name, repr(unit), repr(LAWS[law].unit))
        elif LAWS[law].needs == "m_bar" and np.isnan(numbers["m_bar"]):
            yield Fault("an enclosed mass needs m_bar", name)


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
