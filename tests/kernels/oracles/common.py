"""What the oracles share: baryons, lengths, and the properties of whole systems."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np

Values = Mapping[str, Any]
Labels = Mapping[str, str]


@dataclass(frozen=True)
class Oracle:
    """A kernel's Σ once more, in plain NumPy, after the papers and not after the kernel, and what it should be like.

    Attributes
    ----------
    boost : callable
        ``boost(values, labels)``, with the points of one system as arrays of shape ``(n_points,)``, its numbers, the
        parameters and the constants.
    strong_field : float, optional
        For a kernel without a Newtonian limit in strong fields: the least Σ − 1 at 5 kpc, however strong the field.
    solar_system : Mapping
        For a kernel that is not Newtonian at 1 AU from the Sun: the bounds of Σ − 1 there, by the label they are for,
        or None for all others.
    rounding : callable
        ``rounding(values, labels, boost)``, what may lie between kernel and oracle besides 1e-12 of Σ.
    """

    boost: Callable[[Values, Labels], Any]
    strong_field: float | None = None
    solar_system: Mapping[str | None, tuple[float, float]] = field(default_factory=dict)
    rounding: Callable[[Values, Labels, Any], Any] = lambda values, labels, boost: 0.0


SCALE_LENGTHS = {
    "third_point": "scale_length_third_point",
    "disk_peak": "scale_length_disk_peak",
    "catalogue": "scale_length_catalogue",
    "outermost": "scale_length_outermost",
}


def v_bar_sq(v: Values) -> Any:
    sign = np.sign(v["v_gas"]) if v.get("gas", "signed") == "signed" else 1.0
    return sign * v["v_gas"] ** 2 + v["upsilon_disk"] * v["v_disk"] ** 2 + v["upsilon_bulge"] * v["v_bul"] ** 2


def acceleration(v: Values) -> Any:
    """g_N = V²/r in m/s²."""
    return (np.sqrt(v_bar_sq(v)) * 1e3) ** 2 / (v["r"] * v["kpc"])


def predicted(v: Values, boost: Any) -> Any:
    return np.sqrt(v_bar_sq(v)) * np.sqrt(boost)


def v_flat(v: Values, labels: Labels) -> Any:
    return v["v_flat"] if labels["flat_velocity"] == "catalogue" else np.median(np.asarray(v["v_obs"])[-10:])


def dispersion(v: Values, labels: Labels) -> Any:
    return v["sigma_v"] if labels["dispersion"] == "parameter" else 0.15 * v_flat(v, labels)


def burr_shape(v: Values) -> Any:
    """In long doubles: small radii cancel."""
    reach = np.asarray(v["r"] / v["l_0"], dtype=np.longdouble) ** v["p"]
    return np.asarray(-np.expm1(-v["n"] * np.log1p(reach)), dtype=float)
