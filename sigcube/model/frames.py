"""The frames of models for each kind of cube: baryonic acceleration in, observable out."""

from collections.abc import Mapping
from types import MappingProxyType

import numpy as np
import xarray as xr

from sigcube.cube import kind_of
from sigcube.errors import DataError
from sigcube.model import milky_way
from sigcube.model.compile import helper
from sigcube.model.graph import Variables
from sigcube.model.record import Choice, Frame, Option, Parameter
from sigcube.model.vecmath import divide, pow

__all__ = ["FRAMES", "frame_of", "variables_of"]

# Terms that frames share.


def v_bar(v_bar_sq: float) -> float:
    """V_bar = √V_bar², km/s (SI §1)."""
    return np.sqrt(v_bar_sq)


def v_bar_sq_of_g(g_bar: float, r: float, kpc: float) -> float:
    """V_bar² = g_N r, (km/s)² (main §6.1)."""
    return g_bar * (r * kpc) * 1.0e-6


def g_bar_of_v(v_bar_sq: float, r: float, kpc: float) -> float:
    """g_N = V_bar²/r, m/s² (main §6.1)."""
    return divide(v_bar_sq * 1.0e6, r * kpc)


def velocity_error_floor() -> float:
    """Least error of a velocity in χ²: 0.1 km/s, as main §3.5 names none and some points have zero."""
    return 0.1


def no_error_floor() -> float:
    """Errors as they are given (Tian+ 2020)."""
    return 0.0


def whole_log_ratio(log_ratio: float) -> float:
    """log₁₀(V_obs/V_pred) where a velocity is observed (main §3.5)."""
    return log_ratio


def half_log_ratio(log_ratio: float) -> float:
    """½ log₁₀ of the ratio where an acceleration or a mass is observed: both go as V² (main §3.5)."""
    return 0.5 * log_ratio


# Rotation curves of galaxies.


def v_bar_sq(v_gas: float, v_disk: float, v_bul: float, upsilon_disk: float, upsilon_bulge: float) -> float:
    """V_bar² = V_gas |V_gas| + Υ_disk V_disk² + Υ_bulge V_bul², (km/s)² (SI §3.1; V_gas is signed)."""
    return v_gas * abs(v_gas) + upsilon_disk * (v_disk * v_disk) + upsilon_bulge * (v_bul * v_bul)


def v_bar_sq_unsigned(v_gas: float, v_disk: float, v_bul: float, upsilon_disk: float, upsilon_bulge: float) -> float:
    """V_bar² = V_gas² + Υ_disk V_disk² + Υ_bulge V_bul², (km/s)² (SI §1: without the sign of the gas)."""
    return v_gas * v_gas + upsilon_disk * (v_disk * v_disk) + upsilon_bulge * (v_bul * v_bul)


def circular_velocity(v_bar_sq: float, boost: float) -> float:
    """V_pred = V_bar √Σ, km/s (SI §1)."""
    return np.sqrt(v_bar_sq * boost)


GAS = Choice(
    name="gas",
    default="signed",
    description="Whether gas that pulls outwards does so in V_bar",
    options={
        "signed": Option({"v_bar_sq": v_bar_sq}, "SI §3.1", "V_gas |V_gas|"),
        "unsigned": Option(
            {"v_bar_sq": v_bar_sq_unsigned},
            "SI §1; mass coherence, microphysics, CMSI: the printed fits",
            "V_gas²",
        ),
    },
)


def _mass_to_light(name: str, symbol: str, default: float, part: str) -> Parameter:
    description = f"{part} mass-to-light ratio, 3.6 µm"
    return Parameter(name, symbol, default, "Msun/solLum", (0.0, 20.0), "fixed", "SI §1", description)


GALAXY = Frame(
    kind="galaxy",
    system_dim="galaxy",
    terms={
        "v_bar_sq": v_bar_sq,
        "v_bar": v_bar,
        "g_bar": g_bar_of_v,
        "predicted": circular_velocity,
        "observed": "v_obs",
        "error": "e_v_obs",
        "error_floor": velocity_error_floor,
        "log_v_ratio": whole_log_ratio,
    },
    parameters=(
        _mass_to_light("upsilon_disk", "Υ_disk", 0.5, "disc"),
        _mass_to_light("upsilon_bulge", "Υ_bulge", 0.7, "bulge"),
    ),
    choices=(GAS,),
    predicted_unit="km/s",
)

