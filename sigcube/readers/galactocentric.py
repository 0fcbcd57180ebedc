"""Conversion of a catalogue's measurements of stars to cylindrical galactocentric coordinates, with errors."""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import numpy.typing as npt
from pydantic import BaseModel, ConfigDict, Field

__all__ = ["COORDINATES", "ERRORS", "MEASURED", "GalacticFrame", "Transform"]

FloatArray = npt.NDArray[np.float64]

#: The measurements behind the coordinates, and the errors that are propagated, by the cube's names.
MEASURED = ("ra", "dec", "parallax", "pm_ra", "pm_dec", "radial_velocity")
ERRORS = ("e_parallax", "e_pm_ra", "e_pm_dec", "e_radial_velocity")
#: The variables that a cube of stars needs.
COORDINATES = ("r", "phi", "height", "v_r", "v_phi", "v_z")

# This many stars at a time stay in the processor's cache; all at once take three times as long.
_TOGETHER = 1 << 14
# So far from the Sun [kpc] that no digits of the matrix are lost.
_FAR = 1000.0


class GalacticFrame(BaseModel):
    """The Sun's place and motion.

    Attributes
    ----------
    r_sun : float
        Distance of the Sun from the centre [kpc].
    z_sun : float
        Its height above the plane [kpc].
    v_sun : (float, float, float)
        Its velocity [km/s] towards the centre, with the rotation, and northward.
    centre : (float, float)
        Right ascension and declination of the centre [deg], ICRS.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    r_sun: float = Field(default=8.178, gt=0)
    z_sun: float = 0.0208
    v_sun: tuple[float, float, float] = (11.1, 247.3, 7.25)
    centre: tuple[float, float] = (266.4051, -28.936175)


@dataclass(frozen=True)
class Transform:
    """The transformation from the sky to the frame of the Galaxy.

    The affine map is taken from `astropy.coordinates.Galactocentric`; velocities and errors follow from it. The
    distance is the inverse of the parallax. Errors are those of parallax, proper motion and radial velocity, to first
    order and without correlations: e² = Σ (∂f/∂x)² e_x².
    """

    frame: GalacticFrame

    @cached_property
    def affine(self) -> tuple[FloatArray, FloatArray]:
        """Matrix and offset [kpc] from the sky to the frame: where astropy puts the Sun, and three far points."""
        from astropy import units as u
        from astropy.coordinates import ICRS, CartesianDifferential, CartesianRepresentation, Galactocentric

        ra, dec = self.frame.centre
        galactocentric = Galactocentric(
            galcen_coord=ICRS(ra=ra * u.deg, dec=dec * u.deg),
            galcen_distance=self.frame.r_sun * u.kpc,
            galcen_v_sun=CartesianDifferential(self.frame.v_sun, unit=u.km / u.s),
            z_sun=self.frame.z_sun * u.kpc,
            roll=0 * u.deg,
        )
        points = np.column_stack([np.zeros(3), _FAR * np.eye(3)])
        there = ICRS(CartesianRepresentation(points, unit=u.kpc)).transform_to(galactocentric)
        xyz = np.asarray(there.cartesian.xyz.to_value(u.kpc), dtype=np.float64)
        return (xyz[:, 1:] - xyz[:, :1]) / _FAR, xyz[:, 0]

    @cached_property
    def speed(self) -> float:
        """The speed across the line of sight of 1 mas/yr at 1 kpc [km/s]."""
        from astropy import units as u

        return float((u.kpc * u.mas / u.yr).to(u.km / u.s, equivalencies=u.dimensionless_angles()))

    def __call__(self, stars: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        """Return coordinates, distance, and the errors of all of them, not finite where something is missing.

        Of ``stars``, `MEASURED` is read, and `ERRORS` where given, all of shape (n,) and in the cube's units.
        """
        known = [name for name in (*MEASURED, *ERRORS) if name in stars]
        whole: dict[str, FloatArray] = {}
        for i in range(0, max(1, n := stars["ra"].size), _TOGETHER):
            part = self._transform({name: stars[name][i : i + _TOGETHER] for name in known})
            whole = whole or {name: np.empty(n) for name in part}
            for name, values in part.items():
                whole[name][i : i + _TOGETHER] = values
        return whole

    def _transform(self, stars: Mapping[str, FloatArray]) -> dict[str, FloatArray]:
        with np.errstate(all="ignore"):
            distance = np.where(stars["parallax"] > 0, 1.0 / stars["parallax"], np.nan)
            outward, east, north = self.directions(stars["ra"], stars["dec"])
            per_kpc = self.speed * (stars["pm_ra"] * east + stars["pm_dec"] * north)
            x, y, z = self.affine[1][:, np.newaxis] + distance * outward
            velocity = np.array(self.frame.v_sun)[:, np.newaxis] + stars["radial_velocity"] * outward
            velocity += distance * per_kpc
            r = np.hypot(x, y)
            cos, sin = x / r, y / r

            def cylindrical(vector: FloatArray) -> FloatArray:
                # The disc turns clockwise in astropy's frame: from the Sun, at -x, towards +y.
                return np.stack([cos * vector[0] + sin * vector[1], sin * vector[0] - cos * vector[1], vector[2]])

            found = dict(zip(("v_r", "v_phi", "v_z"), cylindrical(velocity), strict=True))
            found |= {"r": r, "phi": np.degrees(np.arctan2(y, -x)), "height": z, "distance": distance}
            if set(ERRORS) <= stars.keys():
                e_distance = stars["e_parallax"] * distance**2
                outward, east, north, per_kpc = (cylindrical(each) for each in (outward, east, north, per_kpc))
                # R and φ turn as the star is moved outward.
                turn = outward[1] / r
                slopes = per_kpc + np.stack([found["v_phi"] * turn, -found["v_r"] * turn, np.zeros_like(turn)])
                across = self.speed * distance
                variance = (slopes * e_distance) ** 2 + (outward * stars["e_radial_velocity"]) ** 2
                variance += (east * (across * stars["e_pm_ra"])) ** 2 + (north * (across * stars["e_pm_dec"])) ** 2
                found |= {
                    "e_distance": e_distance,
                    "e_r": np.abs(outward[0]) * e_distance,
                    "e_phi": np.degrees(np.abs(turn)) * e_distance,
                    "e_height": np.abs(outward[2]) * e_distance,
                    **dict(zip(("e_v_r", "e_v_phi", "e_v_z"), np.sqrt(variance), strict=True)),
                }
        return found

    def directions(self, ra: FloatArray, dec: FloatArray) -> tuple[FloatArray, FloatArray, FloatArray]:
        """Return unit vectors outward, eastward and northward on the sky, in the frame of the Galaxy, shape (3, n)."""
        matrix = self.affine[0]
        alpha, delta = np.radians(ra), np.radians(dec)
        sin_a, cos_a, sin_d, cos_d = np.sin(alpha), np.cos(alpha), np.sin(delta), np.cos(delta)
        outward = matrix @ np.stack([cos_d * cos_a, cos_d * sin_a, sin_d])
        east = matrix[:, :2] @ np.stack([-sin_a, cos_a])
        north = matrix @ np.stack([-sin_d * cos_a, -sin_d * sin_a, cos_d])
        return outward, east, north
