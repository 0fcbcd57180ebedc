"""The resonance integral by brute force: panels that close in on the resonance, twenty nodes in each."""

from typing import Any

import numpy as np

from tests.kernels.oracles.common import Labels, Oracle, Values, dispersion, v_bar_sq

_ENDS = np.log([0.1, 1e4])
_POINTS = np.log(np.logspace(-1.0, 4.0, 256))
_STEPS = np.concatenate([[0.0], 2.0 ** np.arange(-90.0, 5.0)])


def quality(v: Values, labels: Labels) -> Any:
    speed = v["v_obs"] if labels["velocity"] == "observed" else np.sqrt(v_bar_sq(v))
    return (speed / dispersion(v, labels)) ** v["beta_Q"]


def resonance(v: Values, labels: Labels) -> Any:
    r, widths = np.broadcast_arrays(v["r"], quality(v, labels))
    integral = by_panels if labels["quadrature"] == "exact" else by_points
    return 1.0 + v["A"] * np.array(
        [integral(*point, v["alpha"], v["lambda_cut"]) for point in zip(r, widths, strict=True)]
    )


def integrand(t: Any, r: float, quality: float, alpha: float, lambda_cut: float) -> Any:
    """P C W at t = ln(λ/2πR)."""
    wave = 2.0 * np.pi * r * np.exp(t)
    resonant = quality**2 / (quality**2 + (2.0 * np.sinh(t)) ** 2)
    return wave**-alpha * np.exp(-wave / lambda_cut) * resonant / (1.0 + (wave / r) ** 2)


def by_panels(r: float, quality: float, alpha: float, lambda_cut: float) -> float:
    ends = _ENDS - np.log(2.0 * np.pi * r)
    edges = np.unique(np.clip(np.concatenate([-_STEPS, _STEPS, np.linspace(*ends, 40)]), *ends))
    x, weights = np.polynomial.legendre.leggauss(20)
    middle, half = (edges[1:] + edges[:-1]) / 2.0, np.diff(edges) / 2.0
    nodes = middle[:, np.newaxis] + half[:, np.newaxis] * x
    return float(np.sum(half[:, np.newaxis] * weights * integrand(nodes, r, quality, alpha, lambda_cut)))


def by_points(r: float, quality: float, alpha: float, lambda_cut: float) -> float:
    values = integrand(_POINTS - np.log(2.0 * np.pi * r), r, quality, alpha, lambda_cut)
    return float(np.sum(values) * (_POINTS[1] - _POINTS[0]))


def rounding(v: Values, labels: Labels, boost: Any) -> Any:
    """What the quadrature promises; sums of 256 points are sums of 256 points, of a K of any size."""
    if labels["quadrature"] == "exact":
        return 1e-6 * (boost - 1.0)
    # Rounding moves 2 sinh t by some 1e-14, of which a point within a narrow resonance makes more: the relative change
    # of C = Q²/(Q² + x²) is at most dx/Q, and 2 dx/x off the resonance.
    nearest = np.min(abs(_POINTS - np.log(2.0 * np.pi * v["r"])[:, np.newaxis]), axis=1)
    return (1e-11 + 1e-14 * np.minimum(1.0 / nearest, 1.0 / quality(v, labels))) * (boost - 1.0)


# Q and the resonance saturate.
ORACLES = {"resonance": Oracle(resonance, strong_field=0.04, rounding=rounding)}
