"""Stars of the Milky Way: as Gaia measures them, or with velocities that somebody else has worked out.

They are read in chunks, so memory does not depend on how many there are.
"""

import math
from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from types import MappingProxyType
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
import xarray as xr
from pydantic import BaseModel, ConfigDict, Field, model_validator

from sigcube.cube import KINDS
from sigcube.cube.streaming import Late, Pieces, prefetch
from sigcube.errors import Fault, SpecError, error_from
from sigcube.readers.dispersion import Dispersion
from sigcube.readers.galactocentric import COORDINATES, ERRORS, MEASURED, GalacticFrame, Transform
from sigcube.readers.padding import labelled
from sigcube.readers.tabular import chunks
from sigcube.readers.typing import Cuts, Table

__all__ = ["Orientation", "StarCuts", "read_stars", "read_velocities"]

_STAR = KINDS["star"]
_BIT = {meaning: np.uint8(1 << bit) for bit, meaning in enumerate(_STAR.variable("point_flag").flags)}
# Of stars that have one of these, the dispersion says nothing about the disc.
_NOT_OF_THE_DISC = ("incomplete", "bad_parallax", "high_ruwe", "off_plane", "unlike_rotation")
_MASK = np.uint8(sum(int(_BIT[meaning]) for meaning in _NOT_OF_THE_DISC))

_ROLE = "stars"
_FOR_STARS = ("source_id", *MEASURED, *ERRORS, "ruwe")
_FOR_VELOCITIES = ("source_id", "r", "height", "v_r", "v_phi", "v_z")
_DERIVED = ("sigma_r", "point_flag")
_DERIVED_FROM_MEASURED = (*COORDINATES, *(f"e_{name}" for name in COORDINATES), "distance", "e_distance")

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
    """The frame of velocities that somebody else has worked out.

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
    that is not positive, keeps its row without coordinates.

    Parameters
    ----------
    tables : Mapping of str to Table
        One table, which may come in several files.
    cuts : StarCuts
        Thresholds of the flags.
    frame : GalacticFrame
        The Sun.

    Returns
    -------
    Pieces
        The star cube in pieces, in the order of the files. Faults of the files are raised as they are met.

    Raises
    ------
    SpecError
        If the recipe lacks the table, or a column that the cube cannot be without.
    """
    _refuse_recipe(tables, _FOR_STARS, (*_DERIVED, *_DERIVED_FROM_MEASURED))
    sun = f"R0 = {frame.r_sun:g} kpc, z = {frame.z_sun:g} kpc, v = {frame.v_sun} km/s"
    derived = f"derived: distance 1/parallax, astropy Galactocentric with the Sun at {sun}"
    return _read(tables[_ROLE], cuts, derived, partial(_measured, transform=Transform(frame), cuts=cuts))


def read_velocities(tables: Mapping[str, Table], *, cuts: StarCuts, frame: Orientation) -> Pieces:
    """Read stars whose cylindrical coordinates and velocities the file gives (role ``stars``).

    Parameters
    ----------
    tables : Mapping of str to Table
        One table, which may come in several files.
    cuts : StarCuts
        Thresholds of the flags.
    frame : Orientation
        Which sign v_φ has in the file.

    Returns
    -------
    Pieces
        The star cube in pieces, v_φ positive with the rotation.

    Raises
    ------
    SpecError
        If the recipe lacks the table, or a column that the cube cannot be without.
    """
    _refuse_recipe(tables, _FOR_VELOCITIES, _DERIVED)
    turned = frame.v_phi == "against"
    make = partial(_given, turned=turned, cuts=cuts)
    notes = {"v_phi": ", negated: positive against the rotation there"} if turned else {}
    return _read(tables[_ROLE], cuts, "derived: thresholds of the recipe", make, notes)


