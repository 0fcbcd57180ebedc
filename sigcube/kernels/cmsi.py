"""Coherent metric self-interaction: F = 1 + χ₀ (v/c)² (Σ_s/Σ_ref)^ε N_coh^α f(R/ℓ₀) (CMSI notes, 2025)."""

import numpy as np

from sigcube.kernels.systems import DISPERSION, FLAT_VELOCITY, SIGMA_V
from sigcube.model.compile import helper
from sigcube.model.kernel import Kernel
from sigcube.model.record import Choice, Option, Parameter
from sigcube.model.vecmath import exp, pow

__all__ = ["CMSI"]

_TWO_PI = 6.283185307179586


def coupling(chi_0: float, source: float, profile: float, c: float) -> float:
    """χ₀ (Σ_s/Σ_ref)^ε (1+(R/ℓ₀)^n)^{−1/n}/c², 1/(km/s)² (CMSI 2025, core formula)."""
    light = c / 1e3
    return chi_0 * source * profile / (light * light)


def profile(r: float, l_0: float, n: float) -> float:
    """Radial profile f = (1+(R/ℓ₀)^n)^{−1/n} (CMSI 2025, core formula)."""
    return pow(1.0 + pow(r / l_0, n), -1.0 / n)


def source(surface_density: float, sigma_ref: float, epsilon: float) -> float:
    """(Σ_s/Σ_ref)^ε (CMSI 2025, §2)."""
    return pow(surface_density / sigma_ref, epsilon)


def capped_source(surface_density: float, sigma_ref: float, epsilon: float) -> float:
    """(Σ_s/Σ_ref)^ε, at most 2 (behind the values that CMSI 2025 prints)."""
    return min(pow(surface_density / sigma_ref, epsilon), 2.0)


def surface_density(v_disk: float, v_gas: float, r: float, upsilon_disk: float, G_galactic: float) -> float:
    """Σ_s = (Υ V_disk² + V_gas²)/(2πG R), Msun/pc² (CMSI 2025, §2: the notes ask for a density and have velocities).

    That of a disc whose V is flat; of a point mass it is no surface density at all.
    """
    return 1e-6 * (upsilon_disk * (v_disk * v_disk) + v_gas * v_gas) / (_TWO_PI * G_galactic * r)


def dispersion_profile(r: float) -> float:
    """σ_v(R) = 30 e^{−R/4 kpc} + 8 km/s (the default of cmsi_kernel.py, by the authors of CMSI 2025)."""
    return 30.0 * exp(-r / 4.0) + 8.0


@helper
def boxed(v: float, coupling: float, dispersion: float, exponent: float) -> float:
    """F at a velocity: 1 + coupling v² (v/σ_v)^{γα}."""
    return 1.0 + coupling * (v * v) * pow(v / dispersion, exponent)


@helper
def rough(v: float, dispersion: float, amplitude: float, gamma_rough: float) -> float:
    """1 + K₀ Ξ^γ_rough (Σ_s/Σ_ref)^ε with Ξ = min(1, v/σ_v)/2π."""
    return 1.0 + amplitude * pow(min(1.0, v / dispersion) / _TWO_PI, gamma_rough)


def modes(v_bar: float, dispersion: float, gamma: float, alpha: float) -> float:
    """N_coh^α = (V_bar/σ_v)^{γα} (CMSI 2025, core formula)."""
    return pow(v_bar / dispersion, gamma * alpha)


def boxed_baryonic(v_bar_sq: float, coupling: float, modes: float) -> float:
    """Σ = F at V_bar (CMSI 2025, core formula)."""
    return 1.0 + coupling * v_bar_sq * modes


def boxed_consistent(v_bar: float, coupling: float, dispersion: float, gamma: float, alpha: float) -> float:
    """Σ = F = 1 + coupling V² (V/σ_v)^{γα} at V = V_bar √F, by three steps from V_bar (CMSI 2025, core formula)."""
    f = boxed(v_bar, coupling, dispersion, gamma * alpha)
    f = boxed(v_bar * np.sqrt(f), coupling, dispersion, gamma * alpha)
    return boxed(v_bar * np.sqrt(f), coupling, dispersion, gamma * alpha)


def rough_baryonic(boxed_baryonic: float, roughness_baryonic: float) -> float:
    """Σ = F (1 + K_rough) at V_bar (behind the values that CMSI 2025 prints)."""
    return boxed_baryonic * roughness_baryonic


def roughness_baryonic(v_bar: float, dispersion: float, roughness: float, gamma_rough: float) -> float:
    """1 + K_rough at V_bar (behind the values that CMSI 2025 prints)."""
    return rough(v_bar, dispersion, roughness, gamma_rough)


