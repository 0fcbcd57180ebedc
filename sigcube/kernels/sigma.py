"""Σ-Gravity: Σ = 1 + A · W · h(g_N), with every reading of the window, the scale length and the amplitude."""

import math

import numpy as np

from sigcube.kernels.systems import G_DAGGER
from sigcube.model.compile import helper
from sigcube.model.kernel import Kernel
from sigcube.model.record import Choice, Option, Parameter, Reduction
from sigcube.model.vecmath import divide, exp, log, pow

__all__ = ["SIGMA"]


def boost(coherent_amplitude: float, W: float, h: float) -> float:
    """Σ = 1 + A W h (main §2.11)."""
    return 1.0 + coherent_amplitude * (W * h)


def coherent_amplitude(A: float, coherence: float) -> float:
    """Scale Σ − 1 by the environment's coherence (main §5.2)."""
    return coherence * A


def h(g: float, g_dagger_z: float) -> float:
    """h(g) = √(g†/g) · g†/(g†+g) (main §2.9)."""
    return np.sqrt(divide(g_dagger_z, g)) * (g_dagger_z / (g_dagger_z + g))


def g(g_bar: float, g_ext: float) -> float:
    """√(g_int² + g_ext²), m/s² (main §2.14.1)."""
    return np.sqrt(g_bar * g_bar + g_ext * g_ext)


def g_dagger_z(g_dagger: float, z: float, omega_m: float) -> float:
    """g†(z) = g† √(Ω_m (1+z)³ + Ω_Λ), flat, m/s² (SI §8)."""
    return g_dagger * np.sqrt(omega_m * (1.0 + z) * (1.0 + z) * (1.0 + z) + (1.0 - omega_m))


# Windows W: how much of the boost is there at a radius.


def unity() -> float:
    """W = 1."""
    return 1.0


def geometric(r: float, xi: float) -> float:
    """W = r/(ξ+r) (main §2.6)."""
    return r / (xi + r)


def power(r: float, xi: float, k: float) -> float:
    """W = 1 − (ξ/(ξ+r))^k (SI §14)."""
    # Not as a pow: over k alone an exp is left, and what the product rounds does no harm. A relative error of k ln b
    # comes to b^k |ln b^k| ≤ 1/e of it in W, and is below what the difference from 1 rounds where W is small.
    return 1.0 - exp(k * log(xi / (xi + r)))


def dispersed(r: float, xi: float, sigma_ratio: float) -> float:
    """W = r/(ξ+r) · exp(−(σ_v/v_c)²) (main §5.2)."""
    return r / (xi + r) * exp(-sigma_ratio * sigma_ratio)


def local(v_bar_sq: float, coherent_amplitude: float, h: float, sigma_v: float) -> float:
    """W = V²/(V²+σ²) at the predicted V (SI §13.5)."""
    return ordered_share(v_bar_sq, coherent_amplitude * h, sigma_v * sigma_v)


def covariant(v_bar_sq: float, coherent_amplitude: float, h: float, r: float, disorder_sq: float) -> float:
    """W = C = ω²/(ω² + 4πGρ + θ² + H₀²), ω = V/r (main §2.5).

    Main §2.6 has W as C averaged over orbits and leaves the weight open; here it is C at the radius itself, as SI §13.5
    takes it. The text does not say which V; as there, it is the predicted one, so that times r² C is V²/(V²+σ²).
    """
    return ordered_share(v_bar_sq, coherent_amplitude * h, r * r * disorder_sq)


def disorder_sq(density: float, theta: float, H0: float, G_galactic: float, kpc: float) -> float:
    """4πGρ + θ² + H₀², (km/s/kpc)² (main §2.5); θ, H₀ in 1/s."""
    rates = (theta * theta + H0 * H0) * (kpc / 1e3) * (kpc / 1e3)
    return 12.566370614359172 * G_galactic * density + rates


def density(sb_disk: float, sb_bul: float, upsilon_disk: float, upsilon_bulge: float, scale_height: float) -> float:
    """ρ = (Υ_disk I_disk + Υ_bulge I_bulge)/2h, Msun/kpc³ (main §2.5 has ρ and no way to it).

    Of stars alone: the cube has no surface density of gas.
    """
    return (upsilon_disk * sb_disk + upsilon_bulge * sb_bul) * 1e6 / (2.0 * scale_height)


@helper
def ordered_share(v_bar_sq: float, strength: float, variance: float) -> float:
    """V²/(V²+σ²) where V² = V_bar² (1 + A h V²/(V²+σ²)).

    A quadratic in V²; its positive root, in the form that does not cancel.
    """
    b = v_bar_sq * (1.0 + strength) - variance
    c = v_bar_sq * variance
    root = np.sqrt(b * b + 4.0 * c)
    v_sq = 0.5 * (b + root) if b >= 0.0 else 2.0 * c / (root - b)
    return v_sq / (v_sq + variance)


# Coherence scales ξ in kpc.


def xi_geometric(xi_scale: float, scale_length: float) -> float:
    """ξ = x R_d, at least 0.01 kpc (main §2.6, §6.1)."""
    return max(xi_scale * scale_length, 0.01)


