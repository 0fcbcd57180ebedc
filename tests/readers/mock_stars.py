"""Synthetic stars: files like those of Gaia, of a rotating exponential disc, drawn from a seed.

They say `synthetic` in their first line. The disc behind them is known: see `Disc`.
"""

import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import chain
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from sigcube.errors import SpecError
from sigcube.readers.galactocentric import GalacticFrame, Transform

__all__ = ["Disc", "mock_stars"]

FloatArray = npt.NDArray[np.float64]
Chunk = dict[str, npt.NDArray[Any]]

_ROWS = 1 << 17
_SPREAD = 0x9E3779B97F4A7C15


@dataclass(frozen=True)
class Disc:
    """The truth behind synthetic stars.

    Surface density ∝ e^{−R/R_d} (Freeman 1970, ApJ 160, 811), σ_R ∝ e^{−R/2R_d} (van der Kruit & Searle 1981,
    A&A 95, 105) with σ_φ = σ_R/√2 and σ_z = σ_R/2, and v_φ = V_c − V_a with V_a = σ_R²/(2V_c)·(R/R_d − 1).

    Attributes
    ----------
    v_c : float
        Circular velocity [km/s], the same at all radii.
    scale : float
        Scale length R_d [kpc].
    height : float
        Scale height [kpc].
    sigma_sun : float
        σ_R at the Sun [km/s].
    radii : (float, float)
        Between which there are stars [kpc].
    angle : float
        Largest azimuth from the Sun [deg].
    frame : GalacticFrame
        The Sun.
    """

    v_c: float = 229.0
    scale: float = 2.6
    height: float = 0.2
    sigma_sun: float = 30.0
    radii: tuple[float, float] = (4.5, 13.0)
    angle: float = 20.0
    frame: GalacticFrame = field(default_factory=GalacticFrame)

    def sigma_r(self, r: FloatArray) -> FloatArray:
        """Return the dispersion of v_R [km/s] at radii [kpc]."""
        return self.sigma_sun * np.exp(-(r - self.frame.r_sun) / (2 * self.scale))

    def v_phi(self, r: FloatArray) -> FloatArray:
        """Return the mean of v_φ [km/s] at radii [kpc]."""
        return self.v_c - self.sigma_r(r) ** 2 / (2 * self.v_c) * (r / self.scale - 1)


def mock_stars(path: str | Path, *, n_stars: int, seed: int, disc: Disc | None = None) -> Path:
    """Write a file of synthetic stars with the columns of ``gaiadr3.gaia_source``.

    Parameters
    ----------
    path : path-like
        A file to make, ``.csv``, ``.csv.gz`` or ``.parquet``.
    n_stars : int
        How many.
    seed : int
        The same seed gives the same stars.
    disc : Disc, optional
        The truth.

    Returns
    -------
    Path
        The file.

    Raises
    ------
    SpecError
        For another kind of file, or no stars.
    """
    path = Path(path)
    if n_stars < 1:
        raise SpecError("a survey needs stars", where="n_stars", found=str(n_stars), expected="at least 1")
    if not path.name.endswith((".csv", ".csv.gz", ".parquet")):
        expected = "a name that ends in .csv, .csv.gz or .parquet"
        raise SpecError("no such kind of file", where="path", found=path.name, expected=expected)
    rng, disc = np.random.default_rng(seed), disc or Disc()
    starts = range(0, n_stars, _ROWS)
    _write(path, (_draw(rng, disc, start, min(_ROWS, n_stars - start)) for start in starts), seed)
    return path


