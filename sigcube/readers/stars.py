"""Stars of the Milky Way, as Gaia measures them or with velocities in the file.

They are read in chunks, so memory does not depend on how many there are.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sigcube.cube import KINDS
from sigcube.cube.streaming import Late, Pieces, prefetch
from sigcube.errors import DataError
from sigcube.readers.assembly import column_sources, flag_bits, flat
from sigcube.readers.contract import Cuts, check_recipe
from sigcube.readers.formats import Table, read_chunks
from sigcube.readers.galactocentric import COORDINATES, ERRORS, MEASURED, GalacticFrame, Transform

__all__ = ["Dispersion", "Orientation", "StarCuts", "read_stars", "read_velocities"]

_STAR = KINDS["star"]
# Stars with none but this flag belong to the disc, and their dispersion is taken.
_OUTSIDE = np.uint8(1 << _STAR.variable("point_flag").flags.index("outside_radii"))

_ROLE = "stars"
_FOR_STARS = ("source_id", *MEASURED, *ERRORS, "ruwe")
_FOR_VELOCITIES = ("source_id", "r", "height", "v_r", "v_phi", "v_z")
_FROM_MEASURED = (*COORDINATES, *(f"e_{name}" for name in COORDINATES), "distance", "e_distance")

FloatArray = npt.NDArray[np.float64]
Columns = Mapping[str, npt.NDArray[Any]]


class StarCuts(Cuts):
    """The thresholds of the flags of stars, and the bins of the dispersion.

    Velocities of no disc star lie beyond three times the dispersions of the thick disc about its mean (67, 38 and
    35 km/s, 46 km/s behind the Sun's circle; Bensby, Feltzing & Lundström 2003, A&A 410, 527).

    Attributes
    ----------
    min_parallax_over_error : float
        Below it, the inverse of the parallax is no good distance.
    max_ruwe : float
        Above it, a single star's motion does not fit the astrometry.
    max_height : float
        Largest |z| of the disc [kpc].
    max_v_r, max_v_z : float
        Largest |v_R| and |v_z| of a disc star [km/s].
    v_phi : (float, float)
        Least and largest v_φ of a disc star [km/s].
    radii : (float, float)
        First and last edge of the bins in which the dispersion of v_R is taken [kpc].
    bin_width : float
        Their width [kpc].
    min_stars : int
        A bin counts if it has more stars than this.
    """

    min_parallax_over_error: float = Field(default=5.0, ge=0)
    max_ruwe: float = Field(default=1.4, gt=0)
    max_height: float = Field(default=0.5, gt=0)
    max_v_r: float = Field(default=200.0, gt=0)
    max_v_z: float = Field(default=105.0, gt=0)
    v_phi: tuple[float, float] = (70.0, 300.0)
    radii: tuple[float, float] = (4.0, 16.0)
    bin_width: float = Field(default=0.5, gt=0)
    min_stars: int = Field(default=30, ge=1)

    @model_validator(mode="after")
    def _in_order(self) -> "StarCuts":
        for name in ("v_phi", "radii"):
            low, high = getattr(self, name)
            if not low < high:
                raise ValueError(f"{name} must go from the smaller to the larger")
        bins = (self.radii[1] - self.radii[0]) / self.bin_width
        if not math.isclose(bins, round(bins), rel_tol=1e-9):
            raise ValueError("radii must hold a whole number of bins of bin_width")
        return self


class Orientation(BaseModel):
    """The frame of velocities that are in the file.

    Attributes
    ----------
    v_phi : {"with", "against"}
        Whether the file's v_φ is positive with the rotation or against it.
    r_sun, z_sun, v_sun
        The Sun behind them, as in `GalacticFrame`; for the record.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)

    v_phi: Literal["with", "against"]
    r_sun: float | None = Field(default=None, gt=0)
    z_sun: float | None = None
    v_sun: tuple[float, float, float] | None = None


