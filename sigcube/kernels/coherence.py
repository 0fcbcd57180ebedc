"""Time coherence and mass coherence: enhancements that are one number a system (mass coherence; microphysics, model 1).

The papers fit the velocity and mass models to a *ratio*, F = A_emp/K_rough, and then write K = F or K = K_rough + F;
both readings of F are labels. Their printed fits take V_obs inside K, so that what they predict is partly what they
were given: that is the label ``observed``.
"""

from collections.abc import Mapping
from dataclasses import replace

import numpy as np

from sigcube.kernels.halo import BURR_PARAMETERS, BURR_SHAPE
from sigcube.kernels.sigma import SCALE_LENGTH
from sigcube.kernels.systems import DISPERSION, FLAT_VELOCITY, SIGMA_V, VELOCITY, middle
from sigcube.model.kernel import Kernel
from sigcube.model.record import Choice, Option, Parameter, Reduction, Term
from sigcube.model.vecmath import expm1, pow

__all__ = ["FUNCTIONAL", "MASS_COHERENCE", "ROUGHNESS", "UNIFIED", "VELOCITY_COHERENCE"]

_TWO_PI = 6.283185307179586


def boost(K: float) -> float:
    """Σ = 1 + K (mass coherence)."""
    return 1.0 + K


# Roughness: how long a system stays coherent.


def k_rough(K_0: float, exposure: float, gamma: float) -> float:
    """K_rough = K₀ Ξ^γ (mass coherence; microphysics, model 1)."""
    return K_0 * pow(exposure, gamma)


def lower_velocity(v_c: "np.ndarray") -> float:
    """Return the lower of the two middle velocities of a system, km/s, for the median of Ξ (mass coherence)."""
    return middle(v_c, False)


def upper_velocity(v_c: "np.ndarray") -> float:
    """Return the upper of the two middle velocities of a system, km/s, for the median of Ξ (mass coherence)."""
    return middle(v_c, True)


def mean_velocity(v_c: "np.ndarray") -> float:
    """⟨V⟩ over the points of a system, km/s (mass coherence)."""
    total = 0.0
    for i in range(v_c.size):
        total += v_c[i]
    return total / v_c.size


def noise_rate(dispersion: float, beta: float) -> float:
    """R/τ_noise = σ_v^β, σ_v in km/s (microphysics, model 1: τ_noise ~ R/σ_v^β).

    Not dimensionally clean: it is added to a velocity, and with β = 1.5 the unit of velocity decides the result. The
    papers have km/s.
    """
    return pow(dispersion, beta)


def median_exposure_orbit(lower_velocity: float, upper_velocity: float, noise_rate: float) -> float:
    """Ξ = τ_coh/T_orb with τ_geom = 2πR/V, median over the points (mass coherence).

    R drops out: Ξ = x/(1+x), x = V/(2π σ_v^β). That grows with V, so the median of Ξ is at the middle velocities, and
    a sweep over σ_v or β need not look at the points again.
    """
    low, high = lower_velocity / _TWO_PI, upper_velocity / _TWO_PI
    return 0.5 * (low / (low + noise_rate) + high / (high + noise_rate))


def median_exposure_radius(lower_velocity: float, upper_velocity: float, noise_rate: float) -> float:
    """Ξ = τ_coh/T_orb with τ_geom = R/V, median over the points: (V/2π)/(V + σ_v^β) (microphysics, model 1)."""
    low = lower_velocity / (lower_velocity + noise_rate)
    return 0.5 * (low + upper_velocity / (upper_velocity + noise_rate)) / _TWO_PI


def mean_exposure(mean_velocity: float, noise_rate: float) -> float:
    """Ξ = ⟨V/(2π σ_v^β)⟩, noise alone and not bounded by 1: behind the fit to 158 galaxies (mass coherence)."""
    return mean_velocity / (_TWO_PI * noise_rate)


TAU_GEOM = Choice(
    name="tau_geom",
    default="orbit",
    description="Time of geometric dephasing τ_geom",
    options={
        "orbit": Option({"median_exposure": median_exposure_orbit}, "mass coherence", "2πR/V, behind printed numbers"),
        "radius": Option({"median_exposure": median_exposure_radius}, "microphysics, model 1", "R/V, as in the text"),
    },
)

EXPOSURE = Choice(
    name="exposure",
    default="median",
    description="Exposure Ξ of a system from that of its points",
    options={
        "median": Option({"exposure": "median_exposure"}, "mass coherence", "median of τ_coh/T_orb"),
        "mean": Option({"exposure": mean_exposure}, "mass coherence", "mean of V/(2π σ_v^β), behind the 158 galaxies"),
    },
)

