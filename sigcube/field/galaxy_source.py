"""The mass distribution of a galaxy of a cube: stars from its light, gas and bulge from V_gas and V_bul."""

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
from sigcube.field.poisson import PolarGrid, RadialPanels
from sigcube.field.sources import Profile, Source, combined, disc, tabulated

__all__ = ["galaxy"]

FloatArray = npt.NDArray[np.float64]

# Rings of gas, and the weight of the penalty on differences between neighbours: rings do not alternate, and V_gas² is
# reproduced to half a per cent of its maximum for half of SPARC.
_RINGS = 16
_STIFFNESS = 0.003
# How far the grid on which rings are solved extends beyond them, as a factor.
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
    """Make the source of one galaxy of a cube, for `solve`.

    The disc is Υ_disk times ``sb_disk``; `tabulated` says how it continues inside the first radius and beyond the last.
    The bulge is the sphere whose circular velocity is that of Υ_bulge V_bul². A cube has no surface density of gas: it
    is made of razor-thin rings of positive mass, out to the last radius, whose V² is nearest to V_gas |V_gas|, with a
    penalty on differences between neighbouring rings.

    Parameters
    ----------
    cube : xarray.Dataset
        A galaxy cube with ``sb_disk``, as of SPARC.
    name : str
        The galaxy.
    upsilon_disk, upsilon_bulge : float
        Mass-to-light ratios, Msun/solLum.
    height : float, optional
        Scale height of the stellar disc in kpc; 0 for a razor-thin one. By default 0.196 R_d^0.633 with the catalogue's
        R_d (Bershady+ 2010, ApJ 716, 234), which reproduces SPARC's V_disk from its light.
    gas : bool
        Whether to include the gas.

    Returns
    -------
    Source
        With the scale lengths of the cube, so that kernels have the same labels as on it.

    Raises
    ------
    DataError
        For another kind of cube, a galaxy that is not in it, or one with light at fewer than two radii.

    Examples
    --------
    >>> from sigcube import field
    >>> from sigcube.readers.mock import mock_survey
    >>> survey = mock_survey(n_galaxies=2, seed=1)
    >>> source = field.galaxy(survey, str(survey.galaxy.values[0]))
    >>> sorted(source.scales)[0]
    'f_bulge'
    """
    if kind_of(cube).name != "galaxy" or "sb_disk" not in cube:
        raise DataError("a galaxy's disc needs a galaxy cube with 'sb_disk'", where=str(cube.attrs.get("title")))
    if name not in cube["galaxy"].values:
        raise DataError(f"there is no galaxy {name!r} in the cube", where=str(cube.attrs.get("title")))
    row: Any = cube.sel(galaxy=name).compute()
    points = row.isel(radius=row["r"].values > 0.0)
    r = points["r"].values
    lengths = [str(n) for n in row.data_vars if str(n).startswith("scale_length_") or n == "f_bulge"]
    scales = {n: float(row[n]) for n in lengths}
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


def _bulge(r: FloatArray, v_sq: FloatArray) -> Source:
    """Make the sphere with M(<r) = V² r/G: of constant density inside the first radius, empty beyond the last."""
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
    """Make the disc of rings whose rotation curve is nearest to V_gas."""
    unit = float(r[-1]) / (_RINGS - 1)
    radial, slopes = _ring_slopes()
    panel, weights = radial.interpolation(r / unit)
    v_sq = np.einsum("pi,spi->ps", weights, slopes[:, panel]) * r[:, None]
    # Second differences of the rings' masses, level at the centre, with no ring beyond the last.
    differences = 2.0 * np.eye(_RINGS) - np.eye(_RINGS, k=1) - np.eye(_RINGS, k=-1)
    differences[0, 0] = 1.0
    penalty = _STIFFNESS * np.sqrt(r.size) * v_sq.max() * differences
    masses, _ = nnls(np.vstack([v_sq, penalty]), np.concatenate([v_gas * np.abs(v_gas), np.zeros(_RINGS)]))

    def surface_density(R: FloatArray) -> FloatArray:
        column: FloatArray = np.sum([mass * _ring(k)(R / unit) for k, mass in enumerate(masses)], axis=0)
        return column

    return disc(surface_density, scale_length=unit, title="gas")


def _ring(k: int) -> Profile:
    """Return ring k: a Gaussian in R of 1 Msun/kpc², with the distance between rings as unit of length and width."""
    return lambda R: np.exp(-0.5 * (R - k) ** 2)


@cache
def _ring_slopes() -> tuple[RadialPanels, FloatArray]:
    """Return ∂Φ/∂R of each ring in the mid-plane, at the radial nodes: shape ``(rings, n_panels, n_nodes)``.

    In (km/s)²/kpc, whatever the unit of length.
    """
    grid = PolarGrid.between(1.0 / _BEYOND, _RINGS * _BEYOND, n_panels=50, n_nodes=10, n_modes=24)
    solutions = (grid.solve_density(None, _ring(k), 4.0 * np.pi * PAPER.G_galactic) for k in range(_RINGS))
    return grid.radial, np.stack([solution.mid_plane_slope for solution in solutions])
