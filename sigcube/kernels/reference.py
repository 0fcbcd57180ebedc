"""The models others are compared with: Newton's, and MOND's algebraic relation in its three usual forms."""

import numpy as np

from sigcube.model.compile import helper
from sigcube.model.kernel import Kernel
from sigcube.model.record import Choice, Option, Parameter
from sigcube.model.vecmath import divide, expm1, pow

__all__ = ["MOND", "NEWTON"]

_IN_FIELD = "Chae & Milgrom 2022"


def unity() -> float:
    """Σ = 1."""
    return 1.0


def nu_rar(g_bar: float, a0: float) -> float:
    """ν = 1/(1 − e^{−√(g/a₀)}) (main §3.6; McGaugh, Lelli & Schombert 2016, doi:10.1103/PhysRevLett.117.201101)."""
    return -1.0 / expm1(-np.sqrt(g_bar / a0))


def nu_simple(g_bar: float, a0: float) -> float:
    """ν = ½ + √(¼ + a₀/g) (Famaey & Binney 2005, doi:10.1111/j.1365-2966.2005.09474.x)."""
    return 0.5 + np.sqrt(0.25 + divide(a0, g_bar))


def nu_standard(g_bar: float, a0: float) -> float:
    """ν = √(½ + √(¼ + (a₀/g)²)) (Milgrom 1983, doi:10.1086/161130)."""
    x = divide(a0, g_bar)
    return np.sqrt(0.5 + np.sqrt(0.25 + x * x))


# MOND in the field of what is around, as Chae & Milgrom fitted it to solutions of AQUAL for discs.

_rar, _simple, _standard = helper(nu_rar), helper(nu_simple), helper(nu_standard)


def g_in_field(g_bar: float, g_ext: float) -> float:
    """√(g² + (1.1 g_ext)²), m/s², g_ext Newtonian (Chae & Milgrom 2022, doi:10.3847/1538-4357/ac5405)."""
    outer = 1.1 * g_ext
    return np.sqrt(g_bar * g_bar + outer * outer)


def nu_in_field(nu_around: float, slope_around: float, g_bar: float, g_ext: float) -> float:
    """ν(y_β) [1 + tanh(β e/y)^γ ν̂(y_β)/3], y_β² = y² + (β e)², β = 1.1, γ = 1.2 (Chae & Milgrom 2022; AQUAL).

    y = g/a₀ and e = g_ext/a₀ are Newtonian, and ν̂ = d ln ν/d ln y.
    """
    decay = expm1(-2.2 * g_ext / g_bar)
    return nu_around * (1.0 + pow(-decay / (2.0 + decay), 1.2) * slope_around * (1.0 / 3.0))


def rar_around(g_in_field: float, a0: float) -> float:
    """ν of `nu_rar` at the whole field."""
    return _rar(g_in_field, a0)


def rar_slope(g_in_field: float, a0: float) -> float:
    """ν̂ = −½ s/(e^s − 1), s = √y."""
    s = np.sqrt(g_in_field / a0)
    # e^s of a strong field is beyond what a float64 holds.
    return 0.5 * s * (1.0 + 1.0 / expm1(-s))


def simple_around(g_in_field: float, a0: float) -> float:
    """ν of `nu_simple` at the whole field."""
    return _simple(g_in_field, a0)


def simple_slope(nu_around: float, g_in_field: float, a0: float) -> float:
    """ν̂ = −1/(2 y ν √(¼ + 1/y))."""
    x = divide(a0, g_in_field)
    return -0.5 * x / (nu_around * np.sqrt(0.25 + x))


def standard_around(g_in_field: float, a0: float) -> float:
    """ν of `nu_standard` at the whole field."""
    return _standard(g_in_field, a0)


def standard_slope(nu_around: float, g_in_field: float, a0: float) -> float:
    """ν̂ = −1/(2 y² ν² √(¼ + 1/y²))."""
    y = divide(a0, g_in_field)
    x = y * y
    return -0.5 * x / (nu_around * nu_around * np.sqrt(0.25 + x))


NEWTON = Kernel(name="newton", title="Newtonian gravity", source="Σ = 1", terms={"boost": unity})

MOND = Kernel(
    name="mond",
    title="MOND, algebraic",
    source="main §3.6",
    terms={},
    choices=(
        Choice(
            name="nu",
            default="rar",
            description="Interpolating function ν(g_N/a₀)",
            options={
                "rar": Option(
                    {"boost": nu_rar, "nu_around": rar_around, "slope_around": rar_slope},
                    "main §3.6",
                    "1/(1 − e^{−√x}); the papers call it simple",
                ),
                "simple": Option(
                    {"boost": nu_simple, "nu_around": simple_around, "slope_around": simple_slope},
                    "Famaey & Binney 2005",
                    "½ + √(¼ + 1/x)",
                ),
                "standard": Option(
                    {"boost": nu_standard, "nu_around": standard_around, "slope_around": standard_slope},
                    "Milgrom 1983",
                    "√(½ + √(¼ + 1/x²))",
                ),
            },
        ),
        # After ν, whose boost of an isolated galaxy it replaces.
        Choice(
            name="external_field",
            default="none",
            description="Which field of the surroundings is taken into account",
            options={
                "none": Option({}, "main §3.6", "none: an isolated galaxy"),
                "parameter": Option(
                    {"boost": nu_in_field, "g_in_field": g_in_field}, _IN_FIELD, "the parameter g_ext, one for all"
                ),
                "catalogue": Option(
                    {"boost": nu_in_field, "g_in_field": g_in_field, "g_ext": "g_environment"},
                    _IN_FIELD,
                    "that of each galaxy, where the cube has it",
                ),
            },
        ),
    ),
    parameters=(
        Parameter("a0", "a₀", 1.2e-10, "m/s2", (1e-13, 1e-7), "calibrated", "main §3.6", "acceleration scale"),
        Parameter("g_ext", "g_ext", 0.0, "m/s2", (0.0, 1e-3), "fixed", _IN_FIELD, "external field, Newtonian"),
    ),
    # In a field ν of the RAR, whose slope falls off slower than ν − 1, comes out below 1: by 1.5e-4 at y ≈ 50.
    smallest_boost=0.9998,
)
