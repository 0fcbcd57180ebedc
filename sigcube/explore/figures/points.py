"""Points without data, at which figures evaluate formulas: accelerations, radii about one mass."""

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.claims import point_cube

__all__ = ["about_a_mass", "at_accelerations"]


def at_accelerations(g_bar: npt.ArrayLike, *, r: npt.ArrayLike = 1.0, scale_length: npt.ArrayLike = 1.0) -> xr.Dataset:
    """Return a cube with a point for each acceleration [m/s²], radius [kpc] and scale length [kpc]."""
    g, radius, length = (np.ravel(each) for each in np.broadcast_arrays(g_bar, r, scale_length))
    one = point_cube("landmark", {"g_bar": 1.0})
    values = {"g_bar": g, "newton": g, "r": radius, "scale_length_catalogue": length}
    many = one.isel(landmark=np.zeros(g.size, dtype=np.int64))
    return many.assign({name: ("landmark", np.array(each, dtype=float)) for name, each in values.items()})


def about_a_mass(r: npt.ArrayLike, *, m_bar: float, scale_length: float) -> xr.Dataset:
    """Return a cube with points at these radii [kpc] about one mass [Msun]."""
    radius = np.ravel(r).astype(float)
    one = point_cube("cluster", {"m_bar": m_bar, "scale_length_catalogue": scale_length})
    many = one.isel(radius=np.zeros(radius.size, dtype=np.int64))
    return many.assign(r=(one["r"].dims, radius[np.newaxis, :]))
