"""The Milky Way's rotation curve, with the velocities of its baryonic model at the measured radii."""

from collections.abc import Iterator, Mapping, Sequence
from itertools import pairwise

import numpy as np
import numpy.typing as npt
import xarray as xr

from sigcube.constants import PAPER
from sigcube.errors import DataError, Fault, SpecError, error_from
from sigcube.model.milky_way import BULGE, DISK, DISK_SCALE_LENGTH, GAS, VELOCITY_SCALING, bulge_v_sq, disc_v_sq
from sigcube.readers.delimited import dtypes_of, read_csv, recipe_faults
from sigcube.readers.galaxy import GalaxyCuts, assemble, derive
from sigcube.readers.table import convert
from sigcube.readers.typing import Table

__all__ = ["read_milky_way_curve"]

FloatArray = npt.NDArray[np.float64]

_NAME = "Milky Way"
_UNITS = {"r": "kpc", "v_obs": "km/s", "e_v_obs": "km/s"}


def read_milky_way_curve(tables: Mapping[str, Table], *, cuts: GalaxyCuts) -> xr.Dataset:
    """Read a circular-velocity curve of the Milky Way (role ``curve``, CSV) as a galaxy of its own.

    The baryons are those of `sigcube.model.milky_way`, the model that the papers compare stars with (main §3.3):
    velocities of disc and bulge are divided by the square roots of the mass-to-light ratios of the cuts, so that a
    model with those ratios has the masses of that model. The disc scale length is 2.6 kpc.

    Parameters
    ----------
    tables : Mapping of str to Table
        The file.
    cuts : GalaxyCuts
        Thresholds of the flags, and the mass-to-light ratios.

    Returns
    -------
    Dataset
        The variables of a galaxy cube of one system.

    Raises
    ------
    DataError
        With every fault of the file.
    SpecError
        If the recipe lacks the file or a column, or a mass-to-light ratio is zero.
    """
    wrong = [*recipe_faults(tables, "galaxy", {"curve": tuple(_UNITS)}), *_ratio_faults(cuts)]
    if wrong:
        raise error_from(SpecError, wrong, what="the recipe does not fit the reader", where="reader 'milky_way_curve'")
    table, faults = tables["curve"], list[Fault]()
    raw = read_csv(table, dtypes=dtypes_of("galaxy"), faults=faults)
    faults += _order_faults(raw["r"], table.path.name) if not faults else []
    if faults:
        raise error_from(DataError, faults, what="the curve cannot be read", where=str(table.path.parent))
    points = {c.variable: convert(raw[c.variable], c, _UNITS[c.variable]) for c in table.columns}
    sources = {c.variable: f"{table.path.name}, column {c.label}" for c in table.columns}
    baryons = _baryons(points["r"], cuts)
    systems = {"r_disk": [DISK_SCALE_LENGTH]}
    sources |= _baryon_sources(cuts) | {"r_disk": f"main §3.3: {DISK_SCALE_LENGTH:g} kpc"}
    ds = assemble([_NAME], [points["r"].size], points=points | baryons, systems=systems, sources=sources)
    return derive(ds, cuts=cuts)


def _ratio_faults(cuts: GalaxyCuts) -> Iterator[Fault]:
    for name in ("upsilon_disk", "upsilon_bulge"):
        if not getattr(cuts, name) > 0:
            yield Fault("not above 0, so the model's velocity at M/L = 1 is not known", f"cuts.{name}")


def _order_faults(radii: Sequence[float], where: str) -> Iterator[Fault]:
    for row, (inner, outer) in enumerate(pairwise(radii), start=2):
        if not outer > inner:
            yield Fault("the radius does not increase", f"{where}, row {row}", f"{outer:g}", f"above {inner:g}")


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
