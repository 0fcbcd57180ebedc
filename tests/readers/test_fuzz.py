"""Broken tables by the thousand for all readers: what comes out is what was written, or one error, and nothing else."""

import hashlib
import json
import math
import struct
import tempfile
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xarray as xr
from astropy import units as u
from astropy.table import Table as AstropyTable
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sigcube.cube import KINDS, validate
from sigcube.errors import DataError, SpecError
from sigcube.readers import READERS
from sigcube.readers.formats import Column, Table, read_table
from sigcube.recipes import Recipe, ingest, load_recipe
from tests.readers.cds_files import CdsFiles
from tests.readers.sparc_files import SparcFiles
from tests.readers.tables import columns, write_table
from tests.strategies import BROKEN_FILES

pytestmark = pytest.mark.slow

many = settings(
    max_examples=BROKEN_FILES,
    deadline=None,
    database=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
few = settings(many, max_examples=BROKEN_FILES // 10)

GALAXY = KINDS["galaxy"]
NAN = math.nan

_kpc = 1.0
#: What a recipe may say of the unit of a radius: the factor to kpc, None where that is refused.
UNITS = {"kpc": _kpc, "pc": 1e-3, "Mpc": 1e3, "K": None, "furlong/": None}


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as made:
        yield Path(made)


@dataclass(frozen=True)
class Cell:
    """A cell as text, and the number that it is; None for one that must be refused."""

    text: str
    value: float | None


GOOD_CELLS = [Cell("1.5", 1.5), Cell("+2", 2.0), Cell("1e2", 100.0), Cell(".5", 0.5), Cell("007", 7.0), Cell("0", 0.0)]
NO_CELLS = [Cell("", NAN), Cell("nan", NAN), Cell("null", NAN), Cell("NaN", NAN)]
BAD_CELLS = [
    Cell(text, None)
    for text in ("abc", "1_0", "inf", "-inf", "-1", "1e999", "1e9", "--", "0x10", "1.2.3", "１", "1 2", "1e", "True")
]
floats = st.floats(0, 1000, allow_subnormal=False).map(lambda x: Cell(repr(x), x))
cells = st.one_of(floats, floats, st.sampled_from(GOOD_CELLS), st.sampled_from(NO_CELLS))
any_cells = st.one_of(cells, cells, cells, cells, cells, cells, cells, st.sampled_from(BAD_CELLS))
ids = st.one_of(
    st.integers(0, 2**63 - 1).map(lambda n: Cell(str(n), n)),
    st.sampled_from([Cell("12.0", 12), Cell("", None), Cell("1.5", None), Cell("9223372036854775808", None)]),
)
good_ids = st.integers(0, 2**63 - 1).map(lambda n: Cell(str(n), n))
names = st.text("abcXYZ019 -+Ωé", min_size=1, max_size=8).map(str.strip).filter(bool)
rare = st.sampled_from([None] * 6 + ["missing", "twice", "extra", "short", "long", "unit", "encoding", "end", "cut"])

Read = Callable[[], dict[str, np.ndarray]]


def outcome(read: Read) -> dict[str, np.ndarray] | None:
    """Read; None stands for one clear error. Anything else that is raised fails the test."""
    try:
        return read()
    except (DataError, SpecError) as error:
        return _refused(error)


def _refused(error: Exception) -> None:
    """Check that an error tells of twenty faults at most."""
    assert str(error).count("\n") < 30


def same(found: dict[str, np.ndarray] | None, expected: dict[str, list[Any]] | None, *, prefix: bool = False) -> None:
    """Compare; where the end was cut off, an error or the first rows."""
    if expected is None or found is None:
        assert found is None or prefix
        assert expected is None or prefix
        return
    for name, values in expected.items():
        got = found[name]
        wanted = values[: len(got)] if prefix else values
        assert len(got) == len(wanted), name
        if got.dtype == object:
            assert got.tolist() == wanted
        elif got.dtype.kind == "i":
            assert got.tolist() == wanted
        else:
            np.testing.assert_allclose(got, np.array(wanted, dtype=float), rtol=1e-14, equal_nan=True)


def sound(found: dict[str, np.ndarray] | None) -> None:
    """Where bytes were changed that nothing guards, what is read has at least the right form, and is in range."""
    if found is not None:
        assert len({len(values) for values in found.values()}) == 1
        r = found["r"]
        assert r.dtype == np.float64
        assert not np.isinf(r).any()


@dataclass(frozen=True)
class Rows:
    """Rows of name, id and radius, what is done to them, and what must come out."""

    names: list[str]
    ids: list[Cell]
    radii: list[Cell]
    change: str | None
    unit: str

    @property
    def expected(self) -> dict[str, list[Any]] | None:
        values = [cell.value for cell in self.radii]
        factor = UNITS[self.unit]
        if not values or factor is None or None in values or None in [cell.value for cell in self.ids]:
            return None
        return {
            "galaxy": self.names,
            "hubble_type": [cell.value for cell in self.ids],
            "r": [value * factor for value in values if value is not None],
        }


@st.composite
def rows(draw: st.DrawFn, *, radii: Any = any_cells, whole_numbers: Any = ids, least: int = 0) -> Rows:
    n = draw(st.integers(least, 4))
    unit = draw(st.sampled_from(["kpc", "kpc", "kpc", *UNITS]))
    return Rows(
        draw(st.lists(names, min_size=n, max_size=n)),
        draw(st.lists(whole_numbers, min_size=n, max_size=n)),
        draw(st.lists(radii, min_size=n, max_size=n)),
        draw(rare),
        unit,
    )


def given_columns(unit: str) -> tuple[Column, ...]:
    return columns(("name", "galaxy"), ("id", "hubble_type"), ("R", "r", unit), r={"range": (0.0, 1e4)})


def delimited(case: Rows, delimiter: str, head: str, draw: st.DataObject) -> tuple[bytes, dict[str, list[Any]] | None]:
    """Write the rows as text, and say what must come out of it."""
    expected = case.expected
    labels = ["name", "id", "R", "x"]
    body = [[n, i.text, r.text, "more"] for n, i, r in zip(case.names, case.ids, case.radii, strict=True)]
    if case.change == "missing":
        labels[2], expected = "Rad", None
    elif case.change == "twice":
        labels[3], expected = "R", None
    elif case.change == "extra":
        order = draw.draw(st.permutations(range(4)))
        labels, body = [labels[i] for i in order], [[row[i] for i in order] for row in body]
    elif case.change in ("short", "long") and body:
        body[-1] = body[-1][:-1] if case.change == "short" else [*body[-1], "1"]
        expected = None

    def quoted(cell: str) -> str:
        return f'"{cell}"' if delimiter in cell or " " in cell or not cell else cell

    lines = [delimiter.join(map(quoted, row)) for row in (labels, *body)]
    end = draw.draw(st.sampled_from(["\n", "\n", "\r\n"]))
    text = head + end.join(lines) + end
    if case.change == "end":
        text, expected = text.rstrip("\r\n"), None
    if case.change == "encoding":
        kind = draw.draw(st.sampled_from(["utf-16", "latin-1", "utf-8-sig"]))
        content = (
            text.encode("latin-1", errors="replace").replace(b"?", b"\xe9") if kind == "latin-1" else text.encode(kind)
        )
        readable = kind == "utf-8-sig" or (kind == "latin-1" and text.isascii())
        return content, expected if readable else None
    return text.encode("utf-8"), expected


def text_case(folder: Path, suffix: str, delimiter: str, head: str, case: Rows, draw: st.DataObject) -> None:
    content, expected = delimited(case, delimiter, head, draw)
    path = folder / f"t{suffix}"
    cut = case.change == "cut"
    if cut:
        content = content[: draw.draw(st.integers(0, len(content)))]
    path.write_bytes(content)
    same(outcome(lambda: read_table(Table(path, given_columns(case.unit)), kind=GALAXY)), expected, prefix=cut)


@many
@given(case=rows(), draw=st.data())
def test_csv(case: Rows, draw: st.DataObject, folder: Path) -> None:
    text_case(folder, ".csv", ",", "", case, draw)


def _ecsv_head(unit: str) -> str:
    described = [("name", "string", ""), ("id", "int64", ""), ("R", "float64", f", unit: {unit}"), ("x", "string", "")]
    lines = ["%ECSV 1.0", "---", "delimiter: ','", "datatype:"]
    lines += [f"- {{name: {name}, datatype: {kind}{more}}}" for name, kind, more in described]
    return "".join(f"# {line}\n" for line in lines)


@many
@given(case=rows(), draw=st.data(), file_unit=st.sampled_from(["kpc", "kpc", "kpc", "pc", "K", "xyz"]))
def test_ecsv(case: Rows, draw: st.DataObject, file_unit: str, folder: Path) -> None:
    content, expected = delimited(case, ",", _ecsv_head(file_unit), draw)
    moved = case.change == "extra" and b"name,id,R,x" not in content
    if moved or (file_unit != case.unit and case.change not in ("missing", "twice")):
        expected = None
    path = folder / "t.ecsv"
    cut = case.change == "cut"
    path.write_bytes(content[: draw.draw(st.integers(0, len(content)))] if cut else content)
    same(outcome(lambda: read_table(Table(path, given_columns(case.unit)), kind=GALAXY)), expected, prefix=cut)


numbers = st.floats(0, 1000, allow_subnormal=False).map(lambda x: Cell(repr(x), x))
binary_cells = st.one_of(
    numbers, numbers, numbers, st.sampled_from([Cell("nan", NAN), Cell("inf", None), Cell("-1.0", None)])
)
binary_rows = rows(radii=binary_cells, whole_numbers=good_ids)
ascii_names = st.text("abcXYZ019-+", min_size=1, max_size=8)


@cache
def fits_file(n: int) -> bytes:
    """A FITS file of n rows, made once."""
    with tempfile.TemporaryDirectory() as made:
        table = AstropyTable(
            {"name": np.array(["x" * 8] * n), "id": np.arange(n, dtype=np.int64), "R": np.ones(n) * u.kpc}
        )
        return write_table(Path(made), "fits", table).read_bytes()


@many
@given(
    case=rows(radii=binary_cells, whole_numbers=good_ids, least=1),
    other=st.sampled_from([b"'pc      '", b"'K       '", b"'xyz     '"]),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), min_size=1, max_size=3),
)
def test_fits(case: Rows, other: bytes, flips: list[tuple[float, int]], folder: Path) -> None:
    n = len(case.names)
    content = bytearray(fits_file(n))
    labels = [name.encode("ascii", errors="replace").decode()[:8] for name in case.names]
    case = replace(case, names=labels)
    start = len(content) - 2880
    for row in range(n):
        number, identity = float(case.radii[row].text), int(case.ids[row].text)
        packed = struct.pack(">8sqd", labels[row].encode(), identity, number)
        content[start + row * 24 : start + row * 24 + 24] = packed
    expected, weak = case.expected, False
    if case.unit not in ("kpc",):
        expected = None
    if case.change == "missing":
        content, expected = content.replace(b"TTYPE3  = 'R  ", b"TTYPE3  = 'Q  "), None
    elif case.change == "unit":
        assert b"'kpc     '" in content
        content = content.replace(b"'kpc     '", other)
        expected = case.expected if case.unit == "pc" and b"pc " in other else None
    elif case.change == "cut":
        content, expected = content[: int(flips[0][0] * (start + n * 24))], None
    elif case.change in ("short", "long", "encoding"):
        weak = True
        for place, byte in flips:
            content[int(place * start)] = byte
    path = folder / "t.fits"
    path.write_bytes(content)
    found = outcome(lambda: read_table(Table(path, given_columns(case.unit)), kind=GALAXY))
    sound(found) if weak else same(found, expected)