# Stars of the Milky Way.

_disc_v_sq = helper(milky_way.disc_v_sq)
_bulge_v_sq = helper(milky_way.bulge_v_sq)


def v_bar_sq_milky_way(
    r: float,
    disk_mass: float,
    disk_scale: float,
    gas_mass: float,
    gas_scale: float,
    bulge_mass: float,
    bulge_scale: float,
    v_bar_scaling: float,
    G_galactic: float,
) -> float:
    """V_bar² of disc, gas and bulge, scaled to match SPARC, (km/s)² (main §3.3; `sigcube.model.milky_way`)."""
    disk = _disc_v_sq(r, disk_mass, disk_scale, G_galactic)
    gas = _disc_v_sq(r, gas_mass, gas_scale, G_galactic)
    bulge = _bulge_v_sq(r, bulge_mass, bulge_scale, G_galactic)
    return (disk + gas + bulge) * (v_bar_scaling * v_bar_scaling)


def asymmetric_drift(v_circ: float, r: float, sigma_r: float, disk_scale_length: float) -> float:
    """V_a = σ_R²/(2 V_c) · (R/R_d − 1) within 0 … 50 km/s (SI §7, after Binney & Tremaine 2008, §4.8.2)."""
    drift = sigma_r * sigma_r / (2.0 * v_circ) * (r / disk_scale_length - 1.0)
    return min(max(drift, 0.0), 50.0)


def without_drift() -> float:
    """V_a = 0 (SI §7)."""
    return 0.0


def azimuthal_velocity(v_circ: float, v_drift: float) -> float:
    """Mean v_φ = V_c − V_a, km/s (SI §7)."""
    return v_circ - v_drift


DRIFT = Choice(
    name="drift",
    default="asymmetric",
    description="By how much stars lag behind the circular velocity",
    options={
        "asymmetric": Option({"v_drift": asymmetric_drift}, "SI §7", "σ_R²/(2V_c) · (R/R_d − 1), 0 … 50 km/s"),
        "none": Option({"v_drift": without_drift}, "SI §7", "not at all"),
    },
)


def _component(name: str, symbol: str, default: float, unit: str, description: str) -> Parameter:
    return Parameter(name, symbol, default, unit, (0.0, 1e13), "fixed", "main §3.3", description)


STAR = Frame(
    kind="star",
    system_dim=None,
    terms={
        "v_bar_sq": v_bar_sq_milky_way,
        "v_bar": v_bar,
        "g_bar": g_bar_of_v,
        "v_circ": circular_velocity,
        "predicted": azimuthal_velocity,
        "observed": "v_phi",
        "error": "e_v_phi",
        "error_floor": velocity_error_floor,
        "log_v_ratio": whole_log_ratio,
        "scale_length_catalogue": "disk_scale_length",
    },
    parameters=(
        _component("disk_mass", "M_disk", milky_way.DISK[0], "solMass", "mass of the stellar disc"),
        _component("disk_scale", "a_disk", milky_way.DISK[1], "kpc", "scale of the stellar disc"),
        _component("gas_mass", "M_gas", milky_way.GAS[0], "solMass", "mass of the gas"),
        _component("gas_scale", "a_gas", milky_way.GAS[1], "kpc", "scale of the gas"),
        _component("bulge_mass", "M_bulge", milky_way.BULGE[0], "solMass", "mass of the bulge"),
        _component("bulge_scale", "b", milky_way.BULGE[1], "kpc", "scale of the bulge"),
        _component("v_bar_scaling", "f", milky_way.VELOCITY_SCALING, "", "factor on V_bar, to match SPARC"),
        Parameter(
            "disk_scale_length",
            "R_d",
            milky_way.DISK_SCALE_LENGTH,
            "kpc",
            (1e-3, 1e3),
            "fixed",
            "main §3.3",
            "scale length of the stellar disc",
        ),
    ),
    choices=(DRIFT,),
    defaults={"scale_length": "catalogue"},
    predicted_unit="km/s",
)