def read_stars(tables: Mapping[str, Table], *, cuts: StarCuts, frame: GalacticFrame) -> Pieces:
    """Read stars as Gaia measures them (role ``stars``), and put them into the frame of the Galaxy.

    The distance is the inverse of the parallax; a star without a value that its coordinates need, or with a parallax
    that is not positive, keeps its row without coordinates. The table may come in several files, whose order the cube
    keeps. Parameters, result and errors are those of `Reader`, and ``frame`` is the Sun's place and motion.
    """
    check_recipe(tables, "of stars", _STAR, {_ROLE: _FOR_STARS}, derived=_FROM_MEASURED)
    transform = Transform(frame)
    sun = f"R0 = {frame.r_sun:g} kpc, z = {frame.z_sun:g} kpc, v = {frame.v_sun} km/s"
    derived = f"derived: distance 1/parallax, astropy Galactocentric with the Sun at {sun}"

    def make(columns: Columns) -> Columns:
        found = transform(columns)
        coordinates = _blanked(found)
        complete = np.logical_and.reduce([np.isfinite(columns[name]) for name in (*ERRORS, "ruwe")])
        with np.errstate(all="ignore"):
            meanings = {
                "incomplete": ~(complete & np.isfinite(coordinates["r"])),
                "bad_parallax": columns["parallax"] / columns["e_parallax"] < cuts.min_parallax_over_error,
                "high_ruwe": columns["ruwe"] > cuts.max_ruwe,
                **_unlike_disc(coordinates, cuts),
            }
        return {**found, **coordinates, "point_flag": flag_bits(_STAR, "point_flag", meanings)}

    return _pieces(tables[_ROLE], cuts, column_sources(tables[_ROLE]), derived, make)


def read_velocities(tables: Mapping[str, Table], *, cuts: StarCuts, frame: Orientation) -> Pieces:
    """Read stars whose cylindrical coordinates and velocities are in the file (role ``stars``).

    The table may come in several files, whose order the cube keeps. In the cube, v_φ is positive with the rotation.
    Parameters, result and errors are those of `Reader`, and ``frame`` is the sign of v_φ in the file.
    """
    check_recipe(tables, "of stars", _STAR, {_ROLE: _FOR_VELOCITIES})
    sources = column_sources(tables[_ROLE])
    against = frame.v_phi == "against"
    if against:
        sources["v_phi"] += ", negated: positive against the rotation there"

    def make(columns: Columns) -> Columns:
        coordinates = _blanked({**columns, "v_phi": -columns["v_phi"] if against else columns["v_phi"]})
        meanings = {"incomplete": ~np.isfinite(coordinates["r"]), **_unlike_disc(coordinates, cuts)}
        return {**coordinates, "point_flag": flag_bits(_STAR, "point_flag", meanings)}

    return _pieces(tables[_ROLE], cuts, sources, "derived: thresholds of the recipe", make)


def _pieces(
    table: Table, cuts: StarCuts, sources: Mapping[str, str], derived: str, make: Callable[[Columns], Columns]
) -> Pieces:
    """Return the cube in pieces, each the columns of the file and what is made of them, in the order of the schema."""
    dispersion = Dispersion(cuts.radii, width=cuts.bin_width, more_than=cuts.min_stars)
    names = [variable.name for variable in _STAR.variables]
    starts: list[int] = []

    def rows() -> Iterator[Columns]:
        n = 0
        for path in table.paths:
            starts.append(n)
            for columns in read_chunks(replace(table, path=path, others=()), kind=_STAR):
                n += columns["source_id"].size
                yield columns

    def place(star: int) -> str:
        file = bisect_right(starts, star) - 1
        return f"{table.paths[file].name} row {star - starts[file] + 1}"

    def pieces() -> Iterator[xr.Dataset]:
        with prefetch(rows()) as arriving:
            for columns in arriving:
                stars = {**columns, **make(columns)}
                disc = (stars["point_flag"] & ~_OUTSIDE) == 0
                dispersion.add(stars["r"][disc], stars["v_r"][disc])
                there = {name: stars[name] for name in names if name in stars}
                yield flat(_STAR, there, {name: sources.get(name, derived) for name in there})

    bins = f"bins of {cuts.bin_width:g} kpc with more than {cuts.min_stars} stars of the disc, interpolated"
    attrs = _STAR.variable("sigma_r").attrs(source=f"derived: standard deviation of v_r in {bins}")
    late = Late("sigma_r", "r", dispersion, attrs)
    return Pieces(pieces(), "star", late=(late,), unique="source_id", place=place)


