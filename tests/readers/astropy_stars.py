"""The frame of the Galaxy by astropy's own machinery, to compare with."""

from collections.abc import Mapping

import astropy.units as u
import numpy as np
from astropy.coordinates import ICRS, CartesianDifferential, Galactocentric, SkyCoord

from sigcube.readers.galactocentric import GalacticFrame

__all__ = ["astropy_way"]


def astropy_way(stars: Mapping[str, np.ndarray], frame: GalacticFrame) -> dict[str, np.ndarray]:
    """Everything by astropy's own machinery, from its documentation."""
    galactocentric = Galactocentric(
        galcen_coord=ICRS(frame.centre[0] * u.deg, frame.centre[1] * u.deg),
        galcen_distance=frame.r_sun * u.kpc,
        z_sun=frame.z_sun * u.kpc,
        galcen_v_sun=CartesianDifferential(*frame.v_sun, unit=u.km / u.s),
    )
    sky = SkyCoord(
        ra=stars["ra"] * u.deg,
        dec=stars["dec"] * u.deg,
        distance=1000.0 / stars["parallax"] * u.pc,
        pm_ra_cosdec=stars["pm_ra"] * u.mas / u.yr,
        pm_dec=stars["pm_dec"] * u.mas / u.yr,
        radial_velocity=stars["radial_velocity"] * u.km / u.s,
    )
    there = sky.transform_to(galactocentric)
    there.representation_type = "cylindrical"
    v_phi = (there.rho * there.d_phi).to_value(u.km / u.s, equivalencies=u.dimensionless_angles())
    return {
        "r": there.rho.to_value(u.kpc),
        "phi": (180.0 * u.deg - there.phi).wrap_at(180.0 * u.deg).to_value(u.deg),
        "height": there.z.to_value(u.kpc),
        "v_r": there.d_rho.to_value(u.km / u.s),
        "v_phi": -v_phi,
        "v_z": there.d_z.to_value(u.km / u.s),
    }