_VOTABLE = """<?xml version="1.0" encoding="utf-8"?>
<VOTABLE version="1.4" xmlns="http://www.ivoa.net/xml/VOTable/v1.3">
<RESOURCE type="results"><TABLE{nrows}>
<FIELD ID="name" arraysize="*" datatype="unicodeChar" name="name"/>
<FIELD ID="id" datatype="long" name="id"/>
<FIELD ID="{label}" datatype="double" name="{label}" unit="{unit}"/>
<DATA><TABLEDATA>
{rows}</TABLEDATA></DATA></TABLE></RESOURCE></VOTABLE>
"""
vo_cells = st.one_of(
    cells.filter(lambda cell: cell.text != "null"),
    st.sampled_from([cell for cell in BAD_CELLS if cell.text not in ("1_0", "１", "inf", "-inf")]),
)


@many
@given(case=rows(radii=vo_cells, whole_numbers=good_ids), draw=st.data())
def test_votable(case: Rows, draw: st.DataObject, folder: Path) -> None:
    expected, n = case.expected, len(case.names)
    told = [
        [f"<TD>{name}</TD>", f"<TD>{i.text}</TD>", f"<TD>{r.text}</TD>"]
        for name, i, r in zip(case.names, case.ids, case.radii, strict=True)
    ]
    unit, label, nrows, prefix = "kpc" if case.unit == "furlong/" else case.unit, "R", "", False
    if case.change == "unit":
        unit, expected = "Gpc", None
    elif case.change == "missing":
        label, expected = "Rad", None
    elif case.change == "twice":
        nrows, expected = f' nrows="{n + 1}"', None
    elif case.change in ("short", "long") and n:
        told[-1] = told[-1][:-1] if case.change == "short" else [*told[-1], "<TD>1</TD>"]
        expected = None
    text = _VOTABLE.format(
        rows="".join(f"<TR>{''.join(row)}</TR>\n" for row in told), unit=unit, label=label, nrows=nrows
    )
    content = text.encode("utf-8")
    if case.change == "cut":
        content, expected = content[: draw.draw(st.integers(0, len(content) - 12))], None
    elif case.change == "encoding":
        content, prefix = content.replace(b"\xce\xa9", b"\xff\xfe"), True
    path = folder / "t.vot"
    path.write_bytes(content)
    found = outcome(lambda: read_table(Table(path, given_columns(case.unit)), kind=GALAXY))
    if prefix and found is not None:
        return sound(found)
    return same(found, expected, prefix=prefix)