def _read(
    table: Table,
    cuts: StarCuts,
    derived: str,
    make: Callable[[Columns], Columns],
    notes: Mapping[str, str] = MappingProxyType({}),
) -> Pieces:
    dispersion = Dispersion(cuts.radii, width=cuts.bin_width, more_than=cuts.min_stars)
    sources = {
        column.variable: f"{_files(table)}, column {column.label}{notes.get(column.variable, '')}"
        for column in table.columns
    }
    rows = _Rows(table)

    def pieces() -> Iterator[xr.Dataset]:
        with prefetch(rows) as arriving:
            for columns in arriving:
                stars = {**columns, **make(columns)}
                disc = (stars["point_flag"] & _MASK) == 0
                dispersion.add(stars["r"][disc], stars["v_r"][disc])
                yield xr.Dataset(
                    {name: labelled(_STAR, name, stars[name], sources.get(name, derived)) for name in _order(stars)}
                )

    bins = f"bins of {cuts.bin_width:g} kpc with more than {cuts.min_stars} stars of the disc, interpolated"
    attrs = _STAR.variable("sigma_r").attrs(source=f"derived: standard deviation of v_r in {bins}")
    late = Late("sigma_r", "r", dispersion, attrs)
    return Pieces(pieces(), "star", late=(late,), unique="source_id", place=rows.place)


@dataclass
class _Rows:
    """Chunks of all files of a table, and which row of which file a star is."""

    table: Table
    _starts: list[int] = field(default_factory=list)

    def __iter__(self) -> Iterator[Columns]:
        read = 0
        for path in self.table.paths:
            self._starts.append(read)
            for columns in chunks(replace(self.table, path=path, others=()), kind=_STAR):
                read += columns["source_id"].size
                yield columns

    def place(self, index: int) -> str:
        """Name the file and row of a star, from 1."""
        file = bisect_right(self._starts, index) - 1
        return f"{self.table.paths[file].name} row {index - self._starts[file] + 1}"


def _refuse_recipe(tables: Mapping[str, Table], needed: Sequence[str], derived: Sequence[str]) -> None:
    given = [column.variable for table in tables.values() for column in table.columns]
    faults = [Fault("missing", f"files.{_ROLE}")] if _ROLE not in tables else []
    faults += [Fault("the reader has no use for it", f"files.{role}") for role in tables if role != _ROLE]
    faults += [Fault(f"no column for {name!r}", f"files.{_ROLE}.columns") for name in needed if name not in given]
    faults += [Fault(f"{name!r} is derived, not read", f"files.{_ROLE}.columns") for name in derived if name in given]
    if faults:
        raise error_from(SpecError, faults, what="the recipe does not fit the reader", where="a reader of stars")


def _files(table: Table) -> str:
    first, *others = table.paths
    return f"{first.name} and {len(others)} more" if others else first.name


def _order(stars: Columns) -> list[str]:
    """Return what there is, in the order of the schema."""
    return [variable.name for variable in _STAR.variables if variable.name in stars]


def _measured(columns: Columns, *, transform: Transform, cuts: StarCuts) -> Columns:
    found = transform(columns)
    complete = np.logical_and.reduce([np.isfinite(columns[name]) for name in (*ERRORS, "ruwe")])
    coordinates = _blanked(found)
    complete &= np.isfinite(coordinates["r"])
    with np.errstate(all="ignore"):
        doubtful = {
            "incomplete": ~complete,
            "bad_parallax": columns["parallax"] / columns["e_parallax"] < cuts.min_parallax_over_error,
            "high_ruwe": columns["ruwe"] > cuts.max_ruwe,
        }
    return {**found, **coordinates, "point_flag": _flag({**doubtful, **_unlike_disc(coordinates, cuts)})}


def _given(columns: Columns, *, turned: bool, cuts: StarCuts) -> Columns:
    coordinates = _blanked({**columns, "v_phi": -columns["v_phi"] if turned else columns["v_phi"]})
    doubtful = {"incomplete": ~np.isfinite(coordinates["r"])}
    return {**coordinates, "point_flag": _flag({**doubtful, **_unlike_disc(coordinates, cuts)})}


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


def _flag(meanings: Mapping[str, npt.NDArray[np.bool_]]) -> npt.NDArray[np.uint8]:
    flag = np.zeros(next(iter(meanings.values())).shape, dtype=np.uint8)
    for meaning, found in meanings.items():
        flag[found] |= _BIT[meaning]
    return flag
