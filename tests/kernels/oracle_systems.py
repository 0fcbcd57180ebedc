"""Time and mass coherence, and pairing, once more, after the papers: see `oracle`."""

from collections.abc import Mapping
from typing import Any

import numpy as np

from tests.kernels.oracle import SCALE_LENGTHS, Values, v_bar_sq
from tests.kernels.oracle_halos import burr_shape

LABELS = Mapping[str, str]


def v_flat(v: Values, labels: LABELS) -> Any:
    return v["v_flat"] if labels["flat_velocity"] == "catalogue" else np.median(np.asarray(v["v_obs"])[-10:])


def dispersion(v: Values, labels: LABELS) -> Any:
    return v["sigma_v"] if labels["dispersion"] == "parameter" else 0.15 * v_flat(v, labels)


def exposure(v: Values, labels: LABELS) -> Any:
    """Ξ from the times themselves, with radii in km."""
    speed = np.asarray(v["v_obs"]) if labels["velocity"] == "observed" else np.sqrt(v_bar_sq(v))
    r = v["r"] * v.get("kpc", 3.086e19) / 1e3
    noise = r / dispersion(v, labels) ** v["beta"]
    orbit = 2.0 * np.pi * r / speed
    if labels["exposure"] == "mean":
        return np.mean(noise / orbit)
    geometric = orbit if labels["tau_geom"] == "orbit" else r / speed
    return np.median(1.0 / (1.0 / geometric + 1.0 / noise) / orbit)


def k_rough(v: Values, labels: LABELS) -> Any:
    return v["K_0"] * exposure(v, labels) ** v["gamma"]


def saturated(v: Values, depth: Any) -> Any:
    x = np.longdouble(depth / v["psi_0"]) ** np.longdouble(v["delta"])
    return float(-v["K_max"] * np.expm1(-x))


def mass_missing(v: Values, labels: LABELS) -> Any:
    """With G M_b/c² in kpc."""
    c = v["c"] / 1e3
    if labels["mass"] == "dynamical":
        length = v_flat(v, labels) ** 2 * v["scale_length_outermost"] / c**2
    else:
        length = v["G_galactic"] * (0.5 * v["luminosity"] + 1.33 * v["m_hi"]) / c**2
    r_eff = v["reff_factor"] * v[SCALE_LENGTHS[labels["scale_length"]]]
    return saturated(v, length * v["l_0"] ** 2 / r_eff**3)


def functional_form(v: Values, labels: LABELS) -> Any:
    length = v[SCALE_LENGTHS[labels["scale_length"]]]
    hot = v["sigma_ref"] / dispersion(v, labels)
    return v["F_0"] * hot ** v["a_sigma"] * (v["r_ref"] / length) ** v["a_r"]


def missing(v: Values, labels: LABELS, factor: Any) -> Any:
    return 1.0 + (factor if labels["missing"] == "alone" else k_rough(v, labels) * factor)


def roughness(v: Values, labels: LABELS) -> Any:
    return 1.0 + k_rough(v, labels) + 0.0 * v["r"]


def mass_coherence(v: Values, labels: LABELS) -> Any:
    return missing(v, labels, mass_missing(v, labels)) + 0.0 * v["r"]


def velocity_coherence(v: Values, labels: LABELS) -> Any:
    return missing(v, labels, saturated(v, (v_flat(v, labels) / v["v_ref"]) ** 2)) + 0.0 * v["r"]


def functional(v: Values, labels: LABELS) -> Any:
    return missing(v, labels, functional_form(v, labels)) + 0.0 * v["r"]


def unified(v: Values, labels: LABELS) -> Any:
    if labels["combination"] == "sum":
        return 1.0 + k_rough(v, labels) + mass_missing(v, labels) + 0.0 * v["r"]
    x = (v["sigma_c"] / dispersion(v, labels)) ** v["gamma_gate"]
    factor = np.minimum(functional_form(v, labels) * (x / (1.0 + x)), 5.0)
    return 1.0 + k_rough(v, labels) * burr_shape(v) * (1.0 + 0.25 * (factor - 1.0))


def pairing(v: Values, labels: LABELS) -> Any:
    ratio = (dispersion(v, labels) / v["sigma_c"]) ** v["gamma"]
    reach = np.asarray(v["r"] / v["l_pair"], dtype=np.longdouble) ** v["p"]
    return np.asarray(1.0 + v["A"] / (1.0 + ratio) * (1.0 - np.exp(-reach)), dtype=float)


def cmsi(v: Values, labels: LABELS) -> Any:
    c = v["c"] / 1e3
    profile = 30.0 * np.exp(-v["r"] / 4.0) + 8.0
    sigma = profile if labels["dispersion"] == "profile" else dispersion(v, labels)
    per_kpc2 = (v["upsilon_disk"] * v["v_disk"] ** 2 + v["v_gas"] ** 2) / (2.0 * np.pi * v["G_galactic"] * v["r"])
    surface = per_kpc2 / 1e6 if labels["surface_density"] == "velocities" else v["sigma_s"]
    source = (surface / v["sigma_ref"]) ** v["epsilon"]
    rough = labels["form"] == "with_roughness"
    source = np.minimum(source, 2.0) if rough else source
    fall = (1.0 + (v["r"] / v["l_0"]) ** v["n"]) ** (-1.0 / v["n"])

    def factor(speed: Any) -> Any:
        f = 1.0 + v["chi_0"] * (speed / c) ** 2 * source * ((speed / sigma) ** v["gamma"]) ** v["alpha"] * fall
        xi = np.minimum(1.0, speed / sigma) / (2.0 * np.pi)
        return f * (1.0 + v["K_0"] * xi ** v["gamma_rough"] * source) if rough else f

    v_bar = np.sqrt(v_bar_sq(v))
    speed = v_bar
    for _ in range(1 if labels["velocity"] == "baryonic" else 3):
        found = factor(speed)
        speed = v_bar * np.sqrt(found)
    return found