@many
@given(case=rows(radii=binary_cells, whole_numbers=good_ids), draw=st.data())
def test_parquet(case: Rows, draw: st.DataObject, folder: Path) -> None:
    expected = case.expected
    radii = [float(cell.text) for cell in case.radii]
    shape = draw.draw(st.sampled_from(["float64", "float64", "null", "string", "bool", "list", "dictionary"]))
    array = pa.array(radii, pa.float64())
    if shape == "null" and radii:
        array = pa.array([None, *radii[1:]], pa.float64())
        if expected is not None or case.radii[0].value is None:
            expected = replace(case, radii=[Cell("", NAN), *case.radii[1:]]).expected
    elif shape == "string":
        array, expected = pa.array(list(map(str, radii)), pa.string()), None
    elif shape == "bool":
        array, expected = pa.array([x > 0 for x in radii], pa.bool_()), None
    elif shape == "list":
        array, expected = pa.array([[x] for x in radii], pa.list_(pa.float64())), None
    labels = pa.array(case.names, pa.string())
    labels = labels.dictionary_encode() if shape == "dictionary" else labels
    identities = pa.array([int(cell.text) for cell in case.ids], pa.int64())
    label = "Q" if case.change == "missing" else "R"
    table = pa.table({"name": labels, "id": identities, label: array})
    expected = None if case.change == "missing" else expected
    if case.change == "unit":
        described = "datatype:\n- {name: R, unit: Gpc, datatype: float64}\nmeta: {}"
        table, expected = table.replace_schema_metadata({b"table_meta_yaml": described.encode()}), None
    path = folder / "t.parquet"
    pq.write_table(table, path, write_page_checksum=True)
    weak = case.change in ("short", "long", "encoding")
    if weak or case.change == "cut":
        content = bytearray(path.read_bytes())
        if weak:
            content[draw.draw(st.integers(0, len(content) - 1))] ^= 1 << draw.draw(st.integers(0, 7))
        else:
            content, expected = content[: draw.draw(st.integers(0, len(content) - 1))], None
        path.write_bytes(content)
    found = outcome(lambda: read_table(Table(path, given_columns(case.unit)), kind=GALAXY))
    sound(found) if weak else same(found, expected)


