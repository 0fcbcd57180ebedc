"""Choices and parameters that several models share: the flat velocity, the dispersion, the velocity in a formula, g†.

What the papers leave open is a choice here, once for all models that share it.
"""

from operator import attrgetter

import numpy as np

from sigcube.model.compile import helper
from sigcube.model.record import Choice, Option, Parameter, Reduction

__all__ = ["DISPERSION", "FLAT_VELOCITY", "G_DAGGER", "SIGMA_V", "VELOCITY", "middle"]

# The papers do not say over how many points; the scripts behind the printed fits take ten.
_LAST = 10


@helper
def middle(values: "np.ndarray", upper: bool) -> float:
    """Return the upper or the lower of the two middle values, which are one if their number is odd. NaN if one is NaN.

    By counting ranks, ties in the order of the values: systems have tens of points, and this sorts and copies nothing.
    """
    wanted = values.size // 2 if upper else (values.size - 1) // 2
    found = values[0]
    for i in range(values.size):
        if values[i] != values[i]:
            return values[i]
        rank = 0
        for j in range(values.size):
            if values[j] < values[i] or (values[j] == values[i] and j < i):
                rank += 1
        if rank == wanted:
            found = values[i]
    return found


def median_of_last_ten(v_obs: "np.ndarray") -> float:
    """V_flat in km/s, the median of the last ten V_obs, or of all where they are fewer (mass coherence)."""
    last = v_obs[max(v_obs.size - _LAST, 0) :]
    return 0.5 * (middle(last, False) + middle(last, True))


def sigma_of_flat(v_flat: float) -> float:
    """σ_v = 0.15 V_flat, km/s (mass coherence)."""
    return 0.15 * v_flat


FLAT_VELOCITY = Choice(
    name="flat_velocity",
    default="last_ten",
    description="Which velocity is V_flat",
    options={
        "last_ten": Option({"v_flat": Reduction(median_of_last_ten)}, "mass coherence", "median of the last ten V_obs"),
        "catalogue": Option({}, "Lelli, McGaugh & Schombert 2016", "that of the SPARC table, for those that have one"),
    },
)

DISPERSION = Choice(
    name="dispersion",
    default="parameter",
    description="Velocity dispersion σ_v",
    options={
        "parameter": Option({"dispersion": "sigma_v"}, "microphysics", "the parameter sigma_v"),
        "flat": Option({"dispersion": sigma_of_flat}, "mass coherence", "0.15 V_flat"),
    },
)

VELOCITY = Choice(
    name="velocity",
    default="baryonic",
    description="Circular velocity in the formula",
    options={
        "baryonic": Option({"v_c": "v_bar"}, "microphysics", "V_bar"),
        "observed": Option({"v_c": "v_obs"}, "microphysics", "V_obs"),
    },
)

G_DAGGER = Parameter(
    "g_dagger", "g†", attrgetter("g_dagger"), "m/s2", (1e-13, 1e-7), "derived", "main §2.10", "critical acceleration"
)
SIGMA_V = Parameter("sigma_v", "σ_v", 20.0, "km/s", (1e-3, 1e4), "fixed", "microphysics", "velocity dispersion")
