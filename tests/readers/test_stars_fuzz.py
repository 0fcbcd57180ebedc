"""Tables of stars by the hundred, most of them spoilt: a right cube, or one error that says where, and nothing else."""

import gzip
import json
import math
import os
import tempfile
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import xarray as xr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sigcube.cube import open_cube, validate
from sigcube.cube.streaming import Pieces, stream_cube
from sigcube.errors import DataError, SpecError
from sigcube.readers.formats import Column, Table
from sigcube.readers.galactocentric import COORDINATES, MEASURED, GalacticFrame
from sigcube.readers.stars import Orientation, StarCuts, read_stars, read_velocities
from sigcube.recipes import load_recipe
from tests.readers.astropy_stars import astropy_way
from tests.strategies import BROKEN_FILES
from tests.synthetic_cubes import STAR_ATTRS

pytestmark = pytest.mark.slow


GAIA = load_recipe("gaia").files["stars"].columns
CROSS_MATCH = load_recipe("eilers_cross_match").files["stars"].columns
FRAME = GalacticFrame()
# So that two stars are enough for a dispersion.
WIDE = StarCuts(min_stars=1, bin_width=12.0, max_height=9.0, max_v_r=999.0, max_v_z=999.0, v_phi=(-999.0, 999.0))
# Where syncing to disk costs nothing, if there is such a place.
_FOLDER = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None
SANE = {
    **{"ra": (0.0, 360.0), "dec": (-90.0, 90.0), "parallax": (0.2, 5.0), "e_parallax": (0.001, 0.02)},
    **{"pm_ra": (-3.0, 3.0), "pm_dec": (-3.0, 3.0), "e_pm_ra": (0.001, 0.1), "e_pm_dec": (0.001, 0.1)},
    **{"radial_velocity": (-20.0, 20.0), "e_radial_velocity": (0.1, 2.0), "ruwe": (0.8, 1.3), "g_mag": (3.0, 15.0)},
    **{"r": (7.0, 9.0), "height": (-0.4, 0.4), "v_r": (-50.0, 50.0), "v_phi": (-260.0, -180.0), "v_z": (-40.0, 40.0)},
}
#: What may stand in a cell instead of a number that makes sense.
ODD = [
    *("", " ", "null", "nan", "NaN", "inf", "-inf", "1e400", "-1e308", "1e-320", "0", "-0.0", "1_0", "0x10", "١٢"),
    *("abc", "--", "1,5", '"7"', "1 2", "9223372036854775808", "-1", "1e5", "3.5", "True", "\N{MINUS SIGN}3", "\x00"),
]


@dataclass
class Case:
    """A file that is to be, and what is wrong with it."""

    columns: tuple[Column, ...]
    cells: list[list[str]]
    labels: list[str]
    content: bytes = b""
    spoilt: list[str] = field(default_factory=list)

    def write(self) -> None:
        lines = [",".join(self.labels), *(",".join(row) for row in self.cells)]
        self.content = ("\n".join(lines) + "\n").encode("utf-8", "surrogatepass")


@st.composite
def cases(draw: st.DrawFn, columns: tuple[Column, ...]) -> Case:
    """Draw a table that is right, and up to three ways of spoiling it."""
    n = draw(st.integers(2, 6))
    numbers = draw(st.lists(st.integers(1, 2**63 - 1), min_size=n, max_size=n, unique=True))
    seed = draw(st.integers(0, 2**20))
    rng = np.random.default_rng(seed)
    cells = [
        [str(number) if c.variable == "source_id" else repr(float(rng.uniform(*SANE[c.variable]))) for c in columns]
        for number in numbers
    ]
    case = Case(columns, cells, [c.label for c in columns])
    for spoil in draw(st.lists(st.sampled_from(CELLS), max_size=2)):
        spoil(case, draw)
    case.write()
    for spoil in draw(st.lists(st.sampled_from(BYTES), max_size=1)):
        spoil(case, draw)
    return case