ROUGH: Mapping[str, Term | Reduction | str] = {
    "boost": boost,
    "k_rough": k_rough,
    "noise_rate": noise_rate,
    "lower_velocity": Reduction(lower_velocity),
    "upper_velocity": Reduction(upper_velocity),
    "mean_velocity": Reduction(mean_velocity),
}
# The printed fits have V_obs and 0.15 V_flat.
ROUGH_CHOICES = (
    TAU_GEOM,
    EXPOSURE,
    replace(VELOCITY, default="observed"),
    replace(DISPERSION, default="flat"),
    FLAT_VELOCITY,
)
ROUGH_PARAMETERS = (
    Parameter("K_0", "K₀", 0.774, "", (0.0, 100.0), "fitted", "mass coherence", "amplitude of the roughness"),
    Parameter("gamma", "γ", 0.1, "", (0.0, 5.0), "fitted", "mass coherence", "exponent of the exposure"),
    Parameter("beta", "β", 1.5, "", (0.0, 5.0), "fixed", "microphysics, model 1", "exponent of σ_v in τ_noise"),
    SIGMA_V,
)

ROUGHNESS = Kernel(
    name="roughness",
    title="roughness: time coherence",
    source="mass coherence; microphysics, model 1",
    terms={**ROUGH, "K": "k_rough"},
    choices=ROUGH_CHOICES,
    parameters=ROUGH_PARAMETERS,
)

# Mass coherence: how many modes a potential well holds.


def saturation(depth: float, psi_0: float, delta: float) -> float:
    """Share 1 − exp(−(Ψ/Ψ₀)^δ) of the largest enhancement (mass coherence, models 1 and 2)."""
    return -expm1(-pow(depth / psi_0, delta))


def saturating(K_max: float, saturation: float) -> float:
    """F = F_max [1 − exp(−(Ψ/Ψ₀)^δ)] (mass coherence, models 1 and 2)."""
    return K_max * saturation


def potential_depth(mass_length: float, l_0: float, reff_factor: float, scale_length: float) -> float:
    """Ψ = (G M_b/c²) ℓ₀²/R_eff³, R_eff = f R_d, dimensionless (mass coherence, model 1)."""
    r_eff = reff_factor * scale_length
    return mass_length * (l_0 * l_0) / (r_eff * r_eff * r_eff)


def dynamical_mass(v_flat: float, scale_length_outermost: float, c: float) -> float:
    """G M/c² in kpc of M = V_flat² R_max/G, a dynamical mass, which the printed fit has for M_b (mass coherence)."""
    speed = v_flat * 1e3 / c
    return speed * speed * scale_length_outermost


def baryonic_mass(luminosity: float, m_hi: float, G_galactic: float, c: float) -> float:
    """G M_b/c² in kpc, M_b = 0.5 L₃.₆ + 1.33 M_HI in Msun (mass coherence; helium as usual)."""
    light = c / 1e3
    return G_galactic * (0.5 * luminosity + 1.33 * m_hi) / (light * light)


MASS = Choice(
    name="mass",
    default="dynamical",
    description="Mass M_b in Ψ",
    options={
        "dynamical": Option({"mass_length": dynamical_mass}, "mass coherence", "V_flat² R_max/G, behind the fit"),
        "baryonic": Option({"mass_length": baryonic_mass}, "mass coherence", "0.5 L₃.₆ + 1.33 M_HI, as the name says"),
    },
)


def enhancement_of_ratio(k_rough: float, missing: float) -> float:
    """K = K_rough F, as F was fitted: the ratio of the enhancement to K_rough (mass coherence)."""
    return k_rough * missing


MISSING = Choice(
    name="missing",
    default="alone",
    description="What the fitted F is",
    options={
        "alone": Option({"K": "missing"}, "mass coherence", "K = F, as the formula is printed"),
        "ratio": Option({"K": enhancement_of_ratio}, "mass coherence", "K = K_rough F, as F was fitted"),
    },
)

# The printed fit has R_d = R_max.
OUTERMOST = replace(SCALE_LENGTH, default="outermost")

SATURATING: Mapping[str, Term | Reduction | str] = {"missing": saturating, "saturation": saturation}
MASS_TERMS: Mapping[str, Term | Reduction | str] = {**SATURATING, "depth": potential_depth}
MASS_PARAMETERS = (
    Parameter("K_max", "K_max", 19.58, "", (0.0, 1e3), "fitted", "mass coherence, model 1", "largest enhancement"),
    Parameter(
        "psi_0", "Ψ₀", 7.34e-8, "", (1e-14, 1.0), "fitted", "mass coherence, model 1", "depth at which it sets in"
    ),
    Parameter("delta", "γ_Ψ", 0.136, "", (0.0, 5.0), "fitted", "mass coherence, model 1", "exponent of the depth"),
    Parameter("reff_factor", "f", 1.33, "", (1e-2, 1e2), "fitted", "mass coherence, model 1", "R_eff/R_d"),
)
_L_0 = BURR_PARAMETERS[0]

MASS_COHERENCE = Kernel(
    name="mass_coherence",
    title="mass coherence",
    source="mass coherence, model 1",
    terms={**ROUGH, **MASS_TERMS},
    choices=(MISSING, MASS, OUTERMOST, *ROUGH_CHOICES),
    parameters=(*MASS_PARAMETERS, _L_0, *ROUGH_PARAMETERS),
)


