"""How a model meets each kind of cube: baryonic acceleration in, observable out."""

import numpy as np

from sigcube.kernels.graph import Frame
from sigcube.kernels.record import Parameter

__all__ = ["FRAMES"]


def v_bar_sq(v_gas: float, v_disk: float, v_bul: float, upsilon_disk: float, upsilon_bulge: float) -> float:
    """V_bar² = V_gas |V_gas| + Υ_disk V_disk² + Υ_bulge V_bul², (km/s)² (SI §1; V_gas is signed)."""
    return v_gas * abs(v_gas) + upsilon_disk * (v_disk * v_disk) + upsilon_bulge * (v_bul * v_bul)


def v_bar(v_bar_sq: float) -> float:
    """V_bar = √V_bar², km/s (SI §1)."""
    return np.sqrt(v_bar_sq)


def g_bar(v_bar_sq: float, r: float, kpc: float) -> float:
    """g_N = V_bar²/r, m/s² (SI §1)."""
    return v_bar_sq * 1.0e6 / (r * kpc)


def predicted(v_bar_sq: float, boost: float) -> float:
    """V_pred = V_bar √Σ, km/s (SI §1)."""
    return np.sqrt(v_bar_sq * boost)


GALAXY = Frame(
    kind="galaxy",
    terms={
        "v_bar_sq": v_bar_sq,
        "v_bar": v_bar,
        "g_bar": g_bar,
        "predicted": predicted,
        "observed": "v_obs",
        "error": "e_v_obs",
    },
    parameters=(
        Parameter(
            "upsilon_disk",
            "Υ_disk",
            0.5,
            "Msun/solLum",
            (0.0, 20.0),
            "fixed",
            "SI §1",
            "disc mass-to-light ratio, 3.6 µm",
        ),
        Parameter(
            "upsilon_bulge",
            "Υ_bulge",
            0.7,
            "Msun/solLum",
            (0.0, 20.0),
            "fixed",
            "SI §1",
            "bulge mass-to-light ratio, 3.6 µm",
        ),
    ),
    predicted_unit="km/s",
)

FRAMES = {"galaxy": GALAXY}