def cube_of(recipe: Recipe, paths: dict[str, Path]) -> xr.Dataset:
    """Read what a recipe says from files, and check the cube as ingest does; nothing is written."""
    tables = {role: Table(paths[role], file.columns, file.format) for role, file in recipe.files.items()}
    ds = READERS[recipe.reader].read(tables, cuts=recipe.cuts)
    assert isinstance(ds, xr.Dataset)
    texts = {name: "a test" for name in ("title", "citation", "licence", "sigcube_version")}
    ds = ds.assign_attrs(**texts, kind=recipe.kind, synthetic=0, recipe="", raw_files="[]", samples="{}")
    validate(ds)
    return ds


def cube_or_none(recipe: Recipe, paths: dict[str, Path]) -> xr.Dataset | None:
    try:
        return cube_of(recipe, paths)
    except (DataError, SpecError) as error:
        return _refused(error)


CLASH = load_recipe("clash")
_clash_cells = st.one_of(
    st.integers(-12000, -8000).map(lambda n: Cell(f"{n / 1000:.3f}", n / 1000)),
    st.integers(-12000, -8000).map(lambda n: Cell(f"{n / 1000:.3f}", n / 1000)),
    st.integers(-12000, -8000).map(lambda n: Cell(f"{n / 1000:.3f}", n / 1000)),
    st.sampled_from([cell for cell in BAD_CELLS if cell.text != "-1"]),
)


