"""Solve the papers' field equation for a mass distribution, and compare the algebraic relation with it."""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.constants import CONSTANTS, Constants
from sigcube.cube import unit_attrs
from sigcube.errors import SpecError, did_you_mean
from sigcube.field.nu import Nu, nu_of
from sigcube.field.poisson import PolarGrid, Solution
from sigcube.field.sources import Source
from sigcube.kernels import Kernel, find

__all__ = ["solve"]

FloatArray = npt.NDArray[np.float64]

# How far the grid extends beyond the smallest and the largest length of a source, as factors.
_INWARDS, _OUTWARDS = 1e4, 1e3
# Width of a panel in ln r, and its nodes.
_PANEL, _NODES = 0.3, 10


def solve(
    source: Source,
    *,
    kernel: str | Kernel = "sigma",
    R: npt.ArrayLike | None = None,
    z: npt.ArrayLike = (0.0,),
    window_radius: Literal["cylindrical", "spherical"] = "cylindrical",
    modes: int = 48,
    refine: float = 1.0,
    **settings: Any,
) -> xr.Dataset:
    """Solve ∇²Φ = ∇·[ν ∇Φ_N] and compare it with g = ν(g_N) g_N in the mid-plane.

    As in QUMOND (Milgrom 2010, MNRAS 403, 886), the Newtonian field ∇²Φ_N = 4πGρ is solved first, then that of the
    phantom density (main §2.14.2). Main §2.14.2 prints 4πGρ + ∇·[(ν−1) g_N] with g_N = −∇Φ_N on the right. The sign of
    its second term contradicts its own g_eff = ν g_N even for a sphere, so that ∇·[(ν−1) ∇Φ_N] is used here.

    Each equation is solved in weak form on one side of the mid-plane, on panels of Chebyshev nodes in ln r and with
    polynomials in cos θ: ν is never differentiated, and a thin disc is a flux through the mid-plane.

    Parameters
    ----------
    source : Source
        The mass distribution; `combined` adds several up.
    kernel : str or Kernel
        A model whose boost is a function of g_N and r alone: ``mond``, ``sigma`` with the windows ``none``,
        ``geometric`` and ``power``, ``survival``, or a record of your own.
    R : array_like, optional
        Radii in kpc; by default 49 from R_d/4 to 16 R_d.
    z : array_like
        Heights z ≥ 0 in kpc. Fields at z = 0 are the limit from above.
    window_radius : {"cylindrical", "spherical"}
        Which radius r in ν(g, r) is off the mid-plane; main §2.5 uses the cylindrical one.
    modes : int
        Number of polynomials in cos θ.
    refine : float
        Factor on the number of radial panels.
    **settings
        Labels and parameters of the kernel, and ``constants``, the label of the physical constants.

    Returns
    -------
    xarray.Dataset
        Over ``R`` and ``z`` [kpc]: ``potential`` and ``potential_newton`` [km²/s²], ``g_R``, ``g_z``,
        ``g_R_newton``, ``g_z_newton`` [m/s², positive towards the axis and the mid-plane], and ``phantom_density``
        [Msun/kpc³] without that of a thin disc. Over ``R``, in the mid-plane: ``boost``, ``boost_algebraic`` =
        ν(g_R) and ``boost_outside`` = ν(√(g_R² + (2πGΣ)²)), all relative to Newton's g_R; ``v``, ``v_algebraic`` and
        ``v_newton`` [km/s, NaN where the acceleration is outwards]; ``deviation`` and ``deviation_outside``, the g of
        the two relations over that of the field equation, less 1; ``phantom_mass`` [Msun] inside the sphere of radius
        R. The zero of ``potential`` has no meaning where ν grows without bound.

    Raises
    ------
    SpecError
        For radii or heights beyond the grid, or settings that the kernel does not have or use; see `nu_of`.

    Examples
    --------
    >>> from sigcube import field
    >>> found = field.solve(field.kuzmin(mass=1e10, scale_length=2.0), kernel="mond", R=[4.0])
    >>> round(float(found.deviation[0]), 3), abs(round(float(found.deviation_outside[0]), 6))
    (0.038, 0.0)
    """
    if window_radius not in ("cylindrical", "spherical"):
        hint = did_you_mean(window_radius, ("cylindrical", "spherical"))
        raise SpecError(f"there is no window_radius {window_radius!r}", hint=hint)
    model = find(kernel)
    nu = nu_of(model, source.scales, settings)
    constants = CONSTANTS[settings.get("constants", "paper")]
    grid = _grid(source, modes, refine)
    heights = _within(z, "z", grid, smallest=0.0)
    if R is None:
        radii = np.geomspace(0.25, 16.0, 49) * source.scales.get("scale_length_catalogue", source.extent[1])
    else:
        radii = _within(R, "R", grid, smallest=float(grid.radial.r[0, 0]))
    newton = grid.solve_density(source.density, source.surface_density, 4.0 * np.pi * constants.G_galactic)
    field = _phantom_field(newton, nu, constants, cylindrical=window_radius == "cylindrical")
    solved = _Solved(source, nu, constants, newton, field, grid.solve_divergence(*field))
    attrs = {
        "title": f"Field equation of {model.title}: {source.title}",
        "kernel": model.name,
        "settings": ", ".join(f"{key}={value}" for key, value in settings.items()),
        "window_radius": window_radius,
        "source": "main §2.14.2",
    }
    return solved.fields(radii, heights).merge(solved.mid_plane(radii)).assign_attrs(attrs)


