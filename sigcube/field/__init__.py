"""The papers' field equation, solved for discs and spheres, and how far the algebraic relation is from it.

``solve(exponential(central=300, scale_length=3), kernel="sigma", window="none")`` returns potentials, fields, and the
deviation of g = ν(g_N) g_N from the field equation in the mid-plane.
"""

from sigcube.field.solver import solve
from sigcube.field.sources import Source, combined, disc, exponential, galaxy, hernquist, kuzmin, plummer, tabulated

__all__ = [
    "Source",
    "combined",
    "disc",
    "exponential",
    "galaxy",
    "hernquist",
    "kuzmin",
    "plummer",
    "solve",
    "tabulated",
]