def velocity_depth(v_flat: float, v_ref: float) -> float:
    """ψ = (V_flat/V_ref)² (mass coherence, model 2)."""
    ratio = v_flat / v_ref
    return ratio * ratio


VELOCITY_COHERENCE = Kernel(
    name="velocity_coherence",
    title="velocity coherence",
    source="mass coherence, model 2",
    terms={**ROUGH, **SATURATING, "depth": velocity_depth},
    choices=(MISSING, *ROUGH_CHOICES),
    parameters=(
        Parameter("K_max", "F_max", 10.38, "", (0.0, 1e3), "fitted", "mass coherence, model 2", "largest enhancement"),
        Parameter("psi_0", "ψ₀", 9.80e-3, "", (1e-9, 1e3), "fitted", "mass coherence, model 2", "where it sets in"),
        Parameter("delta", "δ", 2.04, "", (0.0, 5.0), "fitted", "mass coherence, model 2", "exponent"),
        Parameter("v_ref", "V_ref", 125.5, "km/s", (1e-1, 1e4), "fitted", "mass coherence, model 2", "velocity scale"),
        *ROUGH_PARAMETERS,
    ),
)


def functional_form(
    F_0: float, sigma_ref: float, dispersion: float, a_sigma: float, r_ref: float, scale_length: float, a_r: float
) -> float:
    """F = F₀ (σ_ref/σ_v)^a (R_ref/R_d)^b, of the best fit only (mass coherence: "functional form")."""
    return F_0 * pow(sigma_ref / dispersion, a_sigma) * pow(r_ref / scale_length, a_r)


FUNCTIONAL_PARAMETERS = (
    Parameter("F_0", "F₀", 10.02, "", (0.0, 1e3), "fitted", "mass coherence", "amplitude"),
    Parameter("sigma_ref", "σ_ref", 14.8, "km/s", (1e-2, 1e3), "fitted", "mass coherence", "dispersion scale"),
    Parameter("a_sigma", "a", 0.10, "", (0.0, 5.0), "fitted", "mass coherence", "exponent of the dispersion"),
    Parameter("r_ref", "R_ref", 12.3, "kpc", (1e-2, 1e3), "fitted", "mass coherence", "length scale"),
    Parameter("a_r", "b", 0.31, "", (0.0, 5.0), "fitted", "mass coherence", "exponent of the length"),
)

FUNCTIONAL = Kernel(
    name="functional",
    title="functional form of the missing factor",
    source="mass coherence",
    terms={**ROUGH, "missing": functional_form},
    choices=(MISSING, OUTERMOST, *ROUGH_CHOICES),
    parameters=(*FUNCTIONAL_PARAMETERS, *ROUGH_PARAMETERS),
)

# Both together.


def sum_of_both(k_rough: float, missing: float) -> float:
    """K = K_rough + K_missing (mass coherence, "K_total")."""
    return k_rough + missing


def gated(functional: float, dispersion: float, sigma_c: float, gamma_gate: float) -> float:
    """F gated by σ_v and capped at 5 (microphysics; the mass-coherence notes).

    The papers name a gate and do not write it; here it is that of pairing, 1/(1 + (σ_v/σ_c)^γ).
    """
    return min(functional / (1.0 + pow(dispersion / sigma_c, gamma_gate)), 5.0)


def product_of_both(k_rough: float, burr_shape: float, gated: float) -> float:
    """K = K_rough Burr(R) [1 + 0.25 (F − 1)] (microphysics; the mass-coherence notes)."""
    return k_rough * burr_shape * (1.0 + 0.25 * (gated - 1.0))


UNIFIED = Kernel(
    name="unified",
    title="unified kernel of roughness and missing factor",
    source="mass coherence; microphysics",
    terms={**ROUGH, **MASS_TERMS, **BURR_SHAPE, "functional": functional_form, "gated": gated},
    choices=(
        Choice(
            name="combination",
            default="sum",
            description="How roughness and the missing factor come together",
            options={
                "sum": Option({"K": sum_of_both}, "mass coherence", "K_rough + K_missing, as in the text"),
                "product": Option({"K": product_of_both}, "microphysics", "K_rough · Burr(R) · [1 + 0.25 (F − 1)]"),
            },
        ),
        MASS,
        OUTERMOST,
        *ROUGH_CHOICES,
    ),
    parameters=(
        *MASS_PARAMETERS,
        *FUNCTIONAL_PARAMETERS,
        *BURR_PARAMETERS,
        Parameter(
            "sigma_c", "σ_c", 25.0, "km/s", (1e-3, 1e4), "fixed", "microphysics, model 2", "dispersion of the gate"
        ),
        Parameter("gamma_gate", "γ_gate", 2.0, "", (0.0, 10.0), "fixed", "microphysics, model 2", "its sharpness"),
        *ROUGH_PARAMETERS,
    ),
)
