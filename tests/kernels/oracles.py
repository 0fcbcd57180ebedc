"""The oracle of every kernel, by name, and how near a kernel must come to it."""

from collections.abc import Mapping
from typing import Any

import oracle
import oracle_halos
import oracle_systems
from oracle import Values

BOOST = {
    "newton": oracle.newton,
    "mond": oracle.mond,
    "sigma": oracle.sigma,
    "nfw": oracle_halos.nfw,
    "burr": oracle_halos.burr,
    "survival": oracle_halos.survival,
    "roughness": oracle_systems.roughness,
    "mass_coherence": oracle_systems.mass_coherence,
    "velocity_coherence": oracle_systems.velocity_coherence,
    "functional": oracle_systems.functional,
    "unified": oracle_systems.unified,
    "pairing": oracle_systems.pairing,
}


def rounding(v: Values, labels: Mapping[str, str], kernel: str, boost: Any) -> Any:
    """What may lie between a kernel and its oracle besides 1e-12 of the boost."""
    if kernel == "sigma":
        # One rounding of a window near 1 or 0: where A h is 10⁴, a hundred times 1e-12.
        return 2.0**-51 * v["coherence"] * oracle.amplitude(v, labels["amplitude"]) * oracle.h(v)
    return 0.0
