"""The Σ of coherent metric self-interaction, after the papers."""

from typing import Any

import numpy as np

from tests.kernels.oracles.common import Labels, Oracle, Values, dispersion, v_bar_sq


def cmsi(v: Values, labels: Labels) -> Any:
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


# It grows with (v/c)². At the Sun, V²/(2πGR) is 7e9 Msun/pc², no surface density at all; a disc's 50 leaves
# χ₀ (v/c)² (v/σ_v)^0.825.
ORACLES = {"cmsi": Oracle(cmsi, strong_field=4e-5, solar_system={None: (6e-6, 3.0)})}
