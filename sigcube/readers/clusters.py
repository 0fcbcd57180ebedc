"""Shared by all readers of clusters: accelerations from masses and back, and the flags."""

import math
from collections.abc import Callable, Mapping
from decimal import Decimal

import numpy as np
import numpy.typing as npt
import xarray as xr
from pydantic import Field

from sigcube.constants import PAPER
from sigcube.cube import COUNT, KINDS, fixed_width
from sigcube.readers.assembly import flag_bits, labelled
from sigcube.readers.contract import Cuts

__all__ = ["ClusterCuts", "complete", "flag_clusters", "ways_to"]

FloatArray = npt.NDArray[np.float64]
Columns = Mapping[str, FloatArray]

_CLUSTER = KINDS["cluster"]
_LN_10 = math.log(10.0)


class ClusterCuts(Cuts):
    """The thresholds of the flags of clusters.

    Attributes
    ----------
    least_m500 : float
        Clusters whose M500 [Msun] is not above it are flagged.
    baryons_per_m500 : float or None
        Where the source gives M500 alone: the mass of the baryons within the radius, as a share of it. The papers take
        0.4 · 0.15 within 200 kpc (SI §3.2).
    spectroscopic : tuple of str
        The words by which the column ``redshift_kind`` marks a spectroscopic redshift; other clusters are flagged.
    """

    least_m500: float = Field(default=0.0, ge=0)
    baryons_per_m500: float | None = Field(default=None, gt=0)
    spectroscopic: tuple[str, ...] = ("yes",)


def ways_to(side: str, cuts: ClusterCuts) -> tuple[tuple[str, ...], ...]:
    """Return the sets of variables each of which gives acceleration and mass of the baryons or of what is observed."""
    ways: list[tuple[str, ...]] = [(f"log_g_{side}",), (f"g_{side}",), (f"m_{side}",)]
    if side == "bar":
        ways += [("m_gas", "m_star")] + ([("m500",)] if cuts.baryons_per_m500 is not None else [])
    return tuple(ways)


def complete(
    points: Columns, *, cuts: ClusterCuts, sources: Mapping[str, str]
) -> tuple[dict[str, FloatArray], dict[str, str]]:
    """Add accelerations and masses that the source does not list, with their errors, and how they follow.

    A logarithm gives g = 10^log g and e_g = g ln 10 e_log; masses are added, their errors in quadrature; g = G M/r²
    with the constants of the papers (SI §2).

    Parameters
    ----------
    points : Mapping of str to ndarray, shape (n,)
        Variables of the rows in the cube's units, with those of one of the `ways_to` each side; maybe ``m500``.
    cuts : ClusterCuts
        The share of the baryons in M500.
    sources : Mapping of str to str
        Where they are from.
    """
    found, origins = dict(points), dict(sources)

    def add(name: str, source: str, inputs: tuple[str, ...], formula: Callable[..., FloatArray]) -> None:
        if name not in found and all(each in found for each in inputs):
            found[name], origins[name] = formula(*(found[each] for each in inputs)), f"derived: {source}"

    per_mass = _acceleration_of_a_solar_mass(points["r"])
    for side in ("bar", "obs"):
        g, m, log = f"g_{side}", f"m_{side}", f"log_g_{side}"
        way = next(way for way in ways_to(side, cuts) if all(name in found for name in way))
        if way == (log,):
            add(g, f"10^{log}", (log,), _ten_to)
            add(f"e_{g}", f"g ln 10 e_{log}", (g, f"e_{log}"), lambda g, e_log: g * _LN_10 * e_log)
        elif way == ("m500",):
            share = float(cuts.baryons_per_m500 or 0.0)
            add(m, f"{share:g} M500", way, lambda m500, share=share: share * m500)
            add(f"e_{m}", f"{share:g} e_M500", ("e_m500",), lambda e_m500, share=share: share * e_m500)
        elif way == ("m_gas", "m_star"):
            add(m, "m_gas + m_star", way, np.add)
            source = "e_m_gas and e_m_star in quadrature"
            add(f"e_{m}", source, ("e_m_gas", "e_m_star"), lambda gas, star: np.sqrt(gas**2 + star**2))
        for given, other, factor in ((m, g, per_mass), (g, m, 1.0 / per_mass)):
            if other not in found:
                for error in ("e_", ""):
                    source = f"{given}, G M/r²"
                    add(error + other, source, (error + given,), lambda values, factor=factor: values * factor)
    return found, origins


def _ten_to(exponents: FloatArray) -> FloatArray:
    """Return powers of ten, correctly rounded: the last bit of NumPy's depends on the processor, and it is hashed."""
    powers = [float(Decimal(10) ** Decimal(x)) if math.isfinite(x) else math.nan for x in exponents.tolist()]
    return np.array(powers, dtype=np.float64)


def _acceleration_of_a_solar_mass(r: FloatArray) -> FloatArray:
    """G Msun/r² [m/s²] at a radius [kpc]; NaN at none."""
    squared = np.where(r > 0, (r * PAPER.kpc) ** 2, np.nan)
    return np.asarray(PAPER.G * PAPER.Msun / squared, dtype=np.float64)


def flag_clusters(ds: xr.Dataset, *, cuts: ClusterCuts) -> xr.Dataset:
    """Add the flags to a padded cube with all that `complete` gives; what the source does not have flags nothing."""
    real = np.arange(ds.sizes["radius"]) < ds[COUNT].values[:, np.newaxis]
    point_flag = {
        "padding": ~real,
        "nonpositive_radius": real & (ds["r"].values <= 0),
        "nonpositive_baryons": real & (ds["m_bar"].values <= 0),
        "nonpositive_observed": real & (ds["m_obs"].values <= 0),
    }
    measured = np.logical_and.reduce([np.isfinite(ds[name].values) for name in _CLUSTER.measured])
    system_flag = {"incomplete": (real & ~measured).any(axis=1)}
    if "redshift_kind" in ds:
        kinds = fixed_width(ds["redshift_kind"].values)
        system_flag["no_spectroscopic_redshift"] = ~np.isin(kinds, cuts.spectroscopic)
    if "m500" in ds:
        m500 = ds["m500"].values
        system_flag |= {"no_m500": np.isnan(m500), "low_m500": m500 <= cuts.least_m500}
    cut = f"derived: M500 above {cuts.least_m500:g} Msun"
    flags = (("point_flag", point_flag, "derived"), ("system_flag", system_flag, cut))
    return ds.assign(
        {name: labelled(_CLUSTER, name, flag_bits(_CLUSTER, name, found), source) for name, found, source in flags}
    )
