"""Mass distributions that are symmetric about an axis and about the mid-plane: discs, spheres, galaxies of a cube."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache
from types import MappingProxyType
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.interpolate import PchipInterpolator
from scipy.optimize import nnls

from sigcube.constants import PAPER
from sigcube.cube import kind_of
from sigcube.errors import DataError, SpecError
from sigcube.field.poisson import PolarGrid, RadialPanels

__all__ = ["Source", "combined", "disc", "exponential", "galaxy", "hernquist", "kuzmin", "plummer", "tabulated"]

FloatArray = npt.NDArray[np.float64]
Profile = Callable[[FloatArray], FloatArray]

_PC2_PER_KPC2 = 1e6
_NO_SCALES: Mapping[str, float] = MappingProxyType({})

# Number of rings of gas, and the weight of the penalty on differences between neighbours. It keeps their masses from
# alternating, and V_gas² is still reproduced to half a per cent of its maximum for half of SPARC.
_RINGS = 16
_STIFFNESS = 0.003
# How far the grid on which rings are solved extends beyond them, as a factor.
_BEYOND = 1e3


@dataclass(frozen=True)
class Source:
    """A mass distribution, for `solve`.

    Attributes
    ----------
    title : str
        A description, for the attributes of results.
    extent : tuple of float
        Its smallest and largest length in kpc; the grid of the solver extends far beyond both.
    density : callable, optional
        ρ(R, z) in Msun/kpc³, for R and z ≥ 0 in kpc, arrays of one shape.
    surface_density : callable, optional
        Σ(R) in Msun/kpc² of a razor-thin part at z = 0.
    column : callable, optional
        Surface density in Msun/kpc² of all discs, thin and thick.
    scales : Mapping
        The variables of the system that kernels may use: ``scale_length_catalogue``, the R_d of a disc; for a galaxy of
        a cube, its other scale lengths and its bulge fraction too.
    """

    title: str
    extent: tuple[float, float]
    density: Callable[[FloatArray, FloatArray], FloatArray] | None = None
    surface_density: Profile | None = None
    column: Profile | None = None
    scales: Mapping[str, float] = field(default_factory=dict)


def disc(
    surface_density: Profile,
    *,
    scale_length: float,
    height: float = 0.0,
    title: str = "disc",
    scales: Mapping[str, float] = _NO_SCALES,
) -> Source:
    """Make a disc of any surface density.

    Parameters
    ----------
    surface_density : callable
        Σ(R) in Msun/kpc² for R in kpc.
    scale_length : float
        R_d in kpc: the length over which Σ varies, and the unit of the kernels' windows.
    height : float
        h in kpc of ρ = Σ e^{−|z|/h}/2h; 0 for a razor-thin disc.
    title : str
        A description.
    scales : Mapping
        Further variables for kernels, besides ``scale_length_catalogue``; see `Source`.

    Raises
    ------
    SpecError
        For a scale length that is not positive, or a negative height.
    """
    _check_positive(scale_length=scale_length)
    named = {"scale_length_catalogue": scale_length, **scales}
    if height == 0.0:
        extent = (scale_length, scale_length)
        return Source(title, extent, surface_density=surface_density, column=surface_density, scales=named)
    _check_positive(height=height)

    def density(R: FloatArray, z: FloatArray) -> FloatArray:
        return surface_density(R) * np.exp(-z / height) / (2.0 * height)

    extent = (min(height, scale_length), max(height, scale_length))
    return Source(title, extent, density=density, column=surface_density, scales=named)


def exponential(*, central: float, scale_length: float, height: float = 0.0) -> Source:
    """Make an exponential disc, Σ = Σ₀ e^{−R/R_d} (Freeman 1970, doi:10.1086/150474).

    Parameters
    ----------
    central : float
        Σ₀ in Msun/pc².
    scale_length, height : float
        In kpc, as in `disc`.
    """
    _check_positive(central=central)

    def surface_density(R: FloatArray) -> FloatArray:
        return central * _PC2_PER_KPC2 * np.exp(-R / scale_length)

    title = f"exponential disc, {central:g} Msun/pc2, R_d = {scale_length:g} kpc, h = {height:g} kpc"
    return disc(surface_density, scale_length=scale_length, height=height, title=title)


def kuzmin(*, mass: float, scale_length: float) -> Source:
    """Make a razor-thin Kuzmin disc, Σ = M a/(2π (R²+a²)^{3/2}) (Toomre 1963, doi:10.1086/147653; model 1).

    Parameters
    ----------
    mass, scale_length : float
        M in Msun and a in kpc.
    """
    _check_positive(mass=mass)

    def surface_density(R: FloatArray) -> FloatArray:
        return mass * scale_length / (2.0 * np.pi * (R * R + scale_length**2) ** 1.5)

    title = f"Kuzmin disc, {mass:g} Msun, a = {scale_length:g} kpc"
    return disc(surface_density, scale_length=scale_length, title=title)


def tabulated(
    radius: npt.ArrayLike,
    surface_density: npt.ArrayLike,
    *,
    scale_length: float,
    height: float = 0.0,
    title: str = "tabulated disc",
    scales: Mapping[str, float] = _NO_SCALES,
) -> Source:
    """Make a disc from a table, by monotone cubic interpolation of ln Σ.

    Inside the first and beyond the last positive row it continues as an exponential of the scale length.

    Parameters
    ----------
    radius, surface_density : array_like, shape (n,)
        In kpc and Msun/pc². Rows that are not positive are ignored; at least two must remain.
    scale_length, height, title, scales
        As for `disc`.

    Raises
    ------
    SpecError
        For fewer than two such rows, or radii that do not increase.
    """
    R, table = np.asarray(radius, dtype=np.float64), np.asarray(surface_density, dtype=np.float64)
    kept = (R > 0.0) & (table > 0.0)
    R, logarithm = R[kept], np.log(table[kept] * _PC2_PER_KPC2)
    if R.size < 2 or (np.diff(R) <= 0.0).any():
        raise SpecError("a tabulated disc needs two or more positive rows at rising radii", found=f"{R.size} rows")
    curve = PchipInterpolator(R, logarithm)

    def profile(at: FloatArray) -> FloatArray:
        within = np.clip(at, R[0], R[-1])
        column: FloatArray = np.exp(curve(within) - (at - within) / scale_length)
        return column

    return disc(profile, scale_length=scale_length, height=height, title=title, scales=scales)


def plummer(*, mass: float, scale_length: float) -> Source:
    """Make a sphere, ρ = 3M/(4πb³) (1+r²/b²)^{−5/2} (Plummer 1911, doi:10.1093/mnras/71.5.460); M in Msun, b in kpc."""
    _check_positive(mass=mass, scale_length=scale_length)
    b = scale_length

    def density(R: FloatArray, z: FloatArray) -> FloatArray:
        return 3.0 * mass / (4.0 * np.pi * b**3) * (1.0 + (R * R + z * z) / b**2) ** -2.5

    return _sphere(f"Plummer sphere, {mass:g} Msun, b = {b:g} kpc", density, b)


def hernquist(*, mass: float, scale_length: float) -> Source:
    """Make a sphere, ρ = M a/(2π r (r+a)³) (Hernquist 1990, doi:10.1086/168845); M in Msun, a in kpc."""
    _check_positive(mass=mass, scale_length=scale_length)
    a = scale_length

    def density(R: FloatArray, z: FloatArray) -> FloatArray:
        r = np.hypot(R, z)
        return mass * a / (2.0 * np.pi * r * (r + a) ** 3)

    return _sphere(f"Hernquist sphere, {mass:g} Msun, a = {a:g} kpc", density, a)


def combined(*sources: Source, title: str | None = None) -> Source:
    """Add sources up; each variable for kernels is that of the first source that has it.

    Examples
    --------
    >>> disc = exponential(central=300.0, scale_length=3.0)
    >>> combined(disc, hernquist(mass=5e9, scale_length=0.5)).scales["scale_length_catalogue"]
    3.0
    """
    scales = {name: value for source in reversed(sources) for name, value in source.scales.items()}
    extent = (min(s.extent[0] for s in sources), max(s.extent[1] for s in sources))
    return Source(
        title or " + ".join(source.title for source in sources),
        extent,
        density=_sum(*(source.density for source in sources)),
        surface_density=_sum(*(source.surface_density for source in sources)),
        column=_sum(*(source.column for source in sources)),
        scales=scales,
    )


def _sum(*functions: Callable[..., FloatArray] | None) -> Callable[..., FloatArray] | None:
    there = [function for function in functions if function is not None]
    return (lambda *at: np.sum([function(*at) for function in there], axis=0)) if there else None


def _sphere(title: str, density: Callable[[FloatArray, FloatArray], FloatArray], scale_length: float) -> Source:
    scales = {"scale_length_catalogue": scale_length}
    return Source(title, (scale_length, scale_length), density=density, scales=scales)


def _check_positive(**lengths: float) -> None:
    for name, value in lengths.items():
        if not (np.isfinite(value) and value > 0.0):
            raise SpecError(f"{name} must be a positive number", found=repr(value))


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
    is made of razor-thin rings of positive mass, out to the last radius, whose V² is nearest to ``V_gas |V_gas|``, with
    a penalty on differences between neighbouring rings.

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
