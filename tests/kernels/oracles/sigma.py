"""The Σ of Σ-Gravity, after the papers."""

from typing import Any

import numpy as np

from tests.kernels.oracles.common import SCALE_LENGTHS, Labels, Oracle, Values, acceleration, v_bar_sq


def h(v: Values, labels: Labels) -> Any:
    g = np.hypot(acceleration(v), v["g_ext" if labels["external_field"] == "parameter" else "g_environment"])
    g_dagger = v["g_dagger"] * np.sqrt(v["omega_m"] * (1 + v["z"]) ** 3 + 1 - v["omega_m"])
    return np.sqrt(g_dagger / g) * g_dagger / (g_dagger + g)


def amplitude(v: Values, label: str) -> Any:
    if label == "constant":
        return v["A"]
    if label == "path_length":
        return v["A_0"] * v["L"] ** 0.25
    d, length = (v["f_bulge"], 0.3 * v["scale_length_third_point"]) if label == "bulge_fraction" else (v["D"], v["L"])
    return v["A_0"] * (1 - d + d * (length / v["L_0"]) ** v["n"])


def sigma_eff(v: Values, label: str) -> Any:
    """Mass-weighted mean of 10, 25 and 120 km/s."""
    ratios = [1.0, 1.0, 1.0] if label == "unscaled" else [1.0, v["upsilon_disk"], v["upsilon_bulge"]]
    fastest = [v["v_gas_max"], v["v_disk_max"], v["v_bul_max"]]
    return np.average([10.0, 25.0, 120.0], weights=np.array(ratios) * np.array(fastest) ** 2)


def xi(v: Values, labels: Labels) -> Any:
    if labels["window"] == "free_scale":
        return v["xi"]
    length = v[SCALE_LENGTHS[labels["scale_length"]]]
    if labels["window"] not in ("dynamical", "dynamical_power"):
        return np.maximum(v["xi_scale"] * length, 0.01)
    omega = np.interp(length, v["r"], np.sqrt(v_bar_sq(v))) / length
    return np.maximum(v["k_xi"] * sigma_eff(v, labels["sigma_eff"]) / omega, 0.01)


def local_window(v_sq_bar: Any, strength: Any, sigma_v: Any, *, steps: int = 600) -> Any:
    """Iterate V² = V_bar² (1 + A h V²/(V²+σ²)) from above, as the papers do; NaN where that is too slow to settle."""
    v_sq = v_sq_bar * (1 + strength)
    for _ in range(steps):
        v_sq = v_sq_bar * (1 + strength * v_sq / (v_sq + sigma_v**2))
    # A step shrinks by this factor, so 600 steps settle to the last digits below 0.9.
    rate = v_sq_bar * strength * (sigma_v / (v_sq + sigma_v**2)) ** 2
    return np.where(rate < 0.9, v_sq / (v_sq + sigma_v**2), np.nan)


def window(v: Values, labels: Labels, strength: Any) -> Any:
    label = labels["window"]
    if label == "none":
        return 1.0
    if label == "local":
        return local_window(v_bar_sq(v), strength, v["sigma_v"])
    if label == "covariant":
        surface = v["upsilon_disk"] * v["sb_disk"] + v["upsilon_bulge"] * v["sb_bul"]
        # In km/s/kpc.
        per_pc3 = surface / (2 * v["scale_height"] * 1e3)
        rates_sq = np.array([v["theta"], v["H0"]]) ** 2 * (v["kpc"] / 1e3) ** 2
        rate = np.sqrt(4 * np.pi * v["G_galactic"] * 1e9 * per_pc3 + rates_sq.sum())
        return local_window(v_bar_sq(v), strength, rate * v["r"])
    share = v["r"] / (xi(v, labels) + v["r"])
    if label in ("power", "dynamical_power"):
        scale = xi(v, labels)
        return 1 - (scale / (scale + v["r"])) ** v["k"]
    if label == "dispersion":
        ratio = v["sigma_over_vc"] if labels["sigma_ratio"] == "fixed" else v["sigma_v"] / np.sqrt(v_bar_sq(v))
        return share * np.exp(-(ratio**2))
    return share


def sigma(v: Values, labels: Labels) -> Any:
    strength = v["coherence"] * amplitude(v, labels["amplitude"]) * h(v, labels)
    return 1 + strength * window(v, labels, strength)


def rounding(v: Values, labels: Labels, boost: Any) -> Any:
    """One rounding of a window near 1 or 0: where A h is 10⁴, a hundred times 1e-12."""
    return 2.0**-51 * v["coherence"] * amplitude(v, labels["amplitude"]) * h(v, labels)


ORACLES = {"sigma": Oracle(sigma, rounding=rounding)}