# Clusters.


def g_bar_of_mass(m_bar: float, r: float, G: float, Msun: float, kpc: float) -> float:
    """g_N = G M_bar/r², m/s² (main §4.3)."""
    return G * Msun * m_bar / ((r * kpc) * (r * kpc))


def acceleration(g_bar: float, boost: float) -> float:
    """G_pred = g_N Σ, m/s² (main §2.11)."""
    return g_bar * boost


def enclosed_mass(m_bar: float, boost: float) -> float:
    """M_pred(<r) = M_bar Σ, Msun (main §4.3)."""
    return m_bar * boost


OBSERVABLE = Choice(
    name="observable",
    default="acceleration",
    description="What is compared with the data",
    options={
        "acceleration": Option(
            {"predicted": acceleration, "observed": "g_obs", "error": "e_g_obs"},
            "Tian+ 2020",
            "acceleration at the radius",
            unit="m/s2",
        ),
        "mass": Option(
            {"g_bar": g_bar_of_mass, "predicted": enclosed_mass, "observed": "m_obs", "error": "e_m_obs"},
            "main §4.3",
            "mass enclosed within the radius",
            unit="solMass",
        ),
    },
)

CLUSTER = Frame(
    kind="cluster",
    system_dim="cluster",
    terms={
        "v_bar_sq": v_bar_sq_of_g,
        "v_bar": v_bar,
        "error_floor": no_error_floor,
        "log_v_ratio": half_log_ratio,
    },
    parameters=(),
    choices=(OBSERVABLE,),
    # Main §4.3: W = 1, and the unified amplitude of three-dimensional systems, A ≈ 8.45.
    defaults={"window": "none", "amplitude": "unified", "D": 1.0, "L": 600.0},
    predicted_unit="m/s2",
)

# Landmarks.


def in_its_own_unit(newton: float, power: float, boost: float) -> float:
    """Take the Newtonian value times Σ^p: p = 1 for accelerations and masses, ½ for velocities (SI §1)."""
    return newton * pow(boost, power)


LANDMARK = Frame(
    kind="landmark",
    system_dim="landmark",
    terms={
        "v_bar_sq": v_bar_sq_of_g,
        "v_bar": v_bar,
        "predicted": in_its_own_unit,
        "error": "e_observed",
        "error_floor": no_error_floor,
    },
    parameters=(),
    # Each landmark has its own field around, redshift, and path length through a disc or a cluster.
    measured=frozenset({"g_ext", "z", "D", "L"}),
    defaults={"window": "none", "amplitude": "unified"},
    predicted_unit="",
)

#: The frame of each kind of cube; kinds without accelerations have none.
FRAMES: Mapping[str, Frame] = MappingProxyType({frame.kind: frame for frame in (GALAXY, STAR, CLUSTER, LANDMARK)})


def frame_of(cube: xr.Dataset) -> Frame:
    """Return the frame for a cube's kind.

    Raises
    ------
    DataError
        For a Dataset that is not a cube, or a kind without a frame.
    """
    kind = kind_of(cube).name
    if kind not in FRAMES:
        raise DataError(
            f"no model predicts anything for a {kind} cube",
            where=str(cube.attrs.get("title")),
            expected=" or ".join(FRAMES),
        )
    return FRAMES[kind]


def variables_of(cube: xr.Dataset) -> Variables:
    """Return the names of a cube's numeric variables, split into those of points and those of systems."""
    dims = set(kind_of(cube).dims)
    # Not by way of arrays with coordinates, of which dozens would be made.
    numeric = {str(name): cube.variables[name] for name in cube.data_vars if cube.variables[name].dtype.kind in "fiu"}
    points = frozenset(name for name, variable in numeric.items() if set(variable.dims) == dims)
    return Variables(points, frozenset(numeric) - points)
