"""Mass distributions: thin and thick discs and spheres, symmetric about an axis and about the mid-plane."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

import numpy as np
import numpy.typing as npt
from scipy.interpolate import PchipInterpolator

from sigcube.errors import SpecError

__all__ = ["Source", "combined", "disc", "exponential", "hernquist", "kuzmin", "plummer", "tabulated"]

FloatArray = npt.NDArray[np.float64]
Profile = Callable[[FloatArray], FloatArray]

_PC2_PER_KPC2 = 1e6
_SAME: Mapping[str, float] = MappingProxyType({})


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
    scales: Mapping[str, float] = _SAME,
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
    scales: Mapping[str, float] = _SAME,
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
