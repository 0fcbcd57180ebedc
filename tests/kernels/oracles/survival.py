"""The Σ of coherence survival, after the papers."""

from typing import Any

import numpy as np

from tests.kernels.oracles.common import Labels, Oracle, Values, acceleration


def survival(v: Values, labels: Labels) -> Any:
    x, g = v["r"] / v["r_0"], acceleration(v) / v["g_dagger"]
    field = (
        1.0 - np.exp(-(np.asarray(x, dtype=np.longdouble) ** v["beta"])) if labels["coherence_field"] == "yes" else 1
    )
    alive = np.exp(-(x ** -v["beta"]) * g ** v["alpha"])
    return np.asarray(1.0 + v["A"] * field * alive * g**-0.5 / (1.0 + g), dtype=float)


ORACLES = {"survival": Oracle(survival)}