@st.composite
def clash_files(draw: st.DrawFn) -> tuple[bytes, dict[str, dict[float, float]] | None, bool]:
    """The file, log g_bar by cluster and radius, and whether its end was cut off."""
    points: dict[str, dict[float, float]] = {}
    good, lines = True, []
    for _ in range(draw(st.integers(0, 6))):
        name, r = draw(st.sampled_from(["A209", "A383", "RXJ1347"])), draw(st.sampled_from([14.3, 100.0, 200.0, 400.0]))
        cell = draw(_clash_cells)
        good &= cell.value is not None and r not in points.get(name, {})
        points.setdefault(name, {})[r] = cell.value or 0.0
        lines.append(f"{name:9s}{r:6.1f} {cell.text:>8s}  -9.436 0.043 0.089\n")
    change = draw(rare)
    if change == "short" and lines:
        lines[-1], good = lines[-1].rsplit(" ", 1)[0] + "\n", False
    if change == "long" and lines:
        lines[-1], good = lines[-1].rstrip() + " 1.0\n", False
    text = "".join(lines)
    if change == "end" and text:
        text, good = text[:-1], False
    content = text.encode("utf-16" if change == "encoding" and text else "utf-8")
    good &= bool(text) and change != "encoding"
    if change == "cut":
        content = content[: draw(st.integers(0, len(content)))]
    return content, points if good else None, change == "cut"


@many
@given(drawn=clash_files())
def test_clash(drawn: tuple[bytes, dict[str, dict[float, float]] | None, bool], folder: Path) -> None:
    content, points, cut = drawn
    path = folder / "fig2.dat"
    path.write_bytes(content)
    cube = cube_or_none(CLASH, {"table": path})
    if cube is None or (points is None and not cut):
        assert cube is None
        assert points is None or cut
        return
    found = {
        str(name): dict(zip(one["r"].values.tolist(), one["log_g_bar"].values.tolist(), strict=True))
        for name in cube["cluster"].values
        for one in [cube.sel(cluster=name).isel(radius=slice(int(cube["n_points"].sel(cluster=name))))]
    }
    if cut:
        assert points is None or all(points[name][r] == log for name, logs in found.items() for r, log in logs.items())
    else:
        assert found == points


FOX = load_recipe("fox2022")
_fox_numbers = st.one_of(
    st.integers(1, 99999).map(lambda n: Cell(f"{n / 100:6.2f}", n / 100)),
    st.integers(1, 99999).map(lambda n: Cell(f"{n / 100:6.2f}", n / 100)),
    st.integers(1, 99999).map(lambda n: Cell(f"{n / 100:6.2f}", n / 100)),
    st.just(Cell(" -1.00", NAN)),
    st.sampled_from(
        [Cell(text, None) for text in ("12.3.4", "abcdef", "1_0.00", "   inf", "-12.00", "12 .00", "１.0000")]
    ),
)


