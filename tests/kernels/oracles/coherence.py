"""Time and mass coherence, after the papers."""

from typing import Any

import numpy as np

from tests.kernels.oracles.common import SCALE_LENGTHS, Labels, Oracle, Values, burr_shape, dispersion, v_bar_sq, v_flat


def exposure(v: Values, labels: Labels) -> Any:
    """Ξ from the times themselves, with radii in km."""
    speed = np.asarray(v["v_obs"]) if labels["velocity"] == "observed" else np.sqrt(v_bar_sq(v))
    r = v["r"] * v.get("kpc", 3.086e19) / 1e3
    noise = r / dispersion(v, labels) ** v["beta"]
    orbit = 2.0 * np.pi * r / speed
    if labels["exposure"] == "mean":
        return np.mean(noise / orbit)
    geometric = orbit if labels["tau_geom"] == "orbit" else r / speed
    return np.median(1.0 / (1.0 / geometric + 1.0 / noise) / orbit)


def k_rough(v: Values, labels: Labels) -> Any:
    return v["K_0"] * exposure(v, labels) ** v["gamma"]


def saturated(v: Values, depth: Any) -> Any:
    x = np.longdouble(depth / v["psi_0"]) ** np.longdouble(v["delta"])
    return float(-v["K_max"] * np.expm1(-x))


def mass_missing(v: Values, labels: Labels) -> Any:
    """With G M_b/c² in kpc."""
    c = v["c"] / 1e3
    if labels["mass"] == "dynamical":
        length = v_flat(v, labels) ** 2 * v["scale_length_outermost"] / c**2
    else:
        length = v["G_galactic"] * (0.5 * v["luminosity"] + 1.33 * v["m_hi"]) / c**2
    r_eff = v["reff_factor"] * v[SCALE_LENGTHS[labels["scale_length"]]]
    return saturated(v, length * v["l_0"] ** 2 / r_eff**3)


def functional_form(v: Values, labels: Labels) -> Any:
    length = v[SCALE_LENGTHS[labels["scale_length"]]]
    hot = v["sigma_ref"] / dispersion(v, labels)
    return v["F_0"] * hot ** v["a_sigma"] * (v["r_ref"] / length) ** v["a_r"]


def missing(v: Values, labels: Labels, factor: Any) -> Any:
    return 1.0 + (factor if labels["missing"] == "alone" else k_rough(v, labels) * factor)


def roughness(v: Values, labels: Labels) -> Any:
    return 1.0 + k_rough(v, labels) + 0.0 * v["r"]


def mass_coherence(v: Values, labels: Labels) -> Any:
    return missing(v, labels, mass_missing(v, labels)) + 0.0 * v["r"]


def velocity_coherence(v: Values, labels: Labels) -> Any:
    return missing(v, labels, saturated(v, (v_flat(v, labels) / v["v_ref"]) ** 2)) + 0.0 * v["r"]


def functional(v: Values, labels: Labels) -> Any:
    return missing(v, labels, functional_form(v, labels)) + 0.0 * v["r"]


def unified(v: Values, labels: Labels) -> Any:
    if labels["combination"] == "sum":
        return 1.0 + k_rough(v, labels) + mass_missing(v, labels) + 0.0 * v["r"]
    x = (v["sigma_c"] / dispersion(v, labels)) ** v["gamma_gate"]
    factor = np.minimum(functional_form(v, labels) * (x / (1.0 + x)), 5.0)
    return 1.0 + k_rough(v, labels) * burr_shape(v) * (1.0 + 0.25 * (factor - 1.0))


# What is one number per system is the same in the Solar System: these are no laws of gravity near stars.
EVERYWHERE = {None: (0.3, 20.0)}

ORACLES = {
    "roughness": Oracle(roughness, strong_field=0.5, solar_system={None: (0.3, 1.0)}),
    "mass_coherence": Oracle(mass_coherence, strong_field=1.0, solar_system=EVERYWHERE),
    "velocity_coherence": Oracle(velocity_coherence, strong_field=1.0, solar_system=EVERYWHERE),
    "functional": Oracle(functional, strong_field=1.0, solar_system=EVERYWHERE),
    # times Burr's form
    "unified": Oracle(unified, strong_field=0.1, solar_system={"product": (2e-8, 1e-6), **EVERYWHERE}),
}