def rough_consistent(
    v_bar: float, coupling: float, dispersion: float, gamma: float, alpha: float, roughness: float, gamma_rough: float
) -> float:
    """Σ = [1 + coupling V² (V/σ_v)^{γα}] (1 + K_rough) at V = V_bar √Σ, by three steps from V_bar (CMSI 2025)."""
    f = boxed(v_bar, coupling, dispersion, gamma * alpha) * rough(v_bar, dispersion, roughness, gamma_rough)
    v = v_bar * np.sqrt(f)
    f = boxed(v, coupling, dispersion, gamma * alpha) * rough(v, dispersion, roughness, gamma_rough)
    v = v_bar * np.sqrt(f)
    return boxed(v, coupling, dispersion, gamma * alpha) * rough(v, dispersion, roughness, gamma_rough)


def roughness(K_0: float, source: float) -> float:
    """K₀ (Σ_s/Σ_ref)^ε of K_rough = K₀ (Σ_s/Σ_ref)^ε Ξ^γ, Ξ = min(1, V/σ_v)/2π (behind values of CMSI 2025)."""
    return K_0 * source


FORM = Choice(
    name="form",
    default="boxed",
    description="Whether roughness multiplies F",
    options={
        "boxed": Option(
            {"at_v_bar": "boxed_baryonic", "consistent": boxed_consistent, "source": source},
            "CMSI 2025, core formula",
            "F as printed",
        ),
        "with_roughness": Option(
            {"at_v_bar": rough_baryonic, "consistent": rough_consistent, "source": capped_source},
            "CMSI 2025, test results",
            "times 1 + K₀ Ξ^γ_rough (Σ_s/Σ_ref)^ε, Ξ = min(1, v/σ_v)/2π, (…)^ε at most 2: behind the printed values",
        ),
    },
)

VELOCITY = Choice(
    name="velocity",
    default="baryonic",
    description="Velocity in F",
    options={
        "baryonic": Option({"boost": "at_v_bar"}, "CMSI 2025", "V_bar"),
        "self_consistent": Option({"boost": "consistent"}, "CMSI 2025", "V_bar √F, three iterations"),
    },
)

SURFACE_DENSITY = Choice(
    name="surface_density",
    default="velocities",
    description="Surface density of the source",
    options={
        "velocities": Option({"surface_density": surface_density}, "CMSI 2025", "(Υ V_disk² + V_gas²)/(2πG R)"),
        "parameter": Option({"surface_density": "sigma_s"}, "CMSI 2025", "the parameter sigma_s"),
    },
)

CMSI_DISPERSION = Choice(
    name="dispersion",
    default="profile",
    description=DISPERSION.description,
    options={
        "profile": Option({"dispersion": dispersion_profile}, "cmsi_kernel.py of CMSI 2025", "30 e^{−R/4} + 8 km/s"),
        **DISPERSION.options,
    },
)

CMSI = Kernel(
    name="cmsi",
    title="coherent metric self-interaction",
    source="CMSI 2025",
    terms={
        "coupling": coupling,
        "profile": profile,
        "modes": modes,
        "boxed_baryonic": boxed_baryonic,
        "roughness": roughness,
        "roughness_baryonic": roughness_baryonic,
    },
    choices=(FORM, VELOCITY, SURFACE_DENSITY, CMSI_DISPERSION, FLAT_VELOCITY),
    parameters=(
        Parameter("chi_0", "χ₀", 800.0, "", (0.0, 1e5), "calibrated", "CMSI 2025", "coupling strength"),
        Parameter("gamma", "γ", 1.5, "", (0.0, 3.0), "derived", "CMSI 2025", "exponent of N_coh in v/σ_v"),
        Parameter("alpha", "α", 0.55, "", (0.0, 1.0), "calibrated", "CMSI 2025", "exponent of N_coh"),
        Parameter("l_0", "ℓ₀", 2.2, "kpc", (1e-3, 1e4), "calibrated", "CMSI 2025", "coherence length"),
        Parameter("n", "n", 2.0, "", (0.1, 10.0), "calibrated", "CMSI 2025", "sharpness of the radial profile"),
        Parameter("sigma_ref", "Σ_ref", 50.0, "solMass/pc2", (1e-3, 1e5), "fixed", "CMSI 2025", "of a typical disc"),
        Parameter("epsilon", "ε", 0.5, "", (0.0, 2.0), "calibrated", "CMSI 2025", "exponent of the source density"),
        Parameter("sigma_s", "Σ_s", 50.0, "solMass/pc2", (0.0, 1e6), "fixed", "CMSI 2025", "density of the source"),
        Parameter("K_0", "K₀", 0.774, "", (0.0, 100.0), "fitted", "mass coherence", "amplitude of the roughness"),
        Parameter("gamma_rough", "γ_rough", 0.1, "", (0.0, 5.0), "fitted", "mass coherence", "exponent of Ξ"),
        SIGMA_V,
    ),
)
