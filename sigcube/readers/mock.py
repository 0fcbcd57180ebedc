"""Synthetic surveys of galaxies like those of SPARC, drawn from a seed, with a known true model.

Their relations between size, gas, extent and luminosity are straight lines through the SPARC table in logarithms, with
its scatter. They are marked as synthetic in title, names, sources and attributes.
"""

import json
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt
import xarray as xr
from scipy.special import i0e, i1e, k0e, k1e

from sigcube import __version__
from sigcube.constants import PAPER
from sigcube.cube import KINDS
from sigcube.errors import SpecError, shown
from sigcube.kernels import KERNELS, sigma
from sigcube.model.compile import ufunc
from sigcube.readers.assembly import pad
from sigcube.readers.galaxy import GalaxyCuts, derive

__all__ = ["Boost", "demo_survey", "demo_truth", "freeman_sq", "mock_survey"]

FloatArray = npt.NDArray[np.float64]

Boost = Callable[[FloatArray, FloatArray, FloatArray], FloatArray]

# kpc (km/s)² / Msun
_G = PAPER.G * PAPER.Msun / PAPER.kpc * 1e-6
# The gas is neutral hydrogen with helium and metals.
_GAS_PER_HI = 1.33
_SYSTEM_VARIABLES = ("distance", "inclination", "luminosity", "r_disk", "m_hi", "r_hi")


def mock_survey(
    *,
    n_galaxies: int,
    seed: int,
    boost: Boost | None = None,
    truth: str = "newton",
    noise: float = 1.0,
    points: tuple[int, int] = (5, 60),
    cuts: GalaxyCuts | None = None,
) -> xr.Dataset:
    """Make a survey of synthetic galaxies.

    Galaxies have exponential discs (Freeman 1970, ApJ 160, 811), exponential gas discs with central holes, which may
    pull outwards, and in some luminous ones a bulge (Plummer 1911, MNRAS 71, 460). The velocity is V_bar √Σ plus
    Gaussian noise.

    Parameters
    ----------
    n_galaxies : int
        Number of galaxies.
    seed : int
        The same seed gives the same survey.
    boost : callable, optional
        The true Σ as a function of radius [kpc], g_N [m/s²] and disc scale length [kpc], arrays of one shape. By
        default Newtonian.
    truth : str
        The name of the true model, kept as an attribute.
    noise : float
        The noise, in units of the stated errors.
    points : (int, int)
        Least and greatest number of points of a galaxy.
    cuts : GalaxyCuts, optional
        Thresholds of the flags, by default those of `GalaxyCuts`; its mass-to-light ratios are the true ones.

    Returns
    -------
    Dataset
        A galaxy cube with the samples ``all`` and ``unflagged``.

    Raises
    ------
    SpecError
        For invalid numbers, or a boost that is not positive and finite everywhere.

    Examples
    --------
    >>> mock_survey(n_galaxies=3, seed=1).galaxy.values.tolist()
    ['SYN00001', 'SYN00002', 'SYN00003']
    """
    if not _is_count(n_galaxies, least=1):
        expected = "a whole number of at least 1"
        raise SpecError("a survey needs galaxies", where="n_galaxies", found=shown(n_galaxies), expected=expected)
    if not (isinstance(noise, int | float) and np.isfinite(noise) and noise >= 0):
        raise SpecError("the noise cannot be negative", where="noise", found=shown(noise), expected="at least 0")
    ends = points if isinstance(points, tuple | list) and len(points) == 2 else (0, 0)
    if not (_is_count(ends[0], least=1) and _is_count(ends[1], least=ends[0])):
        what, expected = "least and greatest number of points", "1 ≤ least ≤ greatest"
        raise SpecError(what, where="points", found=shown(points), expected=expected)
    if not _is_count(seed, least=0):
        expected = "a whole number of at least 0"
        raise SpecError("this is no seed of random numbers", where="seed", found=shown(seed), expected=expected)
    cuts = cuts or GalaxyCuts()
    rng = np.random.default_rng(seed)
    galaxies = _draw(rng, n_galaxies, points)
    curves, v_true = _curves(rng, galaxies, boost, noise, cuts)
    counts = galaxies["n_points"]
    systems = {
        **{name: galaxies[name] for name in _SYSTEM_VARIABLES},
        "sb_disk_central": galaxies["light_disk"] / (2.0 * np.pi * (1e3 * galaxies["r_disk"]) ** 2),
        "v_flat": v_true[np.cumsum(counts) - 1],
    }
    width = max(5, len(str(n_galaxies)))
    names = [f"SYN{number:0{width}d}" for number in range(1, n_galaxies + 1)]
    sources = dict.fromkeys([*curves, *systems], f"synthetic, seed {seed}")
    ds = pad(KINDS["galaxy"], names, counts, points=curves, systems=systems, sources=sources)
    settings = {"n_galaxies": n_galaxies, "seed": seed, "truth": truth, "noise": noise, "points": points}
    return derive(ds, cuts=cuts).assign_attrs(_attributes({**settings, "cuts": cuts.model_dump()}))


