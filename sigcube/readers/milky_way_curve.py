"""The Milky Way's rotation curve, with the velocities of its baryonic model at the measured radii."""

from collections.abc import Mapping

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.constants import PAPER
from sigcube.cube import KINDS
from sigcube.errors import SpecError
from sigcube.model.milky_way import BULGE, DISK, DISK_SCALE_LENGTH, GAS, VELOCITY_SCALING, bulge_v_sq, disc_v_sq
from sigcube.readers.assembly import column_sources, pad, radius_faults
from sigcube.readers.contract import check_recipe
from sigcube.readers.formats import Table, read_table, unreadable
from sigcube.readers.galaxy import GalaxyCuts, derive

__all__ = ["read_milky_way_curve"]

FloatArray = npt.NDArray[np.float64]

_GALAXY = KINDS["galaxy"]
_MEASURED = ("r", "v_obs", "e_v_obs")


def read_milky_way_curve(tables: Mapping[str, Table], *, cuts: GalaxyCuts) -> xr.Dataset:
    """Read a circular-velocity curve of the Milky Way (role ``curve``) as a galaxy of its own.

    The baryons are those of `sigcube.model.milky_way`, the model that the papers compare stars with (main §3.3):
    velocities of disc and bulge are divided by the square roots of the mass-to-light ratios of the cuts, so that a
    model with those ratios has the masses of that model. The disc scale length is 2.6 kpc. Parameters, result and
    errors are those of `Reader`; a mass-to-light ratio of zero is a `SpecError` too.
    """
    check_recipe(tables, "'milky_way_curve'", _GALAXY, {"curve": _MEASURED})
    for name in ("upsilon_disk", "upsilon_bulge"):
        if not getattr(cuts, name) > 0:
            what = "the mass-to-light ratio is not above 0, so the model's velocity at M/L = 1 is not known"
            raise SpecError(what, where=f"cuts.{name}")
    table = tables["curve"]
    points = read_table(table, kind=_GALAXY, needed=_MEASURED)
    if faults := list(radius_faults(points["r"].tolist(), table.path.name)):
        raise unreadable(table.path, faults)
    sources = column_sources(table) | _baryon_sources(cuts) | {"r_disk": f"main §3.3: {DISK_SCALE_LENGTH:g} kpc"}
    points |= _baryons(points["r"], cuts)
    systems = {"r_disk": [DISK_SCALE_LENGTH]}
    ds = pad(_GALAXY, ["Milky Way"], [points["r"].size], points=points, systems=systems, sources=sources)
    return derive(ds, cuts=cuts)


def _baryons(r: FloatArray, cuts: GalaxyCuts) -> dict[str, FloatArray]:
    """Velocities [km/s] of each component, of disc and bulge at M/L = 1."""
    g = PAPER.G_galactic * VELOCITY_SCALING**2
    radii = r.tolist()
    gas = np.array([disc_v_sq(x, *GAS, g) for x in radii])
    disk = np.array([disc_v_sq(x, *DISK, g) for x in radii])
    bulge = np.array([bulge_v_sq(x, *BULGE, g) for x in radii])
    return {
        "v_gas": np.sqrt(gas),
        "v_disk": np.sqrt(disk / cuts.upsilon_disk),
        "v_bul": np.sqrt(bulge / cuts.upsilon_bulge),
    }


def _baryon_sources(cuts: GalaxyCuts) -> dict[str, str]:
    model = "McMillan 2017 as main §3.3 rounds it"
    scaled = f"velocities times {VELOCITY_SCALING:g}"
    disc = "{} of {:.1e} Msun, V² = G M R²/(R²+a²)^1.5 with a = {:g} kpc"
    sphere = "Bulge of {:.1e} Msun, V² = G M R/(R+b)² with b = {:g} kpc"
    ratio = "; divided by √{:g}, so that M/L = {:g} gives this mass"
    return {
        "v_gas": f"{model}: {disc.format('Gas', *GAS)}, {scaled}",
        "v_disk": f"{model}: {disc.format('Disc', *DISK)}, {scaled}" + ratio.format(*[cuts.upsilon_disk] * 2),
        "v_bul": f"{model}: {sphere.format(*BULGE)}, {scaled}" + ratio.format(*[cuts.upsilon_bulge] * 2),
    }