def _draw(rng: np.random.Generator, disc: Disc, start: int, n: int) -> Chunk:
    """Draw stars and what Gaia would measure of them."""
    position, velocity = _phase_space(rng, disc, n)
    sky = _observe(position, velocity, Transform(disc.frame))
    errors = {
        "parallax": 0.02 * np.exp(rng.normal(0.0, 0.3, n)),
        "pmra": 0.02 * np.exp(rng.normal(0.0, 0.3, n)),
        "pmdec": 0.02 * np.exp(rng.normal(0.0, 0.3, n)),
        "radial_velocity": 0.5 * np.exp(rng.normal(0.0, 0.8, n)),
    }
    measured = {name: sky[name] + rng.normal(size=n) * error for name, error in errors.items()}
    # A few are too faint for a spectrum.
    unseen = rng.random(n) < 0.01
    for each in (measured, errors):
        each["radial_velocity"] = np.where(unseen, np.nan, each["radial_velocity"])
    # An odd factor modulo 2⁶² keeps numbers different, and makes them as long as Gaia's.
    numbers = np.arange(start + 1, start + n + 1, dtype=np.uint64) * np.uint64(_SPREAD) & np.uint64((1 << 62) - 1)
    columns: dict[str, Any] = {"source_id": numbers.astype(np.int64), "ra": sky["ra"], "dec": sky["dec"]}
    for name, values in measured.items():
        columns |= {name: values, f"{name}_error": errors[name]}
    return {
        **columns,
        "ruwe": np.exp(rng.normal(0.0, 0.12, n)),
        "phot_g_mean_mag": np.clip(10.0 + 5.0 * np.log10(sky["distance"]) + rng.normal(0.0, 1.0, n), 2.0, 20.0),
    }


def _phase_space(rng: np.random.Generator, disc: Disc, n: int) -> tuple[FloatArray, FloatArray]:
    """Positions [kpc] and velocities [km/s] in the frame of astropy, shape (3, n)."""
    grid = np.linspace(*disc.radii, 1000)
    share = np.cumsum(grid * np.exp(-grid / disc.scale))
    r = np.interp(rng.random(n), (share - share[0]) / (share[-1] - share[0]), grid)
    phi = np.radians(rng.uniform(-disc.angle, disc.angle, n))
    sigma = disc.sigma_r(r)
    v_r = rng.normal(0.0, sigma)
    v_phi = disc.v_phi(r) + rng.normal(0.0, sigma / np.sqrt(2.0))
    cos, sin = -np.cos(phi), np.sin(phi)
    position = np.stack([r * cos, r * sin, rng.laplace(0.0, disc.height, n)])
    return position, np.stack([v_r * cos + v_phi * sin, v_r * sin - v_phi * cos, rng.normal(0.0, sigma / 2.0)])


def _observe(position: FloatArray, velocity: FloatArray, transform: Transform) -> dict[str, FloatArray]:
    """Return what is seen from the Sun: the inverse of `Transform`."""
    matrix, offset = transform.affine
    seen = np.linalg.solve(matrix, position - offset[:, np.newaxis])
    distance = np.sqrt((seen**2).sum(axis=0))
    ra, dec = np.degrees(np.arctan2(seen[1], seen[0])) % 360.0, np.degrees(np.arcsin(seen[2] / distance))
    relative = velocity - np.array(transform.frame.v_sun)[:, np.newaxis]
    outward, east, north = ((relative * each).sum(axis=0) for each in transform.directions(ra, dec))
    across = transform.speed * distance
    return {
        "ra": ra,
        "dec": dec,
        "distance": distance,
        "parallax": 1.0 / distance,
        "pmra": east / across,
        "pmdec": north / across,
        "radial_velocity": outward,
    }


def _write(path: Path, chunks: Iterator[Chunk], seed: int) -> None:
    import pyarrow as pa
    from pyarrow import csv, parquet

    comment = f"synthetic stars, seed {seed}"
    tables = (pa.table({name: pa.array(a, from_pandas=True) for name, a in chunk.items()}) for chunk in chunks)
    first = next(tables)
    if path.suffix == ".parquet":
        with parquet.ParquetWriter(path, first.schema.with_metadata({"comment": comment})) as writer:
            for table in chain([first], tables):
                writer.write_table(table)
        return
    opener: Any = gzip.open if path.suffix == ".gz" else open
    with opener(path, "wb") as file:
        file.write(f"# {comment}\n{','.join(first.column_names)}\n".encode())
        for table in chain([first], tables):
            csv.write_csv(table, file, csv.WriteOptions(include_header=False))