def demo_survey(n_galaxies: int = 300) -> xr.Dataset:
    """Return the synthetic survey of the demonstration and the guide, made by `sigma`: see `demo_truth`.

    Parameters
    ----------
    n_galaxies : int
        Number of galaxies.

    Returns
    -------
    Dataset
        A galaxy cube with the samples ``all`` and ``unflagged``.
    """
    truth = "sigma, geometric window, defaults"
    return mock_survey(n_galaxies=n_galaxies, seed=1, boost=_boost_of_sigma, truth=truth)


def demo_truth() -> dict[str, Any]:
    """Return the labels and values that made `demo_survey`: the geometric window, and the defaults of A and ξ/R_d."""
    defaults = {parameter.name: parameter.value(PAPER) for parameter in KERNELS["sigma"].parameters}
    return {"window": "geometric", "xi_scale": defaults["xi_scale"], "A": defaults["A"]}


def _boost_of_sigma(r: FloatArray, g_bar: FloatArray, r_disk: FloatArray) -> FloatArray:
    truth = demo_truth()
    window = ufunc(sigma.geometric)(r, ufunc(sigma.xi_geometric)(truth["xi_scale"], r_disk))
    return np.asarray(ufunc(sigma.boost)(truth["A"], window, ufunc(sigma.h)(g_bar, PAPER.g_dagger)), dtype=np.float64)


def _is_count(value: object, *, least: int) -> bool:
    return isinstance(value, int | np.integer) and not isinstance(value, bool) and int(value) >= least


def freeman_sq(r: FloatArray, mass: FloatArray, scale: FloatArray) -> FloatArray:
    """Return V² of a thin exponential disc.

    V² = (2 G M / R_d) y² [I₀(y)K₀(y) − I₁(y)K₁(y)], y = r / 2R_d (Freeman 1970, ApJ 160, 811, eq. 12).

    Parameters
    ----------
    r, scale : ndarray
        Radius and scale length, kpc, above zero.
    mass : ndarray
        Mass, Msun.

    Returns
    -------
    ndarray
        (km/s)².
    """
    y = r / (2.0 * scale)
    # Scaled by e^±y, which cancel, so that neither factor overflows.
    bessel = i0e(y) * k0e(y) - i1e(y) * k1e(y)
    return np.asarray(2.0 * _G * mass / scale * y**2 * bessel, dtype=np.float64)


def _draw(rng: np.random.Generator, n: int, points: tuple[int, int]) -> dict[str, npt.NDArray[Any]]:
    """Return what is drawn for each galaxy: lengths [kpc], luminosities [solLum], masses [Msun], all of shape (n,)."""

    def around(median: FloatArray | float, dex: float) -> FloatArray:
        return np.asarray(median * 10.0 ** rng.normal(0.0, dex, n))

    log_luminosity = np.clip(rng.normal(9.6, 1.05, n), 7.0, 11.6)
    luminosity, x = 10.0**log_luminosity, log_luminosity - 9.5
    r_disk = around(10.0 ** (0.271 + 0.254 * x), 0.2)
    m_hi = around(10.0 ** (9.075 + 0.544 * x), 0.347)
    has_bulge = rng.random(n) < np.clip((log_luminosity - 10.0) / 1.8, 0.0, 0.8)
    counts = around(15.0 * 10.0 ** (0.15 * x), 0.27)
    bulge_share = np.where(has_bulge, rng.beta(2.0, 6.0, n), 0.0)
    return {
        "luminosity": luminosity,
        "light_disk": luminosity * (1.0 - bulge_share),
        "light_bulge": luminosity * bulge_share,
        "r_disk": r_disk,
        "r_bulge": around(0.25 * r_disk, 0.15),
        "m_hi": m_hi,
        "r_hi": around(10.0 ** (1.229 + 0.524 * (np.log10(m_hi) - 9.5)), 0.07),
        "gas_hole": rng.uniform(0.0, 1.2, n),
        "r_max": np.clip(around(5.7, 0.26), 2.0, 30.0) * r_disk,
        "n_points": np.clip(np.rint(counts), *points).astype(np.int64),
        "distance": np.clip(around(15.0, 0.45), 1.0, 130.0),
        # Discs are oriented at random, but rotation cannot be measured in a face-on one.
        "inclination": np.degrees(np.arccos(rng.uniform(0.0, np.cos(np.radians(20.0)), n))),
    }


