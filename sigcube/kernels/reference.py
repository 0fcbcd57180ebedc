"""The models others are compared with: Newton's, and MOND's algebraic relation in its three usual forms."""

import numpy as np

from sigcube.model.kernel import Kernel
from sigcube.model.record import Choice, Option, Parameter
from sigcube.model.vecmath import expm1

__all__ = ["MOND", "NEWTON"]


def unity() -> float:
    """Σ = 1."""
    return 1.0


def nu_rar(g_bar: float, a0: float) -> float:
    """ν = 1/(1 − e^{−√(g/a₀)}) (main §3.6; McGaugh, Lelli & Schombert 2016, doi:10.1103/PhysRevLett.117.201101)."""
    return -1.0 / expm1(-np.sqrt(g_bar / a0))


def nu_simple(g_bar: float, a0: float) -> float:
    """ν = ½ + √(¼ + a₀/g) (Famaey & Binney 2005, doi:10.1111/j.1365-2966.2005.09474.x)."""
    return 0.5 + np.sqrt(0.25 + a0 / g_bar)


def nu_standard(g_bar: float, a0: float) -> float:
    """ν = √(½ + √(¼ + (a₀/g)²)) (Milgrom 1983, doi:10.1086/161130)."""
    return np.sqrt(0.5 + np.sqrt(0.25 + (a0 / g_bar) * (a0 / g_bar)))


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
                "rar": Option({"boost": nu_rar}, "main §3.6", "1/(1 − e^{−√x}); the papers call it simple"),
                "simple": Option({"boost": nu_simple}, "Famaey & Binney 2005", "½ + √(¼ + 1/x)"),
                "standard": Option({"boost": nu_standard}, "Milgrom 1983", "√(½ + √(¼ + 1/x²))"),
            },
        ),
    ),
    parameters=(
        Parameter("a0", "a₀", 1.2e-10, "m/s2", (1e-13, 1e-7), "calibrated", "main §3.6", "acceleration scale"),
    ),
)
