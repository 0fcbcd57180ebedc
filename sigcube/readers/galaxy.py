"""What every reader of galaxies shares: from columns to padded variables, and what is derived from them."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from pydantic import Field

from sigcube.cube import KINDS
from sigcube.readers.padding import labelled, pad
from sigcube.readers.typing import Cuts

__all__ = ["GalaxyCuts", "assemble", "derive"]

_GALAXY = KINDS["galaxy"]
_POINT_BIT = {meaning: np.uint8(1 << bit) for bit, meaning in enumerate(_GALAXY.variable("point_flag").flags)}
_SYSTEM_BIT = {meaning: np.uint8(1 << bit) for bit, meaning in enumerate(_GALAXY.variable("system_flag").flags)}

FloatArray = npt.NDArray[np.float64]


class GalaxyCuts(Cuts):
    """The thresholds of the flags of galaxies.

    Attributes
    ----------
    min_points : int
        Galaxies with fewer rows, or fewer points without a flag, are flagged.
    upsilon_disk, upsilon_bulge : float
        Mass-to-light ratios [Msun/solLum] at which V_bar² ≤ 0 flags a point, whatever ratios a sweep uses later.
    """

    min_points: int = Field(default=5, ge=1)
    upsilon_disk: float = Field(default=0.5, ge=0)
    upsilon_bulge: float = Field(default=0.7, ge=0)


def assemble(
    names: Sequence[str],
    counts: npt.ArrayLike,
    *,
    points: Mapping[str, FloatArray],
    systems: Mapping[str, Any],
    sources: Mapping[str, str],
) -> xr.Dataset:
    """Pad points that lie end to end, and label everything.

    Parameters
    ----------
    names : sequence of str, length n_systems
        The galaxies.
    counts : array_like of int, shape (n_systems,)
        Number of points of each.
    points : Mapping of str to ndarray, shape (n_points,)
        Point variables in the cube's units, galaxy after galaxy.
    systems : Mapping of str to array_like, shape (n_systems,)
        System variables in the cube's units.
    sources : Mapping of str to str
        Where each variable is from.

    Returns
    -------
    Dataset
        The raw variables and ``n_points``; flags and derived variables are still missing.
    """
    counts = np.asarray(counts, dtype=np.int64)
    return pad(_GALAXY, names, counts, points=points, systems=systems, sources=sources)


def derive(ds: xr.Dataset, *, cuts: GalaxyCuts) -> xr.Dataset:
    """Add the flags and what follows from the kept points, those without a flag.

    Scale lengths and the share of the bulge are defined in SI §3.1, §5 and §13.3.

    Parameters
    ----------
    ds : Dataset
        As `assemble` makes it, with ``r_disk``.
    cuts : GalaxyCuts
        Thresholds of the flags.
    """
    flag = _point_flags(ds, cuts)
    kept = flag == 0
    system_flag = np.where(ds["n_points"].values < cuts.min_points, _SYSTEM_BIT["too_few_rows"], 0)
    system_flag |= np.where(kept.sum(axis=1) < cuts.min_points, _SYSTEM_BIT["too_few_points"], 0)
    derived = {
        "point_flag": flag,
        "system_flag": system_flag.astype(np.uint8),
        **_scale_lengths(ds, kept),
        **_totals(ds, kept),
    }
    cut = f"M/L = {cuts.upsilon_disk:g} and {cuts.upsilon_bulge:g}, at least {cuts.min_points} points"
    sources = {name: "derived: kept points" for name in derived}
    sources |= {name: f"derived: {cut}" for name in ("point_flag", "system_flag")}
    sources["scale_length_catalogue"] = ds["r_disk"].attrs["source"]
    return ds.assign({name: labelled(_GALAXY, name, values, sources[name]) for name, values in derived.items()})


def _point_flags(ds: xr.Dataset, cuts: GalaxyCuts) -> npt.NDArray[np.uint8]:
    real = np.arange(ds.sizes["radius"]) < ds["n_points"].values[:, np.newaxis]
    v_gas, v_disk, v_bul = (ds[name].values for name in ("v_gas", "v_disk", "v_bul"))
    v_bar_sq = v_gas * np.abs(v_gas) + cuts.upsilon_disk * v_disk**2 + cuts.upsilon_bulge * v_bul**2
    flag = np.where(real, 0, _POINT_BIT["padding"]).astype(np.uint8)
    for meaning, good in {
        "nonpositive_radius": ds["r"].values > 0,
        "nonpositive_v_obs": ds["v_obs"].values > 0,
        "negative_vbar": v_bar_sq > 0,
    }.items():
        flag |= np.where(real & ~good, _POINT_BIT[meaning], 0).astype(np.uint8)
    return flag


def _scale_lengths(ds: xr.Dataset, kept: npt.NDArray[np.bool_]) -> dict[str, FloatArray]:
    # Kept points first, in order, so that "the third point of the kept ones" is an index.
    order = np.argsort(~kept, axis=1, kind="stable")
    n = kept.sum(axis=1)
    r = np.take_along_axis(np.where(kept, ds["r"].values, np.nan), order, axis=1)
    disk = np.take_along_axis(np.where(kept, np.abs(ds["v_disk"].values), -np.inf), order, axis=1)
    rows = np.arange(n.size)
    outermost = r[rows, np.maximum(n - 1, 0)]
    third, peak = n // 3, np.argmax(disk, axis=1)
    return {
        "scale_length_third_point": np.where(third == 0, outermost / 2, r[rows, third]),
        # Without a disc every value is zero, and the first is the largest.
        "scale_length_disk_peak": np.where(peak == 0, outermost / 3, r[rows, peak]),
        "scale_length_catalogue": ds["r_disk"].values,
        "scale_length_outermost": outermost,
    }


def _totals(ds: xr.Dataset, kept: npt.NDArray[np.bool_]) -> dict[str, FloatArray]:
    gas, disk, bul = (np.where(kept, np.abs(ds[name].values), 0.0) for name in ("v_gas", "v_disk", "v_bul"))
    some = kept.any(axis=1)
    # Added one after another: NumPy's own sum takes an order that depends on the processor, and these bits are hashed.
    bulge, everything = (np.cumsum(squares, axis=1)[:, -1] for squares in (bul**2, gas**2 + disk**2 + bul**2))
    share = np.divide(bulge, everything, out=np.full(some.size, np.nan), where=everything > 0)
    largest = {"v_gas_max": gas, "v_disk_max": disk, "v_bul_max": bul}
    return {"f_bulge": share, **{name: np.where(some, values.max(axis=1), np.nan) for name, values in largest.items()}}