def _grid(source: Source, modes: int, refine: float) -> PolarGrid:
    if modes < 2 or not refine > 0.0:
        raise SpecError("a grid needs two modes or more, and some panels", found=f"modes={modes}, refine={refine}")
    smallest, largest = source.extent[0] / _INWARDS, source.extent[1] * _OUTWARDS
    n_panels = max(4, round(refine * np.log(largest / smallest) / _PANEL))
    return PolarGrid.between(smallest, largest, n_panels=n_panels, n_nodes=_NODES, n_modes=modes)


def _within(values: npt.ArrayLike, name: str, grid: PolarGrid, *, smallest: float) -> FloatArray:
    array = np.atleast_1d(np.asarray(values, dtype=np.float64))
    largest = 0.5 * float(grid.radial.r[-1, -1])
    if array.ndim != 1 or not ((array >= smallest) & (array <= largest)).all():
        raise SpecError(f"{name} must be one-dimensional, within the grid", expected=f"{smallest:g} to {largest:g} kpc")
    return array


def _si(constants: Constants) -> float:
    """Return one (km/s)²/kpc in m/s²."""
    return 1e6 / constants.kpc


def _phantom_field(
    newton: Solution, nu: Nu, constants: Constants, *, cylindrical: bool
) -> tuple[FloatArray, FloatArray]:
    """Return (ν−1) ∇Φ_N at the nodes, in the components of `PolarGrid.solve_divergence`."""
    grid = newton.grid
    by_r, by_mu = newton.gradient()
    g = np.hypot(by_r, np.sqrt(1.0 - grid.angular.mu**2) * by_mu) * _si(constants)
    radius = grid.cylindrical[0] if cylindrical else np.broadcast_to(grid.radial.r[..., None], g.shape)
    excess = nu(radius, g) - 1.0
    return excess * by_r, excess * by_mu


@dataclass(frozen=True)
class _Solved:
    """The solutions of both equations; ``field`` is (ν−1) ∇Φ_N, ``phantom`` the potential of its divergence."""

    source: Source
    nu: Nu
    constants: Constants
    newton: Solution
    field: tuple[FloatArray, FloatArray]
    phantom: Solution

    def fields(self, R: FloatArray, z: FloatArray) -> xr.Dataset:
        """Return both potentials and their fields over R and z."""
        points = [a.ravel() for a in np.meshgrid(R, z, indexing="ij")]
        newton, phantom = self.newton.evaluate(*points), self.phantom.evaluate(*points)
        full = [a + b for a, b in zip(newton, phantom, strict=True)]
        grid, four_pi_G = self.phantom.grid, 4.0 * np.pi * self.constants.G_galactic
        density = grid.interpolate(grid.divergence(*self.field), *points) / four_pi_G
        variables = {
            "phantom_density": _variable(
                density.reshape(R.size, z.size), "solMass/kpc3", "phantom density, beside a thin disc's own", "R", "z"
            )
        }
        for suffix, solution in (("", full), ("_newton", newton)):
            whose = "Newton's" if suffix else "the field equation's"
            phi, by_R, by_z = (a.reshape(R.size, z.size) for a in solution)
            variables[f"potential{suffix}"] = _variable(phi, "km2/s2", f"{whose} potential", "R", "z")
            for name, slope, where in (("g_R", by_R, "axis"), ("g_z", by_z, "mid-plane")):
                text = f"{whose} acceleration towards the {where}"
                variables[name + suffix] = _variable(slope * _si(self.constants), "m/s2", text, "R", "z")
        coords = {"R": _variable(R, "kpc", "cylindrical radius", "R"), "z": _variable(z, "kpc", "height", "z")}
        return xr.Dataset(variables, coords)

    def mid_plane(self, R: FloatArray) -> xr.Dataset:
        """Return the three relations' boosts and velocities in the mid-plane, over R."""
        in_plane, si, G = np.zeros_like(R), _si(self.constants), self.constants.G_galactic
        newton = self.newton.evaluate(R, in_plane)[1]
        full = newton + self.phantom.evaluate(R, in_plane)[1]
        column = np.zeros_like(R) if self.source.column is None else self.source.column(R)
        algebraic = self.nu(R, np.abs(newton) * si)
        outside = self.nu(R, np.hypot(newton, 2.0 * np.pi * G * column) * si)
        boost = full / newton
        panel, weights = self.phantom.grid.radial.interpolation(R)
        mean_slope = np.einsum("pi,pi->p", weights, self.phantom.mean_slope[panel])
        over = "g of the algebraic relation over that of the field equation − 1"
        rows = {
            "boost": (boost, "", "g_R of the field equation over Newton's"),
            "boost_algebraic": (algebraic, "", "ν(g_R), the algebraic relation"),
            "boost_outside": (outside, "", "ν of the field just outside the disc"),
            "v": (_velocity(R * full), "km/s", "circular velocity of the field equation"),
            "v_algebraic": (_velocity(R * newton * algebraic), "km/s", "circular velocity of the algebraic relation"),
            "v_newton": (_velocity(R * newton), "km/s", "Newton's circular velocity"),
            "deviation": (algebraic / boost - 1.0, "", over),
            "deviation_outside": (outside / boost - 1.0, "", "the same, of the relation just outside the disc"),
            "phantom_mass": (R**2 * mean_slope / G, "solMass", "phantom mass in the sphere of radius R"),
        }
        return xr.Dataset({name: _variable(values, unit, text, "R") for name, (values, unit, text) in rows.items()})


def _velocity(v_sq: FloatArray) -> FloatArray:
    return np.sqrt(np.where(v_sq >= 0.0, v_sq, np.nan))


def _variable(values: FloatArray, units: str, long_name: str, *dims: str) -> xr.Variable:
    return xr.Variable(dims, values, {**unit_attrs(units), "long_name": long_name})
