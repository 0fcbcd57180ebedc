import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xarray as xr
from hypothesis import given, settings
from hypothesis import strategies as st

from sigcube.analysis import compare_groups
from sigcube.cube import open_cube, save_cube, select
from sigcube.cube.validation import validate
from sigcube.errors import DataError, Fault, SpecError
from sigcube.readers import Table
from sigcube.readers.dynpop import PopulationCuts, _read_list, read_dynpop
from sigcube.recipes import ingest, load_recipe
from tests.readers.dynpop_files import COUNTER_ROTATORS, HEADER, ROWS, vizier_text, write_dynpop
from tests.strategies import BROKEN_FILES

RECIPE = load_recipe("manga_dynpop")
FITS, LIST = RECIPE.files["galaxies"].name, RECIPE.files["counter_rotators"].name


def _tables(folder: Path) -> dict[str, Table]:
    return {
        role: Table(folder / file.name, file.columns, file.format, file.extension)
        for role, file in RECIPE.files.items()
    }


def _read(
    folder: Path, *, text: str | bytes | None = None, cuts: PopulationCuts | None = None, **fits: Any
) -> xr.Dataset:
    if fits or not (folder / FITS).exists():
        write_dynpop(folder / FITS, **fits)
    content = vizier_text() if text is None else text
    (folder / LIST).write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_dynpop(_tables(folder), cuts=cuts or PopulationCuts())


@pytest.fixture
def cube(tmp_path: Path) -> xr.Dataset:
    folder = tmp_path / "raw"
    folder.mkdir()
    write_dynpop(folder / FITS)
    (folder / LIST).write_text(vizier_text())
    return open_cube(ingest(RECIPE, data=folder, out=tmp_path / "dynpop.zarr", progress=False))


def test_a_file_in_two_roles_is_one_file(cube: xr.Dataset) -> None:
    assert [file["name"] for file in json.loads(cube.attrs["raw_files"])] == [FITS, LIST]


# Name; identifier, share of dark matter, counter-rotating, flags; and why.
EXPECTED: Sequence[tuple[str, str, float, int, int, str]] = [
    ("7443-12701", "1-114145", 0.31, 0, 0, "an ordinary galaxy"),
    ("7443-12702", "1-113520", 0.12, 0, 8, "in the list, but observed again further down"),
    ("8138-1901", "1-339041", np.nan, 0, 1 + 4, "the model failed, quality -1"),
    ("8138-3702", "12-84679", 0.45, 0, 0, "of another catalogue of targets"),
    ("8139-6101", "1-113520", 0.14, 1, 0, "in the list, the last observation"),
    ("8140-9101", "1-48157", -99.0, 0, 2 + 4, "no share of anything, quality -1"),
    ("8141-1902", "1-38062", 0.05, 1, 0, "in the list"),
    ("8141-1903", "1-38063", 0.25, 0, 0, "an identifier that only ends otherwise"),
    ("1-999999", "1-999999", np.nan, 1, 1, "in the list, but not in the survey's table"),
]


@pytest.mark.slow
@pytest.mark.parametrize("expected", EXPECTED, ids=[row[-1] for row in EXPECTED])
def test_what_becomes_of_each_galaxy(expected: tuple[str, str, float, int, int, str], cube: xr.Dataset) -> None:
    name, identifier, f_dm, counter, flag, _ = expected
    row = cube.sel(galaxy=name)
    assert row.survey_id.item() == identifier
    np.testing.assert_equal(row.f_dm.item(), f_dm)
    assert (row.counter_rotating.item(), row.system_flag.item()) == (counter, flag)


def test_nothing_is_dropped_and_the_order_is_kept(cube: xr.Dataset) -> None:
    assert cube.galaxy.values.tolist() == [row[0] for row in EXPECTED]
    assert cube.f_dm.attrs["source"] == f"{FITS}, column fdm_Re"
    assert cube.sigma_eff.attrs["units"] == "km/s"
    assert cube.log_m_star.values[:8].tolist() == np.linspace(9.0, 11.0, 8).tolist()
    assert cube.quality.values[:8].tolist() == [row[3] for row in ROWS]
    assert np.isnan(cube.quality.values[8])