def odd_cell(case: Case, draw: st.DrawFn) -> None:
    row = draw(st.sampled_from(case.cells))
    column = draw(st.integers(0, len(row) - 1))
    row[column] = draw(st.sampled_from(ODD) | st.floats().map(repr) | st.text(max_size=4))


def same_number(case: Case, draw: st.DrawFn) -> None:
    case.cells.append(list(draw(st.sampled_from(case.cells))))


def other_number_of_cells(case: Case, draw: st.DrawFn) -> None:
    row = draw(st.sampled_from(case.cells))
    if draw(st.booleans()):
        row.append("5")
    else:
        row.pop()


def other_label(case: Case, draw: st.DrawFn) -> None:
    at = draw(st.integers(0, len(case.labels) - 1))
    case.labels[at] = draw(st.sampled_from([*case.labels, "", "x", case.labels[at].upper(), f" {case.labels[at]} "]))


def swapped_columns(case: Case, draw: st.DrawFn) -> None:
    order = draw(st.permutations(range(len(case.labels))))
    if all(len(row) == len(order) for row in case.cells):
        case.labels = [case.labels[i] for i in order]
        case.cells = [[row[i] for i in order] for row in case.cells]


def other_unit(case: Case, draw: st.DrawFn) -> None:
    at = draw(st.integers(0, len(case.columns) - 1))
    unit = draw(st.sampled_from(["arcsec", "kpc", "km/s", "", "furlong", "deg", "pc", "m/s", "mas/yr", "km/("]))
    changed = case.columns[at].model_copy(update={"unit": unit})
    case.columns = (*case.columns[:at], changed, *case.columns[at + 1 :])


CELLS: list[Callable[[Case, st.DrawFn], None]] = [
    odd_cell,
    same_number,
    other_number_of_cells,
    other_label,
    swapped_columns,
    other_unit,
]


def cut(case: Case, draw: st.DrawFn) -> None:
    case.content = case.content[: draw(st.integers(0, len(case.content)))]


def other_bytes(case: Case, draw: st.DrawFn) -> None:
    at = draw(st.integers(0, len(case.content)))
    some = draw(st.binary(max_size=4) | st.sampled_from([b"\xff\xfe", b"\r\n", b"\r", b'"', b"\n\n", b"#"]))
    case.content = case.content[:at] + some + case.content[at + draw(st.integers(0, 3)) :]


def other_encoding(case: Case, draw: st.DrawFn) -> None:
    encoding = draw(st.sampled_from(["utf-16", "utf-32", "utf-8-sig", "cp500"]))
    case.content = case.content.decode("utf-8", "replace").encode(encoding, "replace")


def packed(case: Case, draw: st.DrawFn) -> None:
    case.content = gzip.compress(case.content)
    if draw(st.booleans()):
        cut(case, draw)


def other_lines(case: Case, draw: st.DrawFn) -> None:
    case.content = case.content.replace(b"\n", draw(st.sampled_from([b"\r\n", b"\r", b"\n\n", b" \n"])))


BYTES: list[Callable[[Case, st.DrawFn], None]] = [cut, other_bytes, other_encoding, packed, other_lines]


def attempt(case: Case, read: Callable[..., Pieces], frame: object, *, save: bool) -> xr.Dataset | None:
    """Make a cube of a file; None if it is refused, in which case there is nothing where it was to be."""
    with tempfile.TemporaryDirectory(dir=_FOLDER) as name:
        path, out = Path(name) / "t.csv", Path(name) / "cubes" / "t.zarr"
        path.write_bytes(case.content)
        try:
            pieces = read({"stars": Table(path, case.columns)}, cuts=WIDE, frame=frame)
            return _saved(pieces, out) if save else _in_memory(pieces)
        except (DataError, SpecError):
            # Nothing else is caught: another error is a failure of the test.
            left = list(out.parent.iterdir()) if out.parent.exists() else []
    assert left == []
    return None


def _saved(pieces: Pieces, out: Path) -> xr.Dataset:
    return open_cube(stream_cube(pieces, out, attrs=STAR_ATTRS)).load()


