"""The resonance integral once more, by brute force: panels that close in on the resonance, twenty nodes in each."""

from collections.abc import Mapping
from typing import Any

import numpy as np
from oracle import Values, v_bar_sq
from oracle_systems import dispersion

_ENDS = np.log([0.1, 1e4])
_STEPS = np.concatenate([[0.0], 2.0 ** np.arange(-34.0, 5.0)])


def resonance(v: Values, labels: Mapping[str, str]) -> Any:
    speed = v["v_obs"] if labels["velocity"] == "observed" else np.sqrt(v_bar_sq(v))
    quality = (speed / dispersion(v, labels)) ** v["beta_Q"]
    r, quality = np.broadcast_arrays(v["r"], quality)
    integral = by_panels if labels["quadrature"] == "exact" else by_trapezoids
    return 1.0 + v["A"] * np.array(
        [integral(*point, v["alpha"], v["lambda_cut"]) for point in zip(r, quality, strict=True)]
    )


def integrand(log_wave: Any, r: float, quality: float, alpha: float, lambda_cut: float) -> Any:
    wave, t = np.exp(log_wave), log_wave - np.log(2.0 * np.pi * r)
    resonant = quality**2 / (quality**2 + (2.0 * np.sinh(t)) ** 2)
    return wave**-alpha * np.exp(-wave / lambda_cut) * resonant / (1.0 + (wave / r) ** 2)


def by_panels(r: float, quality: float, alpha: float, lambda_cut: float) -> float:
    orbit = np.log(2.0 * np.pi * r)
    edges = np.concatenate([orbit - _STEPS, orbit + _STEPS, np.linspace(*_ENDS, 40)])
    edges = np.unique(np.clip(edges, *_ENDS))
    x, weights = np.polynomial.legendre.leggauss(20)
    middle, half = (edges[1:] + edges[:-1]) / 2.0, np.diff(edges) / 2.0
    nodes = middle[:, np.newaxis] + half[:, np.newaxis] * x
    return float(np.sum(half[:, np.newaxis] * weights * integrand(nodes, r, quality, alpha, lambda_cut)))


def by_trapezoids(r: float, quality: float, alpha: float, lambda_cut: float) -> float:
    nodes = np.log(np.logspace(-1.0, 4.0, 256))
    return float(np.trapezoid(integrand(nodes, r, quality, alpha, lambda_cut), nodes))