def xi_dynamical(k_xi: float, sigma_eff: float, omega_d: float) -> float:
    """ξ = k σ_eff/Ω_d, at least 0.01 kpc (SI §13.2)."""
    return max(k_xi * sigma_eff / omega_d, 0.01)


def omega_d(v_bar_at_scale_length: float, scale_length: float) -> float:
    """Ω_d = V_bar(R_d)/R_d, km/s/kpc (SI §13.2)."""
    return v_bar_at_scale_length / scale_length


def v_bar_at_scale_length(r: "np.ndarray", v_bar: "np.ndarray", scale_length: float) -> float:
    """V_bar at R_d, km/s, for Ω_d (SI §13.2): linear between the points, constant beyond them."""
    i = 0
    while i < r.size and r[i] < scale_length:
        i += 1
    if i == 0:
        return float(v_bar[0])
    if i == r.size:
        return float(v_bar[i - 1])
    t = (scale_length - r[i - 1]) / (r[i] - r[i - 1])
    return float(v_bar[i - 1] + t * (v_bar[i] - v_bar[i - 1]))


@helper
def mass_weighted(gas: float, disk: float, bulge: float) -> float:
    """10 (gas), 25 (disc) and 120 (bulge) km/s, weighted by mass (SI §13.2)."""
    return (10.0 * gas + 25.0 * disk + 120.0 * bulge) / (gas + disk + bulge)


def sigma_eff_scaled(
    v_gas_max: float, v_disk_max: float, v_bul_max: float, upsilon_disk: float, upsilon_bulge: float
) -> float:
    """σ_eff in km/s with max V² at the model's mass-to-light ratios as weights."""
    return mass_weighted(v_gas_max**2, upsilon_disk * v_disk_max**2, upsilon_bulge * v_bul_max**2)


def sigma_eff_unscaled(v_gas_max: float, v_disk_max: float, v_bul_max: float) -> float:
    """σ_eff in km/s with max V² at M/L = 1 as weights."""
    return mass_weighted(v_gas_max**2, v_disk_max**2, v_bul_max**2)


def sigma_ratio_baryonic(sigma_v: float, v_bar: float) -> float:
    """σ_v/v_c with the baryonic circular velocity as v_c."""
    return sigma_v / v_bar


# Amplitudes A.


def unified(A_0: float, D: float, L: float, L_0: float, n: float) -> float:
    """Amplitude A₀ [1 − D + D (L/L₀)^n] (main §2.11)."""
    return A_0 * (1.0 - D + D * pow(L / L_0, n))


def path_length(A_0: float, L: float) -> float:
    """Amplitude A₀ L^{1/4}, L in kpc (main §2.12.1)."""
    return A_0 * np.sqrt(np.sqrt(L))


def disc_thickness(scale_length_third_point: float) -> float:
    """L = 0.3 R_d in kpc, the path length through a disc behind the printed SPARC table."""
    return 0.3 * scale_length_third_point


WINDOW = Choice(
    name="window",
    default="geometric",
    description="Coherence window W(r)",
    options={
        "none": Option({"W": unity}, "main §2.6", "1 everywhere"),
        "geometric": Option({"W": geometric, "xi": xi_geometric}, "main §2.6", "r/(ξ+r), ξ = x R_d"),
        "free_scale": Option({"W": geometric}, "SI §15.1", "r/(ξ+r), ξ the parameter xi"),
        "power": Option({"W": power, "xi": xi_geometric}, "SI §14", "1 − (ξ/(ξ+r))^k, ξ = x R_d"),
        "dynamical": Option({"W": geometric, "xi": xi_dynamical}, "SI §13.2", "r/(ξ+r), ξ = k_ξ σ_eff/Ω_d"),
        "dynamical_power": Option(
            {"W": power, "xi": xi_dynamical}, "main §2.8.5, SI §13.2", "1 − (ξ/(ξ+r))^k, ξ = k_ξ σ_eff/Ω_d"
        ),
        "covariant": Option({"W": covariant}, "main §2.5", "ω²/(ω²+4πGρ+θ²+H₀²), ω = V/r, V as predicted"),
        "local": Option({"W": local}, "SI §13.5", "V²/(V²+σ²), V as predicted"),
        "dispersion": Option({"W": dispersed, "xi": xi_geometric}, "main §5.2", "r/(ξ+r) · exp(−(σ_v/v_c)²)"),
    },
)

SCALE_LENGTH = Choice(
    name="scale_length",
    default="third_point",
    description="Which length is R_d",
    options={
        "third_point": Option({"scale_length": "scale_length_third_point"}, "SI §3.1", "R[N//3] of the kept points"),
        "disk_peak": Option(
            {"scale_length": "scale_length_disk_peak"}, "SI §13.3", "radius of the largest V_disk, R_max/3 if the first"
        ),
        "catalogue": Option({"scale_length": "scale_length_catalogue"}, "main §2.6", "Rdisk of the SPARC table"),
        "outermost": Option({"scale_length": "scale_length_outermost"}, "mass coherence", "the last radius"),
    },
)