def _curves(
    rng: np.random.Generator,
    galaxies: Mapping[str, npt.NDArray[Any]],
    boost: Boost | None,
    noise: float,
    cuts: GalaxyCuts,
) -> tuple[dict[str, FloatArray], FloatArray]:
    """Return every point variable, and the true velocity, of shape (n_points,)."""
    counts = galaxies["n_points"]
    per_point = {name: np.repeat(values, counts) for name, values in galaxies.items()}
    ranks = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts) + 1
    # Evenly spaced out to r_max, one beam apart.
    r = ranks * np.repeat(galaxies["r_max"] / counts, counts)
    r_disk, r_bulge, light_disk, light_bulge = (
        per_point[name] for name in ("r_disk", "r_bulge", "light_disk", "light_bulge")
    )
    gas_sq, disk_sq = _gas_sq(per_point, r), freeman_sq(r, light_disk, r_disk)
    bulge_sq = _G * light_bulge * r**2 / (r**2 + r_bulge**2) ** 1.5
    v_bar_sq = gas_sq + cuts.upsilon_disk * disk_sq + cuts.upsilon_bulge * bulge_sq
    v_true = np.sqrt(np.maximum(v_bar_sq, 0.0) * _boost(boost, r, v_bar_sq, r_disk))
    error = np.maximum(0.5, 0.043 * v_true * np.exp(rng.normal(0.0, 0.8, r.size)))
    curves = {
        "r": r,
        "v_obs": v_true + noise * error * rng.standard_normal(r.size),
        "e_v_obs": error,
        "v_gas": np.sign(gas_sq) * np.sqrt(np.abs(gas_sq)),
        "v_disk": np.sqrt(disk_sq),
        "v_bul": np.sqrt(bulge_sq),
        "sb_disk": light_disk / (2.0 * np.pi * (1e3 * r_disk) ** 2) * np.exp(-r / r_disk),
        "sb_bul": light_bulge / (np.pi * (1e3 * r_bulge) ** 2) / (1.0 + (r / r_bulge) ** 2) ** 2,
    }
    return curves, v_true


def _gas_sq(per_point: Mapping[str, npt.NDArray[Any]], r: FloatArray) -> FloatArray:
    """Return V² of Σ ∝ e^{−r/R} − h e^{−r/0.4R}, negative in the hole where the gas outside pulls more."""
    scale, hole = 0.3 * per_point["r_hi"], 0.4
    outer = _GAS_PER_HI * per_point["m_hi"] / (1.0 - per_point["gas_hole"] * hole**2)
    inner = outer * per_point["gas_hole"] * hole**2
    return freeman_sq(r, outer, scale) - freeman_sq(r, inner, hole * scale)


def _boost(boost: Boost | None, r: FloatArray, v_bar_sq: FloatArray, r_disk: FloatArray) -> FloatArray:
    if boost is None:
        return np.ones_like(r)
    # No model is defined where gas pulls outwards; those points are flagged.
    inwards = v_bar_sq > 0
    g = v_bar_sq[inwards] * 1e6 / (r[inwards] * PAPER.kpc)
    sigma = np.ones(inwards.shape)
    sigma[inwards] = boost(r[inwards], g, r_disk[inwards])
    wrong = ~(np.isfinite(sigma) & (sigma > 0))
    if wrong.any():
        found = f"{wrong.sum()} of {wrong.size} points"
        raise SpecError("the boost is not positive and finite", where="boost", found=found)
    return sigma


def _attributes(settings: dict[str, object]) -> dict[str, object]:
    n, truth, seed = (settings[name] for name in ("n_galaxies", "truth", "seed"))
    unflagged = {
        "description": "galaxies with enough points, and of those the points with V_bar > 0 and V_obs > 0",
        "point_flags_excluded": ["nonpositive_radius", "nonpositive_v_obs", "negative_vbar"],
        "system_flags_excluded": ["too_few_rows", "too_few_points"],
    }
    return {
        "title": f"synthetic survey of {n} {'galaxy' if n == 1 else 'galaxies'}, truth {truth}, seed {seed}",
        "kind": "galaxy",
        "citation": "none: synthetic data made by sigcube",
        "licence": "CC0-1.0",
        "recipe": json.dumps({"mock_survey": settings}),
        "raw_files": "[]",
        "samples": json.dumps({"unflagged": unflagged}),
        "synthetic": 1,
        "true_model": str(truth),
        "sigcube_version": __version__,
    }
