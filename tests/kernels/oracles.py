"""The oracle of every kernel, by name, and how near a kernel must come to it."""

from collections.abc import Mapping
from typing import Any

from tests.kernels import oracle, oracle_halos, oracle_resonance, oracle_systems
from tests.kernels.oracle import Values

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
    "resonance": oracle_resonance.resonance,
    "cmsi": oracle_systems.cmsi,
}


def rounding(v: Values, labels: Mapping[str, str], kernel: str, boost: Any) -> Any:
    """What may lie between a kernel and its oracle besides 1e-12 of the boost."""
    if kernel == "sigma":
        # One rounding of a window near 1 or 0: where A h is 10⁴, a hundred times 1e-12.
        return 2.0**-51 * v["coherence"] * oracle.amplitude(v, labels["amplitude"]) * oracle.h(v)
    if kernel == "resonance":
        # What the quadrature promises; sums of 256 points are sums of 256 points, of a K of any size.
        return (1e-6 if labels["quadrature"] == "exact" else 1e-11) * (boost - 1.0)
    return 0.0
