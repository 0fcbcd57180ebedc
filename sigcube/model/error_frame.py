"""Parameters of errors of the data, and the terms by which they enter a model.

Without such parameters, a frame keeps the same terms, in the same order, with the same bits.
"""

import math
from collections.abc import Collection, Mapping
from dataclasses import replace
from functools import cache
from types import MappingProxyType

import numpy as np

from sigcube.cube import KINDS
from sigcube.model.compile import define
from sigcube.model.likelihood import sine
from sigcube.model.record import Definition, Frame, Parameter, Term

__all__ = [
    "BARYONIC_VELOCITIES",
    "CORRELATION",
    "DISTANCE_POWERS",
    "ERROR_PARAMETERS",
    "G_BAR",
    "QUOTED",
    "extend_frame",
    "possible_parameters",
]

#: Suffix of the quoted values of variables that a shifted distance changes.
QUOTED = "_quoted"

# By unit, except for velocities, which go by name: those of baryons follow from masses, observed ones from spectra.
_POWERS_OF_UNITS = {"kpc": 1.0, "Mpc": 1.0, "solMass": 2.0, "solLum": 2.0}
#: Velocities that baryons alone would give, ∝ the square root of their mass.
BARYONIC_VELOCITIES = ("v_gas", "v_disk", "v_bul", "v_gas_max", "v_disk_max", "v_bul_max")

#: Powers of the distance to which variables of galaxies are proportional; errors stay as quoted.
DISTANCE_POWERS: Mapping[str, float] = MappingProxyType(
    {
        each.name: 0.5
        if each.name in BARYONIC_VELOCITIES
        else _POWERS_OF_UNITS.get(each.unit, 0.0) * (not each.name.startswith("e_"))
        for each in KINDS["galaxy"].variables
    }
)

_LI = "Li+ 2018, A&A 615, A3, §2.2"
_DESMOND = "Desmond 2023, MNRAS 526, 3342"
_KELLY = "Kelly+ 2009, ApJ 698, 895"
_BARTLETT = "Bartlett & Desmond 2023, arXiv:2309.00948"

_PARAMETERS = (
    Parameter("distance_shift", "δ_D", 0.0, "", (-20.0, 20.0), "fitted", _LI, "distance less the quoted one, in σ_D"),
    Parameter("inclination_shift", "δ_i", 0.0, "", (-20.0, 20.0), "fitted", _LI, "inclination less the quoted, in σ_i"),
    Parameter("intrinsic_scatter", "σ_int", 0.0, "dex", (0.0, 1e3), "fitted", _DESMOND, "intrinsic scatter"),
    Parameter(
        "correlation_amplitude", "a", 0.0, "km/s", (0.0, 1e4), "fitted", _KELLY, "amplitude of correlated errors"
    ),
    Parameter("correlation_length", "ℓ", 1.0, "kpc", (1e-6, 1e6), "fitted", _KELLY, "length of correlated errors"),
    Parameter("g_bar_error", "σ_x", 0.0, "dex", (0.0, 10.0), "fitted", _BARTLETT, "error of log₁₀ g_bar"),
    # These depend on the sample, which is unknown here: a sweep without their values is refused.
    Parameter(
        "g_bar_mean", "μ", math.nan, "dex(m/s2)", (-30.0, 10.0), "fitted", _BARTLETT, "mean of the true log₁₀ g_bar"
    ),
    Parameter("g_bar_width", "w", math.nan, "dex", (1e-6, 100.0), "fitted", _BARTLETT, "width of the true log₁₀ g_bar"),
)

#: The parameters of errors that are correlated along the points.
CORRELATION = ("correlation_amplitude", "correlation_length")

#: The parameters of errors of g_bar.
G_BAR = ("g_bar_error", "g_bar_mean", "g_bar_width")

#: Every parameter that an error model may add, by name.
ERROR_PARAMETERS: Mapping[str, Parameter] = MappingProxyType({each.name: each for each in _PARAMETERS})


def distance_factor(distance_quoted: float, e_distance: float, distance_shift: float) -> float:
    """D'/D = 1 + δ_D σ_D/D."""
    return 1.0 + distance_shift * e_distance / distance_quoted


def root_distance_factor(distance_factor: float) -> float:
    """√(D'/D)."""
    return np.sqrt(distance_factor)


def squared_distance_factor(distance_factor: float) -> float:
    """(D'/D)²."""
    return distance_factor * distance_factor


_FACTORS: Mapping[float, Term] = MappingProxyType(
    {1.0: distance_factor, 0.5: root_distance_factor, 2.0: squared_distance_factor}
)


@cache
def _moved(name: str) -> Term:
    """Return the term of a variable of a galaxy at another distance."""
    factor = _FACTORS[DISTANCE_POWERS[name]].__name__
    source = f"def {name}({name}{QUOTED}, {factor}):\n    return {name}{QUOTED} * {factor}\n"
    term: Term = define(source, name, {}, module=__name__)
    return term


def inclination_factor(inclination: float, e_inclination: float, inclination_shift: float) -> float:
    """Return sin i'/sin i, i' = i + δ_i σ_i: beyond 90° a galaxy is seen from its other side."""
    moved = abs(inclination + inclination_shift * e_inclination)
    return sine(moved - 180.0 * np.floor(moved / 180.0)) / sine(inclination)


def inclined(predicted_face_on: float, inclination_factor: float) -> float:
    """V_mod sin i'/sin i, to compare with V_obs as deprojected at the quoted inclination."""
    return predicted_face_on * inclination_factor


def possible_parameters(frame: Frame, *, loglike: bool, correlated: bool, of_g_bar: bool) -> frozenset[str]:
    """Return the names of all error parameters that models may have on a kind of cube."""
    shifts = ("distance_shift", "inclination_shift") if frame.kind == "galaxy" else ()
    of_loglike = ("intrinsic_scatter", *(CORRELATION if correlated else ()), *(G_BAR if of_g_bar else ()))
    return frozenset((*shifts, *(of_loglike if loglike else ())))


def extend_frame(frame: Frame, parameters: Mapping[str, Parameter]) -> Frame:
    """Return a frame with error parameters, and the terms by which they change the prediction."""
    if not parameters:
        return frame
    terms = {**frame.terms, **_terms(frame, parameters)}
    return replace(frame, terms=terms, parameters=(*frame.parameters, *parameters.values()))


def _terms(frame: Frame, parameters: Collection[str]) -> dict[str, Definition]:
    found: dict[str, Definition] = {}
    if "distance_shift" in parameters:
        found |= {term.__name__: term for term in _FACTORS.values()}
        found |= {name: _moved(name) for name, power in DISTANCE_POWERS.items() if power}
    if "inclination_shift" in parameters:
        found["predicted_face_on"] = frame.terms["predicted"]
        found |= {"inclination_factor": inclination_factor, "predicted": inclined}
    return found
