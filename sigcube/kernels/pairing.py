"""Graviton pairing: a condensate of cold systems, K = A · x/(1+x) · [1 − exp(−(R/ℓ)^p)] (microphysics, model 2)."""

from sigcube.kernels.systems import DISPERSION, FLAT_VELOCITY, SIGMA_V
from sigcube.model.kernel import Kernel
from sigcube.model.record import Parameter
from sigcube.model.vecmath import expm1, pow, powr

__all__ = ["PAIRING"]


def boost(A: float, condensate: float, envelope: float) -> float:
    """Σ = 1 + K, K = A G_σ(σ_v) C_R(R) (microphysics, model 2)."""
    return 1.0 + A * (condensate * envelope)


def condensate(dispersion: float, sigma_c: float, gamma: float) -> float:
    """G_σ = x/(1+x), x = (σ_c/σ_v)^γ: 1 for cold systems, 0 for hot ones (the authors' microphysics_pairing.py).

    The notes print the limit 1 for cold systems and the power of σ_c/σ_v alone (microphysics, model 2). Written in 1/x,
    which is 0 where nothing moves.
    """
    return 1.0 / (1.0 + pow(dispersion / sigma_c, gamma))


def envelope(r: float, l_pair: float, p: float) -> float:
    """C_R = 1 − exp(−(R/ℓ)^p) (microphysics, model 2: "radial envelope")."""
    return -expm1(-powr(r / l_pair, p))


PAIRING = Kernel(
    name="pairing",
    title="graviton pairing",
    source="microphysics, model 2",
    terms={"boost": boost, "condensate": condensate, "envelope": envelope},
    choices=(DISPERSION, FLAT_VELOCITY),
    parameters=(
        Parameter("A", "A_pair", 1.0, "", (0.0, 100.0), "fixed", "microphysics", "amplitude"),
        Parameter("sigma_c", "σ_c", 25.0, "km/s", (1e-3, 1e4), "fixed", "microphysics", "critical dispersion"),
        Parameter("gamma", "γ", 2.0, "", (0.0, 10.0), "fixed", "microphysics", "sharpness of the transition"),
        Parameter("l_pair", "ℓ_pair", 5.0, "kpc", (1e-3, 1e4), "fixed", "microphysics", "length of the envelope"),
        Parameter("p", "p", 1.0, "", (0.0, 5.0), "fixed", "microphysics", "exponent of the envelope"),
        SIGMA_V,
    ),
)
