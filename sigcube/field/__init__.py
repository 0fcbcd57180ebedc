"""The papers' field equation solved for real, for discs and spheres: what its algebraic short cut leaves out.

``solve(exponential(central=300, scale_length=3), kernel="sigma", window="none")`` gives potentials, fields, and how far
g = ν(g_N) g_N is from the field equation in the mid-plane.
"""

from sigcube.field.of_galaxy import galaxy
from sigcube.field.solver import solve
from sigcube.field.sources import (
    Source,
    combined,
    disc,
    exponential,
    hernquist,
    kuzmin,
    plummer,
    tabulated,
)

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