AMPLITUDE = Choice(
    name="amplitude",
    default="constant",
    description="Amplitude law A",
    options={
        "constant": Option({}, "main §2.11", "the parameter A"),
        "unified": Option({"A": unified}, "main §2.11", "A₀ [1 − D + D (L/L₀)^n]"),
        "path_length": Option({"A": path_length}, "main §2.12.1", "A₀ L^{1/4}"),
        "bulge_fraction": Option(
            {"A": unified, "D": "f_bulge", "L": disc_thickness},
            "SI §5, printed table",
            "unified with D = f_bulge, L = 0.3 R_d",
        ),
    },
)

SIGMA_EFF = Choice(
    name="sigma_eff",
    default="scaled",
    description="Weights of σ_eff",
    options={
        "scaled": Option({"sigma_eff": sigma_eff_scaled}, "SI §13.2", "max V² after the Υ scaling"),
        "unscaled": Option({"sigma_eff": sigma_eff_unscaled}, "SI §13.2", "max V² before it"),
    },
)

SIGMA_RATIO = Choice(
    name="sigma_ratio",
    default="fixed",
    description="σ_v/v_c of the dispersion window",
    options={
        "fixed": Option({"sigma_ratio": "sigma_over_vc"}, "main §5.2", "the parameter sigma_over_vc"),
        "baryonic": Option({"sigma_ratio": sigma_ratio_baryonic}, "main §5.2", "sigma_v over the local V_bar"),
    },
)

EXTERNAL_FIELD = Choice(
    name="external_field",
    default="parameter",
    description="Which field of the surroundings is g_ext",
    options={
        "parameter": Option({}, "main §2.14.1", "the parameter g_ext, one for all"),
        "catalogue": Option({"g_ext": "g_environment"}, "main §2.14.1", "that of each galaxy, where the cube has it"),
    },
)

SIGMA = Kernel(
    name="sigma",
    title="Σ-Gravity",
    source="main §2.11, SI §1",
    terms={
        "boost": boost,
        "coherent_amplitude": coherent_amplitude,
        "h": h,
        "g": g,
        "g_dagger_z": g_dagger_z,
        "omega_d": omega_d,
        "disorder_sq": disorder_sq,
        "density": density,
        "v_bar_at_scale_length": Reduction(v_bar_at_scale_length),
    },
    choices=(WINDOW, SCALE_LENGTH, AMPLITUDE, SIGMA_EFF, SIGMA_RATIO, EXTERNAL_FIELD),
    parameters=(
        Parameter("A", "A", math.exp(0.5 / math.pi), "", (0.0, 100.0), "derived", "main §2.11", "amplitude"),
        Parameter("xi_scale", "x", 0.5 / math.pi, "", (0.0, 100.0), "derived", "main §2.6", "ξ/R_d"),
        Parameter("xi", "ξ", 1.0, "kpc", (1e-3, 1e4), "fitted", "SI §15.1", "coherence scale, given"),
        G_DAGGER,
        Parameter("k", "k", 1.0, "", (0.0, 20.0), "fixed", "SI §14", "exponent of the power window"),
        Parameter("k_xi", "k_ξ", 0.24, "", (0.0, 20.0), "calibrated", "SI §13.2", "ξ in units of σ_eff/Ω_d"),
        Parameter("sigma_v", "σ_v", 20.0, "km/s", (0.0, 1000.0), "fixed", "SI §13.5", "velocity dispersion"),
        Parameter(
            "sigma_over_vc", "σ_v/v_c", 0.0, "", (0.0, 10.0), "fixed", "main §5.2", "dispersion over circular velocity"
        ),
        Parameter("scale_height", "h", 0.3, "kpc", (1e-3, 1e2), "fixed", "main §2.5", "of stars; no paper gives one"),
        Parameter("theta", "θ", 0.0, "1/s", (0.0, 1e-12), "fixed", "main §2.5", "expansion; 0 for circular orbits"),
        Parameter("A_0", "A₀", math.exp(0.5 / math.pi), "", (0.0, 100.0), "derived", "main §2.11", "base amplitude"),
        Parameter("D", "D", 0.0, "", (0.0, 1.0), "fixed", "main §2.11", "dimensionality: 0 disc, 1 cluster"),
        Parameter("L", "L", 1.5, "kpc", (0.0, 1e5), "fixed", "main §2.12.1", "path length: discs 1.5, clusters 600"),
        Parameter("L_0", "L₀", 0.4, "kpc", (1e-3, 1e3), "calibrated", "main §2.11", "reference path length"),
        Parameter("n", "n", 0.27, "", (0.0, 2.0), "calibrated", "main §2.11", "path-length exponent"),
        Parameter("coherence", "C_env", 1.0, "", (0.0, 1.0), "fixed", "main §5.2", "environment factor on Σ − 1"),
        Parameter("g_ext", "g_ext", 0.0, "m/s2", (0.0, 1e-3), "fixed", "main §2.14.1", "external field"),
        Parameter("z", "z", 0.0, "", (0.0, 2000.0), "fixed", "SI §8", "redshift"),
        Parameter("omega_m", "Ω_m", 0.3, "", (0.0, 1.0), "fixed", "SI §8", "matter density, flat"),
    ),
)