def test_samples(cube: xr.Dataset) -> None:
    sizes = {name: select(cube, sample=name).sizes["galaxy"] for name in ("all", *RECIPE.samples)}
    assert sizes == {"all": 9, "papers": 6, "once": 5}


def test_all_observations_of_a_counter_rotator_may_count(tmp_path: Path) -> None:
    ds = _read(tmp_path, cuts=PopulationCuts(observations="all"))
    assert ds.counter_rotating.values.tolist() == [0, 1, 0, 0, 1, 0, 1, 0, 1]


def test_quality_is_a_cut(tmp_path: Path) -> None:
    ds = _read(tmp_path, cuts=PopulationCuts(min_quality=2))
    assert ((ds.system_flag.values & 4) > 0).tolist() == [True, False, True, True, False, True, True, True, False]


@pytest.mark.parametrize("pad", ["", " ", "   "])
def test_blanks_about_identifiers_do_not_count(pad: str, tmp_path: Path) -> None:
    text = vizier_text().replace("1-38062  ", " 1-38062 ")
    ds = _read(tmp_path, text=text, pad=pad)
    assert ds.counter_rotating.values.sum() == 3
    assert ds.survey_id.values[6] == "1-38062"


def test_it_survives_a_round_trip(cube: xr.Dataset, tmp_path: Path) -> None:
    xr.testing.assert_identical(open_cube(save_cube(cube, tmp_path / "again.zarr")), cube)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fits", "message"),
    [
        ({"renamed": {"mangaid": "MANGAID_1"}}, r"column 'mangaid' is missing"),
        ({"renamed": {"fdm_Re": "fdm"}}, r"column 'fdm_Re' is missing\n(.*\n)*.*did you mean 'fdm'"),
        ({"units": {"Sigma_Re": "m/s"}}, r"the unit is another\n(.*\n)*  found: 'm / s'|found: 'm/s'"),
        ({"units": {"DA": "furlongs"}}, r"column DA"),
        ({"models": 7}, r"the extensions differ in rows\n(.*\n)*  found: 8 galaxies and 7 models"),
        ({"rows": (*ROWS, ROWS[0])}, r"7443-12701 is there 2 times"),
        ({"rows": (*ROWS, ("", "1-7", 0.1, 1))}, r"the galaxy has no name\n  where: .*row 9, column plateifu"),
        ({"rows": (*ROWS, ("9000-1", "n/a", 0.1, 1))}, r"not an identifier\n  where: .* row 9, column mangaid"),
        ({"rows": (*ROWS, ("1-999999", "1-8", 0.1, 1))}, r"an observation is named like a galaxy of the list"),
        ({"rows": (*ROWS, ("9000-1", "1-7", np.inf, 1))}, r"not a finite number"),
        ({"rows": ()}, r"there are no rows"),
        ({"latin": True}, r"not text in UTF-8\n  where: .*column mangaid"),
    ],
)
def test_wrong_catalogues_are_told(fits: dict[str, Any], message: str, tmp_path: Path) -> None:
    if fits.pop("latin", False):
        content = write_dynpop(tmp_path / FITS).read_bytes()
        (tmp_path / FITS).write_bytes(content.replace(b"1-114145", b"1-11\xe9145", 1))
    with pytest.raises(DataError, match=message):
        _read(tmp_path, **fits)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "\nMaNGAId  |",
            "\nMaNGA    |",
            r"column 'MaNGAId' is missing\n(.*\n)*  expected: did you mean 'MaNGA'.* RAJ2000",
        ),
        ("|RAJ2000  |", "|MaNGAId  |", r"column 'MaNGAId' is there 2 times"),
        ("---------|---------|-----\n", "", r"there is not one line of dashes"),
        ("1-38062  ", "1-113520 ", r"1-113520 is there 2 times"),
        ("1-38062  |", "", r"wrong number of cells\n  where: .*line 21\n  found: 2\n  expected: 3"),
        ("1-38062  ", "NGC 4550 ", r"not an identifier\n  where: .*line 21, column MaNGAId\n  found: 'NGC 4550'"),
        ("1-38062  ", "         ", r"not an identifier\n(.*\n)*  found: ''"),
        ("1-38062  ", "1-38٠62  ", r"not an identifier"),
    ],
)
def test_wrong_lists_are_told(old: str, new: str, message: str, tmp_path: Path) -> None:
    assert old in vizier_text()
    with pytest.raises(DataError, match=message):
        _read(tmp_path, text=vizier_text().replace(old, new, 1))


