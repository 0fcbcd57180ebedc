"""The Σ of graviton pairing, after the papers."""

from typing import Any

import numpy as np

from tests.kernels.oracles.common import Labels, Oracle, Values, dispersion


def pairing(v: Values, labels: Labels) -> Any:
    ratio = (dispersion(v, labels) / v["sigma_c"]) ** v["gamma"]
    reach = np.asarray(v["r"] / v["l_pair"], dtype=np.longdouble) ** v["p"]
    return np.asarray(1.0 + v["A"] / (1.0 + ratio) * (1.0 - np.exp(-reach)), dtype=float)


# A function of radius and dispersion; r/ℓ at the Sun is more than the 1e-10 that the papers ask for.
ORACLES = {"pairing": Oracle(pairing, strong_field=0.1, solar_system={None: (1e-10, 1e-9)})}