@many
@given(masses=st.lists(_fox_numbers, max_size=4), change=rare, draw=st.data())
def test_fox(masses: list[Cell], change: str | None, draw: st.DataObject, folder: Path) -> None:
    files = CdsFiles(rows=[CdsFiles.row(f"C{i}", 0.3, "yes", 9.84, 1.0) for i in range(len(masses))])
    files.rows = [row[:42] + cell.text + row[48:] for row, cell in zip(files.rows, masses, strict=True)]
    good = bool(masses) and all(cell.value is not None for cell in masses)
    if change == "missing":
        label = draw.draw(st.sampled_from(["Cluster Cluster name", "z       Redshift", "MSL     ?=-1"]))
        files.edit_readme(label, "other  " + label[7:])
        good = False
    elif change == "unit":
        files.edit_readme(
            "10+12Msun MSL ", draw.draw(st.sampled_from(["10+14Msun MSL ", "kpc       MSL ", "---       MSL "]))
        )
        good = False
    elif change == "twice" and masses:
        files.rows.append(files.rows[0])
        good = False
    elif change == "short" and masses:
        files.rows[-1] = files.rows[-1][: draw.draw(st.integers(22, 47))].rstrip() + "\n"
        good = False
    elif change == "long" and masses:
        files.rows[-1] = files.rows[-1].rstrip() + " 1\n"
        good = False
    files.write(folder)
    if change in ("cut", "encoding", "extra"):
        path = folder / ("ReadMe" if change == "extra" else "table1.dat")
        content = path.read_bytes()
        place = draw.draw(st.integers(0, len(content)))
        path.write_bytes(content[:place] if change != "encoding" else content[:place] + b"\xff" + content[place:])
    cube = cube_or_none(FOX, {"table": folder / "table1.dat", "readme": folder / "ReadMe"})
    if change == "encoding":
        assert cube is None
    elif change == "short" and cube is not None:
        # After a whole cell, a line may end where the ReadMe says that the rest may be missing.
        assert np.isnan(cube["m_obs"].values[-1, 0])
    elif change in ("cut", "extra") and good:
        if cube is not None:
            found = cube["m_obs"].values[:, 0]
            np.testing.assert_allclose(found, [1e12 * c.value for c in masses if c.value is not None][: found.size])
    elif good:
        assert cube is not None
        np.testing.assert_allclose(cube["m_obs"].values[:, 0], [1e12 * c.value for c in masses if c.value is not None])
    else:
        assert cube is None


GENERIC = """
name = "mine"
title = "mine"
kind = "galaxy"
reader = "table"
citation = "me"
licence = "CC0-1.0"
[files.table]
name = "mine.csv"
columns = [
{ label = "name", variable = "galaxy" },
{ label = "R", variable = "r", unit = "kpc", range = [0.0, 1e4] },
{ label = "V", variable = "v_obs", unit = "km/s" },
{ variable = "e_v_obs", constant = 1.0 },
{ variable = "v_gas", constant = 0.0 },
{ variable = "v_disk", constant = 30.0 },
{ variable = "v_bul", constant = 0.0 },
{ label = "Rd", variable = "r_disk", unit = "kpc" },
]
"""


@many
@given(
    points=st.lists(st.tuples(st.sampled_from("ABC"), any_cells, cells), max_size=6),
    change=rare,
    cut=st.floats(0, 1),
)
def test_generic(points: list[tuple[str, Cell, Cell]], change: str | None, cut: float, folder: Path) -> None:
    (folder / "mine.toml").write_text(GENERIC, encoding="utf-8")
    recipe = load_recipe(folder / "mine.toml")
    wanted: dict[str, dict[float, float]] = {}
    good = bool(points)
    for name, r, v in points:
        radius, velocity = r.value, v.value
        good &= radius is not None and not math.isnan(radius) and velocity is not None and not math.isnan(velocity)
        good &= radius not in wanted.get(name, {})
        wanted.setdefault(name, {})[radius or 0.0] = velocity or 0.0
    lines = [f"{name},{r.text},{v.text},{'3.0' if change != 'twice' else i}\n" for i, (name, r, v) in enumerate(points)]
    good &= change != "twice" or all(len(values) == 1 for values in wanted.values())
    header = "name,R,V,Rd\n" if change != "missing" else "name,R,W,Rd\n"
    good &= change != "missing"
    if change == "short" and lines:
        lines[-1], good = lines[-1].rsplit(",", 1)[0] + "\n", False
    text = header + "".join(lines)
    content = text.encode("utf-16" if change == "encoding" else "utf-8")
    good &= change != "encoding"
    if change == "cut":
        content = content[: int(cut * len(content))]
    path = folder / "mine.csv"
    path.write_bytes(content)
    cube = cube_or_none(recipe, {"table": path})
    if cube is None or not good:
        assert cube is None or change == "cut"
        assert not good or change == "cut"
        return
    for name in cube["galaxy"].values:
        one = cube.sel(galaxy=name).isel(radius=slice(int(cube["n_points"].sel(galaxy=name))))
        found = dict(zip(one["r"].values.tolist(), one["v_obs"].values.tolist(), strict=True))
        assert found == wanted[str(name)] or (change == "cut" and found.items() <= wanted[str(name)].items())