def _in_memory(pieces: Pieces) -> xr.Dataset | None:
    """What is saved, but for the twins that saving finds; far quicker."""
    (cube,) = pieces.pieces
    (late,) = pieces.late
    values = late.make(cube[late.given].values)
    cube = cube.assign({late.name: ("star", values, dict(late.attrs))}).assign_attrs({**STAR_ATTRS, "kind": "star"})
    validate(cube)
    return cube if np.unique(cube.source_id).size == cube.sizes["star"] else None


def lines_of(content: bytes) -> list[list[str]]:
    """Read the file as plainly as can be."""
    text = gzip.decompress(content) if content.startswith(b"\x1f\x8b") else content
    lines = text.decode("utf-8-sig").replace("\r\n", "\n").replace("\r", "\n").split("\n")
    return [line.split(",") for line in lines if line and not line.startswith("#")]


def number(cell: str) -> float:
    cell = cell.strip().strip('"').strip()
    return math.nan if cell in ("", "null", "NULL") else float(cell)


def compare_columns(cube: xr.Dataset, case: Case) -> None:
    """The cube holds the numbers of the file, and all of its rows."""
    from astropy.units import Unit

    header, *rows = lines_of(case.content)
    labels = [label.strip().strip('"').strip() for label in header]
    assert cube.sizes["star"] == len(rows)
    for column in case.columns:
        at = labels.index(column.label)
        if column.variable == "source_id":
            expected = [int(float(row[at])) if "." in row[at] else int(row[at].strip(' "')) for row in rows]
            assert cube.source_id.values.tolist() == expected
            continue
        values = np.array([number(row[at]) for row in rows])
        unit = cube[column.variable].attrs.get("units", "")
        if column.unit != unit:
            values = np.asarray(Unit(column.unit).to(Unit(unit), values))
        if column.variable in MEASURED or column.variable.startswith("e_") or column.variable in ("ruwe", "g_mag"):
            np.testing.assert_array_equal(cube[column.variable].values, values)


@settings(max_examples=BROKEN_FILES, suppress_health_check=list(HealthCheck))
@given(case=cases(GAIA), save=st.integers(0, 9).map(lambda n: n == 9))
def test_files_like_those_of_gaia(case: Case, save: bool) -> None:
    cube = attempt(case, read_stars, FRAME, save=save)
    if cube is None:
        return
    compare_columns(cube, case)
    complete = np.isfinite(cube.r.values)
    incomplete = (cube.point_flag.values & 1) != 0
    assert (complete | incomplete).all()
    stars = {name: cube[name].values[complete] for name in MEASURED}
    if (
        complete.any()
        and max(np.abs(values).max() for values in stars.values()) < 1e6
        and stars["parallax"].min() > 1e-6
    ):
        for name, expected in astropy_way(stars, FRAME).items():
            scale = 1e-9 * max(1.0, np.abs(expected).max(), np.abs(cube.distance.values[complete]).max())
            np.testing.assert_allclose(cube[name].values[complete], expected, rtol=1e-9, atol=scale, err_msg=name)
    assert all(np.isnan(cube[name].values[~complete]).all() for name in COORDINATES)


@settings(max_examples=BROKEN_FILES, suppress_health_check=list(HealthCheck))
@given(case=cases(CROSS_MATCH), save=st.integers(0, 9).map(lambda n: n == 9))
def test_files_like_the_cross_match(case: Case, save: bool) -> None:
    cube = attempt(case, read_velocities, Orientation(v_phi="against"), save=save)
    if cube is None:
        return
    header, *rows = lines_of(case.content)
    assert cube.sizes["star"] == len(rows)
    at = [label.strip().strip('"').strip() for label in header].index("v_phi")
    unit = next(column.unit for column in case.columns if column.variable == "v_phi")
    known = np.isfinite(cube.r.values)
    expected = -np.array([number(row[at]) for row in rows]) * (1e-3 if unit == "m/s" else 1.0)
    np.testing.assert_allclose(cube.v_phi.values[known], expected[known], rtol=1e-14)
    assert (((cube.point_flag.values & 1) == 0) == known).all()
    assert json.loads(cube.attrs["samples"]) == {}
