"""Physical constants, as the papers round them and as CODATA and the IAU give them."""

import math
from dataclasses import dataclass

__all__ = ["CODATA", "CONSTANTS", "PAPER", "Constants"]


@dataclass(frozen=True)
class Constants:
    """One consistent set of constants, SI unless said.

    Attributes
    ----------
    c : float
        Speed of light, m/s.
    H0 : float
        Hubble constant, 1/s.
    G : float
        Gravitational constant, m³/kg/s².
    Msun : float
        Solar mass, kg.
    kpc : float
        Kiloparsec, m.
    AU : float
        Astronomical unit, m.
    G_galactic : float
        Gravitational constant, kpc (km/s)²/Msun; the papers round it apart from `G`.
    """

    c: float
    H0: float
    G: float
    Msun: float
    kpc: float
    AU: float
    G_galactic: float

    @property
    def g_dagger(self) -> float:
        """Critical acceleration g† = c H0 / (4 √π), m/s² (main paper §2.10)."""
        return self.c * self.H0 / (4.0 * math.sqrt(math.pi))


#: The rounding of the supplementary information, §2; the published digits depend on it.
PAPER = Constants(c=2.998e8, H0=2.27e-18, G=6.674e-11, Msun=1.989e30, kpc=3.086e19, AU=1.496e11, G_galactic=4.30091e-6)

#: CODATA 2018 and IAU 2015 values, as in ``astropy.constants``; H0 = 70 km/s/Mpc, unrounded.
CODATA = Constants(
    c=299792458.0,
    H0=70.0e3 / 3.085677581491367e22,
    G=6.6743e-11,
    Msun=1.988409870698051e30,
    kpc=3.085677581491367e19,
    AU=149597870700.0,
    G_galactic=6.6743e-11 * 1.988409870698051e30 / 3.085677581491367e19 * 1e-6,
)

CONSTANTS = {"paper": PAPER, "codata": CODATA}