def _blanked(stars: Columns) -> dict[str, FloatArray]:
    """Return the coordinates, all NaN where one is not finite."""
    there = [name for name in COORDINATES if name in stars]
    known = np.logical_and.reduce([np.isfinite(stars[name]) for name in there])
    return {name: np.where(known, stars[name], np.nan) for name in there}


def _unlike_disc(stars: Columns, cuts: StarCuts) -> dict[str, npt.NDArray[np.bool_]]:
    """Which stars have coordinates that no star of the disc has; those without any are not among them."""
    v_phi = stars["v_phi"]
    unlike = (np.abs(stars["v_r"]) > cuts.max_v_r) | (np.abs(stars["v_z"]) > cuts.max_v_z)
    return {
        "off_plane": np.abs(stars["height"]) > cuts.max_height,
        "outside_radii": (stars["r"] < cuts.radii[0]) | (stars["r"] >= cuts.radii[1]),
        "unlike_rotation": unlike | (v_phi < cuts.v_phi[0]) | (v_phi > cuts.v_phi[1]),
    }


class Dispersion:
    """Standard deviation of v_R in bins of R, interpolated between their centres.

    Stars are added one after another, so that the division into chunks does not change a bit of the result.

    Parameters
    ----------
    radii : (float, float)
        First and last edge of the bins [kpc].
    width : float
        Of a bin [kpc]; a whole number of them fills the radii.
    more_than : int
        A bin counts if it has more stars than this.
    """

    def __init__(self, radii: Sequence[float], *, width: float, more_than: int) -> None:
        count = max(1, round((radii[1] - radii[0]) / width))
        self._edges = np.linspace(radii[0], radii[1], count + 1)
        self._more_than = more_than
        self.counts = np.zeros(count, dtype=np.int64)
        self._sum, self._squares = np.zeros(count), np.zeros(count)

    def add(self, r: FloatArray, v_r: FloatArray) -> None:
        """Add stars; those outside the bins are skipped."""
        inside = (r >= self._edges[0]) & (r < self._edges[-1])
        bins = np.searchsorted(self._edges, r[inside], side="right") - 1
        np.add.at(self.counts, bins, 1)
        np.add.at(self._sum, bins, v_r[inside])
        np.add.at(self._squares, bins, v_r[inside] ** 2)

    @property
    def centres(self) -> FloatArray:
        """The middle of each bin [kpc]."""
        return np.asarray((self._edges[1:] + self._edges[:-1]) / 2)

    @property
    def filled(self) -> npt.NDArray[np.bool_]:
        """Which bins have enough stars."""
        return self.counts > self._more_than

    @property
    def values(self) -> FloatArray:
        """σ_R of each bin [km/s], NaN where it has too few stars."""
        n = np.where(self.filled, self.counts, 2)
        # The mean of v_R is small compared with its dispersion, so no digits cancel here.
        variance = (self._squares - self._sum**2 / n) / (n - 1)
        return np.where(self.filled, np.sqrt(np.maximum(variance, 0.0)), np.nan)

    def __call__(self, r: FloatArray) -> FloatArray:
        """Return σ_R at radii: linear between the centres of the bins with enough stars, constant beyond the last ones.

        Raises
        ------
        DataError
            If no bin has enough stars.
        """
        if not self.filled.any():
            raise DataError(
                "there are too few stars for a dispersion of v_R",
                where=f"R from {self._edges[0]:g} to {self._edges[-1]:g} kpc, stars without a flag of quality",
                found=f"at most {self.counts.max()} in a bin",
                expected=f"more than {self._more_than} in some bin",
                hint="lower cuts.min_stars of the recipe, or widen the other cuts",
            )
        # With a single bin, NumPy returns its value at NaN too.
        return np.where(np.isnan(r), np.nan, np.interp(r, self.centres[self.filled], self.values[self.filled]))
