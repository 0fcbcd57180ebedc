"""What baryons are compared with beside Σ-Gravity: a dark halo, and the older empirical kernel of Burr's form."""

import math
from collections.abc import Mapping
from types import MappingProxyType

from sigcube.constants import Constants
from sigcube.model.compile import helper
from sigcube.model.kernel import Kernel
from sigcube.model.record import Parameter, Term
from sigcube.model.vecmath import expm1, log, log1p, pow

__all__ = ["BURR", "NFW", "same_profile"]


def with_halo(v_halo_sq: float, v_bar_sq: float) -> float:
    """Σ = 1 + V_h²/V_bar², so that V² = V_bar² + V_h² (Navarro, Frenk & White 1997)."""
    # A grid has one V_bar² and many V_h²: the division once, the product often.
    return 1.0 + v_halo_sq * (1.0 / v_bar_sq)


def r_200(log_m200: float, G: float, Msun: float, H0: float, kpc: float) -> float:
    """r₂₀₀ in kpc, which encloses 200 ρ_crit = 75 H₀²/πG: r₂₀₀³ = G M₂₀₀/(100 H₀²) (Navarro, Frenk & White 1997)."""
    cube = G * Msun * pow(10.0, log_m200) / (100.0 * H0 * H0)
    return pow(cube, 1.0 / 3.0) / kpc


def v_200_sq(log_m200: float, r_200: float, G: float, Msun: float, kpc: float) -> float:
    """V₂₀₀² = G M₂₀₀/r₂₀₀, (km/s)² (Navarro, Frenk & White 1997)."""
    return 1e-6 * G * Msun * pow(10.0, log_m200) / (r_200 * kpc)


@helper
def enclosed(y: float) -> float:
    """M(<y r_s) of the profile: m(y) = ln(1+y) − y/(1+y)."""
    u = 1.0 + y
    inverse = 1.0 / u
    w = y * inverse
    # With w: −ln(1−w) − w = w²/2 + w³/3 + …, for where the two terms cancel.
    series = 1.0 / 8.0 + w * (1.0 / 9.0 + w * (1.0 / 10.0 + w * (1.0 / 11.0 + w * (1.0 / 12.0 + w * (1.0 / 13.0)))))
    series = 1.0 / 4.0 + w * (1.0 / 5.0 + w * (1.0 / 6.0 + w * (1.0 / 7.0 + w * series)))
    # Elsewhere both terms of the rounded u: m is flat there, so that the rounding does as little harm as with log1p.
    return w * w * (0.5 + w * (1.0 / 3.0 + w * series)) if w < 0.05 else log(u) - (u - 1.0) * inverse


def steepness(r_200: float, c: float) -> float:
    """1/r_s = c/r₂₀₀, 1/kpc (Navarro, Frenk & White 1997)."""
    return c / r_200


def scale_strength(r_200: float, v_200_sq: float, c: float) -> float:
    """G M(<r)/m(r/r_s) = V₂₀₀² r₂₀₀/m(c), kpc (km/s)² (Navarro, Frenk & White 1997)."""
    return v_200_sq * r_200 / enclosed(c)


def v_halo_sq(r: float, steepness: float, scale_strength: float) -> float:
    """V_h² = V₂₀₀² (r₂₀₀/r) m(c r/r₂₀₀)/m(c), (km/s)² (Navarro, Frenk & White 1997, doi:10.1086/304888)."""
    return scale_strength * enclosed(r * steepness) * (1.0 / r)


NFW = Kernel(
    name="nfw",
    title="dark halo of Navarro, Frenk & White",
    source="SI §15.1",
    terms={
        "boost": with_halo,
        "v_halo_sq": v_halo_sq,
        "steepness": steepness,
        "scale_strength": scale_strength,
        "r_200": r_200,
        "v_200_sq": v_200_sq,
    },
    parameters=(
        Parameter("log_m200", "log₁₀ M₂₀₀", 12.0, "dex(solMass)", (6.0, 16.0), "fitted", "SI §15.1", "mass in r₂₀₀"),
        Parameter("c", "c", 10.0, "", (0.1, 100.0), "fitted", "SI §15.1", "concentration"),
    ),
)


def same_profile(v_200: float, c_200: float, hubble: float, constants: Constants) -> tuple[float, float]:
    """Return log₁₀ M₂₀₀ [Msun] and c of a profile that is given for another Hubble constant.

    The profile stays, ρ(r) and r_s, and r₂₀₀ moves to where it encloses 200 ρ_crit at the H₀ of the constants: with
    V₂₀₀ = 10 H₀ r₂₀₀, H₀² c³/m(c) does not depend on H₀ (Navarro, Frenk & White 1997).

    Parameters
    ----------
    v_200 : float
        V₂₀₀ [km/s] for that Hubble constant.
    c_200 : float
        r₂₀₀/r_s for it.
    hubble : float
        That Hubble constant [km/s/Mpc].
    constants : Constants
        Those that the kernel is evaluated with.
    """
    from scipy.optimize import brentq

    there, here = 0.01 * hubble, 0.01 * constants.H0 * constants.kpc  # V₂₀₀/r₂₀₀ = 10 H₀ [km/s/kpc]
    density = (there / here) ** 2 * c_200**3 / enclosed(c_200)
    c = math.exp(brentq(lambda x: 3.0 * x - math.log(enclosed(math.exp(x)) * density), -20.0, 20.0, xtol=1e-14))
    r_200 = c * v_200 / (there * c_200)
    m_200 = (1e3 * here * r_200) ** 2 * r_200 * constants.kpc / (constants.G * constants.Msun)
    return math.log10(m_200), c


def burr_boost(A: float, burr_shape: float) -> float:
    """Σ = 1 + K, K = A × Burr(R) (microphysics; Burr 1942, doi:10.1214/aoms/1177731607)."""
    return 1.0 + A * burr_shape


def burr_depth(r: float, l_0: float, p: float) -> float:
    """ln(1 + (R/ℓ₀)^p) (microphysics; Burr 1942)."""
    return log1p(pow(r / l_0, p))


def burr_shape(burr_depth: float, n: float) -> float:
    """1 − (1 + (R/ℓ₀)^p)^{−n}, written so that small R do not cancel (microphysics; Burr 1942)."""
    return -expm1(-n * burr_depth)


BURR_SHAPE: Mapping[str, Term] = MappingProxyType({"burr_shape": burr_shape, "burr_depth": burr_depth})


BURR_PARAMETERS = (
    Parameter("l_0", "ℓ₀", 5.0, "kpc", (1e-3, 1e4), "calibrated", "microphysics", "coherence length"),
    Parameter("p", "p", 0.757, "", (0.0, 5.0), "calibrated", "microphysics", "inner exponent"),
    Parameter("n", "n", 0.5, "", (0.0, 10.0), "calibrated", "microphysics", "outer exponent"),
)

BURR = Kernel(
    name="burr",
    title="empirical kernel of Burr's form",
    source="microphysics",
    terms={"boost": burr_boost, **BURR_SHAPE},
    # The papers name the form and give its shape, and no amplitude.
    parameters=(
        Parameter("A", "A", 1.0, "", (0.0, 100.0), "fixed", "microphysics", "amplitude; no paper gives one"),
        *BURR_PARAMETERS,
    ),
)
