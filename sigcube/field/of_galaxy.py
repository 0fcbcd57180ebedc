"""A galaxy of a cube as a mass distribution: its light for the stars, its V_gas and V_bul for the rest."""

from functools import cache
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.interpolate import PchipInterpolator
from scipy.optimize import nnls

from sigcube.constants import PAPER
from sigcube.cube import kind_of
from sigcube.errors import DataError
from sigcube.field.poisson import PolarGrid
from sigcube.field.radial import Radial
from sigcube.field.sources import Profile, Source, combined, disc, tabulated

__all__ = ["galaxy"]

FloatArray = npt.NDArray[np.float64]

_RINGS = 16
# Enough that rings do not alternate, and V_gas² is met within half a per cent of its largest for half of SPARC.
_STIFFNESS = 0.003
_BEYOND = 1e3


def galaxy(
    cube: xr.Dataset,
    name: str,
    *,
    upsilon_disk: float = 0.5,
    upsilon_bulge: float = 0.7,
    height: float | None = None,
    gas: bool = True,
) -> Source:
    """Make a source for `solve` of one galaxy of a cube.

    The disc is Υ_disk times ``sb_disk``, the bulge the sphere that has Υ_bulge V_bul², and the gas, for which a cube
    has no surface density, razor-thin rings of positive mass, smoothly distributed, whose V² is nearest to
    V_gas |V_gas|. Light and gas beyond the last radius, and light inside the first, are not known: see `tabulated`.

    Parameters
    ----------
    cube : xarray.Dataset
        A galaxy cube with ``sb_disk``, as of SPARC.
    name : str
        The galaxy.
    upsilon_disk, upsilon_bulge : float
        Mass-to-light ratios, Msun/solLum.
    height : float, optional
        Of the stellar disc's exponential in z, kpc; 0 for a razor-thin one. Without it 0.196 R_d^0.633, R_d of the
        catalogue (Bershady+ 2010, ApJ 716, 234), with which SPARC's V_disk comes out of its light.
    gas : bool
        Whether to have gas.

    Returns
    -------
    Source
        With the scale lengths of the cube, so that kernels have the same labels as there.

    Raises
    ------
    DataError
        For another kind of cube, a galaxy that is not in it, or one without light in the table.

    Examples
    --------
    >>> from sigcube import field
    >>> from sigcube.readers.mock import mock_survey
    >>> survey = mock_survey(n_galaxies=2, seed=1)
    >>> source = field.galaxy(survey, str(survey.galaxy.values[0]))
    >>> sorted(source.scales)[0]
    'f_bulge'
    """
    row = _row(cube, name)
    points = row.isel(radius=row["r"].values > 0.0)
    r = points["r"].values
    scales = _scales(row)
    scale_length = scales["scale_length_catalogue"]
    thickness = 0.196 * scale_length**0.633 if height is None else height
    light = points["sb_disk"].fillna(0.0).values * upsilon_disk
    if (light > 0.0).sum() < 2:
        raise DataError("a galaxy's disc needs its light at two radii or more", where=name)
    parts = [tabulated(r, light, scale_length=scale_length, height=thickness, scales=scales)]
    if (bulge := points["v_bul"].fillna(0.0).values).any():
        parts.append(_bulge(r, upsilon_bulge * bulge**2))
    if gas and (points["v_gas"].values > 0.0).any():
        parts.append(_gas(r, points["v_gas"].values))
    return combined(*parts, title=f"{name}, Υ_disk = {upsilon_disk:g}, h = {thickness:.3g} kpc")


def _row(cube: xr.Dataset, name: str) -> Any:
    if kind_of(cube).name != "galaxy" or "sb_disk" not in cube:
        raise DataError("a galaxy's disc needs a galaxy cube with 'sb_disk'", where=str(cube.attrs.get("title")))
    if name not in cube["galaxy"].values:
        raise DataError(f"there is no galaxy {name!r} in the cube", where=str(cube.attrs.get("title")))
    return cube.sel(galaxy=name).compute()


def _scales(row: xr.Dataset) -> dict[str, float]:
    names = [str(n) for n in row.data_vars if str(n).startswith("scale_length_") or n == "f_bulge"]
    return {name: float(row[name]) for name in names}


def _bulge(r: FloatArray, v_sq: FloatArray) -> Source:
    """Make the sphere with M(<r) = V² r/G: of constant density before the first radius, empty beyond the last."""
    mass = np.maximum.accumulate(v_sq * r / PAPER.G_galactic)
    curve = PchipInterpolator(np.log(r), mass).derivative()

    def density(R: FloatArray, z: FloatArray) -> FloatArray:
        radius = np.hypot(R, z)
        within = np.clip(radius, r[0], r[-1])
        shell = np.maximum(curve(np.log(within)), 0.0) / (4.0 * np.pi * within**3)
        core = mass[0] / (4.0 / 3.0 * np.pi * r[0] ** 3)
        return np.where(radius < r[0], core, np.where(radius > r[-1], 0.0, shell))

    return Source("bulge", (float(r[0]), float(r[-1])), density=density)


def _gas(r: FloatArray, v_gas: FloatArray) -> Source:
    """Make the disc of rings with the nearest V_gas, out to the last radius: what lies beyond it, no curve can tell."""
    unit = float(r[-1]) / (_RINGS - 1)
    v_sq = _ring_pulls(r / unit) * r[:, None]
    penalty = _STIFFNESS * np.sqrt(r.size) * v_sq.max() * _roughness()
    weights, _ = nnls(np.vstack([v_sq, penalty]), np.concatenate([v_gas * np.abs(v_gas), np.zeros(_RINGS)]))

    def surface_density(R: FloatArray) -> FloatArray:
        column: FloatArray = np.sum([weight * _ring(k)(R / unit) for k, weight in enumerate(weights)], axis=0)
        return column

    return disc(surface_density, scale_length=unit, title="gas")


def _ring(k: int) -> Profile:
    """Return ring k in units of the distance between rings: a Gaussian in R, as wide as that, of 1 Msun/kpc²."""
    return lambda R: np.exp(-0.5 * (R - k) ** 2)


def _roughness() -> FloatArray:
    """Second differences of the rings' weights: level at the centre, nothing beyond the last."""
    matrix = 2.0 * np.eye(_RINGS) - np.eye(_RINGS, k=1) - np.eye(_RINGS, k=-1)
    matrix[0, 0] = 1.0
    return matrix


@cache
def _rings() -> tuple[Radial, FloatArray]:
    """Solve for each ring: the pull in the mid-plane at radial nodes, shape (rings, n_panels, n_nodes)."""
    grid = PolarGrid.between(1.0 / _BEYOND, _RINGS * _BEYOND, n_panels=50, n_nodes=10, n_modes=24)
    solutions = (grid.of_matter(None, _ring(k), 4.0 * np.pi * PAPER.G_galactic) for k in range(_RINGS))
    return grid.radial, np.stack([solution.mid_plane_pull for solution in solutions])


def _ring_pulls(R: FloatArray) -> FloatArray:
    """Pull of each ring, (km/s)²/kpc, the same at any unit of length: shape (n, rings)."""
    radial, pulls = _rings()
    panel, weights = radial.at(R)
    at: FloatArray = np.einsum("pi,spi->ps", weights, pulls[:, panel])
    return at