SPARC = load_recipe("sparc")


@many
@given(
    member=st.integers(0, 2),
    row=st.integers(0, 5),
    column=st.integers(0, 7),
    cell=any_cells,
    change=rare,
    draw=st.data(),
)
def test_sparc(
    member: int, row: int, column: int, cell: Cell, change: str | None, draw: st.DataObject, folder: Path
) -> None:
    files = SparcFiles()
    name, text = files.curves[member]
    lines = text.splitlines(keepends=True)
    parts = lines[3 + row].rstrip("\n").split("\t")
    parts[column] = cell.text
    lines[3 + row] = "\t".join(parts) + "\n"
    files.curves[member] = (name, "".join(lines))
    if cell.text == "-1" and column != 2:
        cell = Cell("-1", -1.0)
    if cell.text == "1e9" and column != 2:
        cell = Cell("1e9", 1e9)
    # A cell that is empty, or of two words, is another number of cells; nothing is missing in a rotation curve.
    good = cell.value is not None and not math.isnan(cell.value)
    if good and column == 0:
        radii = [0.5 * i for i in range(1, 7)]
        radii[row] = cell.value or 0.0
        good = all(a < b for a, b in pairwise(radii))
    if cell.value is not None and column == 2 and cell.value > 1000:
        good = False
    archive, table = folder / "Rotmod_LTG.zip", folder / "SPARC_Lelli2016c.mrt"
    mrt = files.table.encode()
    if change == "missing":
        files.curves.pop(draw.draw(st.integers(0, 2)))
        good = False
    elif change == "twice":
        mrt, good = mrt + mrt.splitlines(keepends=True)[-1], False
    elif change == "unit":
        mrt, good = mrt.replace(b"F6.2   Mpc ", b"F6.2   kpc "), False
    elif change == "encoding":
        place = draw.draw(st.integers(0, len(mrt)))
        mrt, good = mrt[:place] + b"\xff" + mrt[place:], False
    with zipfile.ZipFile(archive, "w") as out:
        for file_name, content in files.curves:
            out.writestr(file_name, content)
    table.write_bytes(mrt)
    if change == "cut":
        whole_file = archive.read_bytes()
        archive.write_bytes(whole_file[: draw.draw(st.integers(0, len(whole_file) - 1))])
        good = False
    cube = cube_or_none(SPARC, {"curves": archive, "catalogue": table})
    assert (cube is not None) == good
    if cube is not None:
        variable = ("r", "v_obs", "e_v_obs", "v_gas", "v_disk", "v_bul", "sb_disk", "sb_bul")[column]
        assert float(cube[variable].values[member, row]) == cell.value


@few
@given(drawn=clash_files())
def test_nothing_is_left_of_a_cube_that_cannot_be(
    drawn: tuple[bytes, dict[str, dict[float, float]] | None, bool], folder: Path
) -> None:
    content, _, _ = drawn
    raw, out = folder / "raw", folder / "out"
    raw.mkdir(exist_ok=True)
    (raw / "fig2.dat").write_bytes(content)
    official = CLASH.files["table"].model_copy(update={"sha256": hashlib.sha256(content).hexdigest()})
    recipe = CLASH.model_copy(update={"files": {"table": official}})
    try:
        cube = ingest(recipe, data=raw, out=out / "clash.zarr", overwrite=True)
        assert json.loads((cube / "zarr.json").read_text())["node_type"] == "group"
    except DataError:
        pass
    assert {path.name for path in out.iterdir()} <= {"clash.zarr"} if out.exists() else True