def test_files_that_break_off(tmp_path: Path) -> None:
    _read(tmp_path)
    whole = (tmp_path / FITS).read_bytes()
    # The last of them breaks off within the models; what comes after is not read.
    for size in (0, 79, 2880, len(whole) // 2, len(whole) - 3 * 2880 + 100):
        (tmp_path / FITS).write_bytes(whole[:size])
        with pytest.raises(DataError):
            read_dynpop(_tables(tmp_path), cuts=PopulationCuts())
    (tmp_path / FITS).write_bytes(whole)
    with pytest.raises(DataError, match=r"wrong number of cells\n  where: .*line 21"):
        _read(tmp_path, text=vizier_text()[: vizier_text().index("1-38062") + 9])
    for text, message in (("", "column 'MaNGAId' is missing"), (HEADER, "there are no rows")):
        with pytest.raises(DataError, match=message):
            _read(tmp_path, text=text)
    with pytest.raises(DataError, match=r"this is not UTF-8 text"):
        _read(tmp_path, text=vizier_text().encode("utf-16"))


def test_faults_of_both_are_told_at_once(tmp_path: Path) -> None:
    with pytest.raises(DataError, match=r"2 faults(.*\n)*.*NGC 4550(.*\n)*.*7443-12701 is there 2 times"):
        _read(tmp_path, text=vizier_text(("NGC 4550",)), rows=(*ROWS, ROWS[0]))


def test_nothing_is_left_of_an_ingest_that_fails(tmp_path: Path) -> None:
    write_dynpop(tmp_path / FITS, models=3)
    (tmp_path / LIST).write_text(vizier_text())
    before = sorted(tmp_path.iterdir())
    with pytest.raises(DataError, match=r"the extensions differ"):
        ingest(RECIPE, data=tmp_path, out=tmp_path / "dynpop.zarr", progress=False)
    assert sorted(tmp_path.iterdir()) == before


def test_recipes_that_do_not_fit(tmp_path: Path) -> None:
    write_dynpop(tmp_path / FITS)
    (tmp_path / LIST).write_text(vizier_text())
    tables = _tables(tmp_path)
    with pytest.raises(SpecError, match=r"missing\n  where: .*files.models"):
        read_dynpop({role: t for role, t in tables.items() if role != "models"}, cuts=PopulationCuts())
    models = tables["models"]
    with pytest.raises(SpecError, match=r"no column for 'f_dm'"):
        read_dynpop({**tables, "models": Table(models.path, models.columns[1:])}, cuts=PopulationCuts())
    derived = models.columns[1].model_copy(update={"variable": "counter_rotating", "unit": ""})
    wrong = Table(models.path, (models.columns[0], derived), models.format, models.extension)
    with pytest.raises(SpecError, match=r"'counter_rotating' is derived"):
        read_dynpop({**tables, "models": wrong}, cuts=PopulationCuts())


def test_the_comparison_finds_what_was_put_in(tmp_path: Path) -> None:
    rng = np.random.default_rng(6)
    # As many as in the papers, with their means: 63 of mean 0.17 and 937 of mean 0.30.
    shares = np.concatenate([rng.beta(2, 10, 63), rng.beta(3, 7, 937)])
    rows = [(f"{7000 + i}-1901", f"1-{i}", float(x), 1) for i, x in enumerate(shares)]
    names = [row[1] for row in rows[:63]] + ["1-5000"]
    write_dynpop(tmp_path / FITS, rows)
    (tmp_path / LIST).write_text(vizier_text(names))
    ds = open_cube(ingest(RECIPE, data=tmp_path, out=tmp_path / "dynpop.zarr", progress=False))
    found = compare_groups(ds, sample="papers")
    assert (found.n_group, found.n_rest) == (63, 937)
    assert found.mean_group == pytest.approx(shares[:63].mean())
    assert found.p_value < 1e-6
    assert compare_groups(ds, sample="papers", alternative="greater").p_value > 0.99


# The comment of one line is the longest text that a row of the list may be.
_ROW = st.text(alphabet="01-9|# .NGC\t٣é\"'", max_size=14)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("fuzz")


def _right_or_refused(folder: Path, text: bytes) -> None:
    (folder / LIST).write_bytes(text)
    try:
        ds = read_dynpop(_tables(folder), cuts=PopulationCuts())
    except DataError:
        return
    n = ds.sizes["galaxy"]
    assert len(set(ds.galaxy.values.tolist())) == n
    assert set(np.unique(ds.counter_rotating.values).tolist()) <= {0, 1}
    assert np.isfinite(ds.f_dm.values[ds.system_flag.values == 0]).all()
    described = dict.fromkeys(("title", "citation", "licence", "recipe", "sigcube_version"), "x")
    validate(ds.assign_attrs(kind="population", raw_files="[]", samples="{}", synthetic=0, **described))


@pytest.mark.slow
@settings(max_examples=BROKEN_FILES, deadline=None)
@given(
    rows=st.lists(st.sampled_from(COUNTER_ROTATORS) | _ROW, max_size=4),
    cut=st.integers(0, 900) | st.none(),
    flip=st.tuples(st.integers(0, 800), st.integers(0, 255)) | st.none(),
    encoding=st.sampled_from(["utf-8", "latin-1", "utf-16", "utf-8-sig"]),
    ends=st.sampled_from(["\n", "\r\n", "\r"]),
)
def test_malformed_lists_give_identifiers_or_faults(
    rows: list[str], cut: int | None, flip: tuple[int, int] | None, encoding: str, ends: str, folder: Path
) -> None:
    content = vizier_text(rows).replace("\n", ends).encode(encoding, errors="replace")[:cut]
    if flip:
        content = content[: flip[0]] + bytes([flip[1]]) + content[flip[0] + 1 :]
    (folder / LIST).write_bytes(content)
    # Without the catalogue, which takes most of the time to read and is not what is tried here.
    faults: list[Fault] = []
    names = _read_list(_tables(folder)["counter_rotators"], faults)
    if not faults:
        assert names
        assert len(set(names)) == len(names)
        assert all(re.fullmatch("[0-9]+-[0-9]+", name) for name in names)


@pytest.mark.slow
@settings(max_examples=BROKEN_FILES // 3, deadline=None)
@given(
    cut=st.integers(0, 40000) | st.none(),
    flips=st.lists(st.tuples(st.floats(0, 1, exclude_max=True), st.integers(0, 255)), max_size=3),
)
def test_malformed_catalogues_give_a_right_cube_or_one_error(
    cut: int | None, flips: list[tuple[float, int]], folder: Path
) -> None:
    if not (folder / "catalogues").exists():
        (folder / "catalogues").mkdir()
        write_dynpop(folder / "catalogues" / "whole.fits")
    content = bytearray((folder / "catalogues" / "whole.fits").read_bytes())
    for place, byte in flips:
        content[int(place * len(content))] = byte
    (folder / "catalogues" / FITS).write_bytes(bytes(content)[:cut])
    _right_or_refused(folder / "catalogues", vizier_text().encode())
