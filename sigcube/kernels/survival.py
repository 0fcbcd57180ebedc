"""Coherence that must survive on its way: Σ = 1 + A Φ(r) P(r, g) h(g) (SI §9b)."""

import math

import numpy as np

from sigcube.kernels.systems import G_DAGGER
from sigcube.model.kernel import Kernel
from sigcube.model.record import Choice, Option, Parameter
from sigcube.model.vecmath import divide, exp, expm1, pow, powr

__all__ = ["SURVIVAL"]


def boost(A: float, phi: float, survival: float, h: float) -> float:
    """Σ = 1 + A Φ P h (SI §9b)."""
    return 1.0 + A * (phi * survival * h)


def coherence_field(r: float, r_0: float, beta: float) -> float:
    """Φ = 1 − exp(−(r/r₀)^β) (SI §9b)."""
    return -expm1(-powr(r / r_0, beta))


def full_coherence() -> float:
    """Φ = 1, as in the authors' scripts; SI §9b has Φ(r)."""
    return 1.0


def survival(nearness: float, strength: float) -> float:
    """P = exp(−(r₀/r)^β (g/g†)^α) (SI §9b)."""
    return exp(-nearness * strength)


def nearness(r: float, r_0: float, beta: float) -> float:
    """(r₀/r)^β (SI §9b)."""
    return powr(r_0 / r, beta)


def strength(g_bar: float, g_dagger: float, alpha: float) -> float:
    """(g/g†)^α (SI §9b)."""
    return pow(g_bar / g_dagger, alpha)


def h(g_bar: float, g_dagger: float) -> float:
    """h(g) = √(g†/g) · g†/(g†+g) (SI §9b)."""
    return np.sqrt(divide(g_dagger, g_bar)) * (g_dagger / (g_dagger + g_bar))


SURVIVAL = Kernel(
    name="survival",
    title="coherence survival",
    source="SI §9b",
    terms={"boost": boost, "survival": survival, "nearness": nearness, "strength": strength, "h": h},
    choices=(
        Choice(
            name="coherence_field",
            default="yes",
            description="Whether Σ − 1 holds the coherence field Φ(r)",
            options={
                "yes": Option({"phi": coherence_field}, "SI §9b", "1 − exp(−(r/r₀)^β), as in the text"),
                "no": Option({"phi": full_coherence}, "authors' scripts", "Φ = 1, as in the authors' scripts"),
            },
        ),
    ),
    parameters=(
        Parameter("A", "A", math.sqrt(3.0), "", (0.0, 100.0), "derived", "SI §9b", "amplitude: three torsion modes"),
        Parameter("r_0", "r₀", 20.0, "kpc", (1e-3, 1e4), "fitted", "SI §9b", "coherence scale"),
        Parameter("beta", "β", 0.3, "", (0.0, 5.0), "fitted", "SI §9b", "sharpness of the transition in radius"),
        Parameter("alpha", "α", 0.1, "", (0.0, 5.0), "fitted", "SI §9b", "dependence on acceleration"),
        G_DAGGER,
    ),
)
