"""The baryons of the Milky Way: the mass model that the papers compare its stars and its rotation curve with."""

import numpy as np

__all__ = ["BULGE", "DISK", "DISK_SCALE_LENGTH", "GAS", "VELOCITY_SCALING", "bulge_v_sq", "disc_v_sq"]

#: Mass [Msun] and scale [kpc] of each component (McMillan 2017, rounded as in the authors' run_regression_extended.py).
DISK, GAS, BULGE = (4.6e10, 3.3), (1.0e10, 7.0), (1.0e10, 0.5)

#: Velocities of the model are multiplied by this, "to match the SPARC calibration" (main §3.3).
VELOCITY_SCALING = 1.16

#: Scale length of the stellar disc [kpc], in the coherence scale and in the asymmetric drift (main §3.3).
DISK_SCALE_LENGTH = 2.6


def disc_v_sq(r: float, mass: float, a: float, G_galactic: float) -> float:
    """V² = G M R²/(R²+a²)^{3/2} in the plane of a Miyamoto–Nagai disc, (km/s)² (Miyamoto & Nagai 1975).

    Parameters
    ----------
    r, a : float
        Radius, and sum of the scale length and the scale height [kpc].
    mass : float
        Mass [Msun].
    G_galactic : float
        Gravitational constant [kpc (km/s)²/Msun].
    """
    s = r * r + a * a
    v_sq: float = G_galactic * mass * (r * r) / (s * np.sqrt(s))
    return v_sq


def bulge_v_sq(r: float, mass: float, b: float, G_galactic: float) -> float:
    """V² = G M R/(R+b)² of a Hernquist sphere, (km/s)² (Hernquist 1990).

    Parameters
    ----------
    r, b : float
        Radius and scale [kpc].
    mass : float
        Mass [Msun].
    G_galactic : float
        Gravitational constant [kpc (km/s)²/Msun].

    Examples
    --------
    >>> round(bulge_v_sq(8.0, 1.0e10, 0.5, 4.30091e-6) ** 0.5, 2)
    69.01
    """
    return G_galactic * mass * r / ((r + b) * (r + b))
