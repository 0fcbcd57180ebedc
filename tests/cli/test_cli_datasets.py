"""Datasets on the command line: what is listed, what is checked, and what becomes of all of them at once."""

import io
import json
import re
from pathlib import Path
from typing import Any

import pytest
import xarray as xr
from rich.console import Console
from rich.table import Table

from sigcube import recipes
from sigcube.cli import ExitCode
from sigcube.cli.catalogue import dataset_records, origin, unexpected_counts
from sigcube.cli.tables import cube_tables
from sigcube.cube import KINDS, Counts, Kind, count_cube, inspect_cube, save_cube
from sigcube.cube.inspection import describe_counts
from sigcube.errors import FetchError, RawFilesMissing
from sigcube.recipes import Contents, Recipe, load_recipe, recipe_names
from tests.calling import call
from tests.synthetic_cubes import synthetic_cube


def text_of(tables: list[Table], width: int) -> str:
    console = Console(file=io.StringIO(), width=width)
    for table in tables:
        console.print(table)
    assert isinstance(console.file, io.StringIO)
    return console.file.getvalue()


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_every_recipe_is_listed(here: Path) -> None:
    shown = call("datasets")
    assert shown.exit_code == 0
    assert "\x1b[" not in shown.stdout
    listed = [line.split()[0] for line in shown.stdout.splitlines() if line.strip()][2:]
    assert set(recipe_names()) <= set(listed)
    # One line of counts, and one of whom to cite and where the files are from.
    sparc = " ".join(line for line in shown.stdout.splitlines() if line.split()[:1] == ["sparc"])
    for word in ("galaxy", "175", "3,391", "no", "Lelli", "CC-BY-4.0", "https://astroweb.case.edu/SPARC"):
        assert word in sparc


@pytest.mark.parametrize(
    ("name", "origin"),
    [
        ("eilers_cross_match", "given by hand, with --data"),
        ("manga_dynpop", "given by hand, with --data, https://zenodo.org/api/records/17518315/files/"),
        ("landmarks", "shipped with sigcube"),
    ],
)
def test_origins_are_official_or_named_otherwise(name: str, origin: str) -> None:
    (record,) = (each for each in dataset_records("nowhere") if each["name"] == name)
    assert record["origin"].startswith(origin)


@pytest.mark.parametrize("width", [80, 100, 200])
def test_the_list_fits_and_loses_nothing(width: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", str(width))
    text = call("datasets", "--cubes", "nowhere").stdout
    assert max(map(len, text.splitlines())) <= width
    for record in dataset_records("nowhere"):
        assert record["name"] in text
        for long in ("citation", "licence", "origin"):
            assert "".join(record[long].split()) in re.sub(r"\s", "", text) or width == 200


def test_no_address_in_the_list_is_broken_where_there_is_no_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COLUMNS", raising=False)
    text = call("datasets", "--cubes", "nowhere").stdout
    addresses = [
        a
        for each in dataset_records("nowhere")
        for a in re.findall(r"https://\S+", "{licence} {origin}".format(**each))
    ]
    assert addresses
    assert all(address in text for address in addresses)


def test_a_cube_that_is_here_is_counted(here: Path, mock_cube: xr.Dataset) -> None:
    save_cube(mock_cube, here / "cubes" / "sparc.zarr")
    (record,) = (each for each in json.loads(call("datasets", "--json").stdout) if each["name"] == "sparc")
    assert (record["state"], record["systems"], record["points"]) == ("present", 40, int(mock_cube.n_points.sum()))
    assert [file["url"] for file in record["files"]] == [file.url for file in load_recipe("sparc").files.values()]
    (elsewhere,) = (each for each in dataset_records(here / "other") if each["name"] == "sparc")
    assert (elsewhere["state"], elsewhere["systems"], elsewhere["points"]) == ("absent", 175, 3391)


def test_a_cube_that_cannot_be_read_is_told(here: Path) -> None:
    (here / "cubes" / "sparc.zarr").mkdir(parents=True)
    (record,) = (each for each in dataset_records() if each["name"] == "sparc")
    assert (record["state"], record["systems"]) == ("unreadable", 175)
    assert "broken" in call("datasets").stdout


def test_where_raw_files_come_from(tmp_path: Path) -> None:
    recipe = load_recipe("sparc")
    first, second = recipe.files.values()
    by_hand = first.model_copy(update={"url": "", "sha256": "", "name": "mine.csv"})
    cases = {
        "https://astroweb.case.edu/SPARC": {"a": first, "b": second},  # one folder
        "doi:10.5281/zenodo.1/a.zip": {"a": first.model_copy(update={"url": "doi:10.5281/zenodo.1/a.zip"})},
        "given by hand, with --data": {"a": by_hand},  # neither an address nor a file beside the recipe
    }
    for place, files in cases.items():
        assert origin(recipe.model_copy(update={"files": files, "folder": tmp_path})) == place
    (tmp_path / "mine.csv").touch()
    beside = recipe.model_copy(update={"files": {"a": by_hand}, "folder": tmp_path})
    assert origin(beside) == "shipped with sigcube"


@pytest.mark.slow
@pytest.mark.parametrize("kind", KINDS.values(), ids=KINDS)
def test_check_tells_what_a_cube_holds(kind: Kind, here: Path) -> None:
    save_cube(synthetic_cube(kind), here / "a.zarr")
    shown = call("check", "a.zarr")
    assert shown.exit_code == 0, shown.output
    assert f"a.zarr: a valid {kind.name} cube" in shown.stdout
    assert "a.csv (unverified)" in shown.stdout
    for variable in kind.variables:
        for flag in set(variable.flags) - {"padding"}:
            assert flag in shown.stdout
    assert re.search(r"unflagged +\d+ +\d+  what has no flag", shown.stdout)
    for name in kind.measured:
        assert re.search(rf"^ *{name} ", shown.stdout, flags=re.MULTILINE)
    record = json.loads(call("check", "a.zarr", "--json").stdout)
    assert record["valid"] is True
    assert record["synthetic"] is True
    assert record["samples"]["all"]["points"] == record["counts"]["points"]
    assert {each["name"] for each in record["ranges"]} >= set(kind.measured)


@pytest.mark.slow
def test_check_fits_a_terminal(here: Path) -> None:
    for kind in KINDS.values():
        summary = inspect_cube(save_cube(synthetic_cube(kind), here / f"{kind.name}.zarr"))
        text = text_of(cube_tables("a.zarr", summary), 80)
        assert max(map(len, text.splitlines())) <= 80
        # No name is broken over two lines.
        assert all(f" {each.name} " in text for each in summary.ranges)


@pytest.mark.slow
def test_check_refuses_what_is_not_as_it_was_saved(here: Path, mock_cube: xr.Dataset) -> None:
    save_cube(mock_cube, here / "a.zarr")
    mock_cube[["v_obs"]].drop_vars("galaxy").drop_attrs().assign(v_obs=mock_cube.v_obs.drop_vars("galaxy") + 1).to_zarr(
        here / "a.zarr", mode="r+", consolidated=False
    )
    shown = call("check", "a.zarr")
    assert (shown.exit_code, shown.stdout) == (ExitCode.REFUSED, "")
    assert "the cube was altered or damaged after it was saved" in shown.stderr
    as_json = call("check", "a.zarr", "--json")
    assert as_json.exit_code == ExitCode.REFUSED
    record = json.loads(as_json.stdout)
    assert record["valid"] is False
    assert record["error"]["what"] == "the cube was altered or damaged after it was saved"
    assert call("check", "absent.zarr").exit_code == ExitCode.REFUSED


@pytest.mark.parametrize(
    ("kind", "systems", "points", "said"),
    [
        ("galaxy", 1, 1, "1 galaxy, 1 point"),
        ("cluster", 20, 84, "20 clusters, 84 points"),
        ("star", 1, 144_000, "144,000 stars"),
        ("landmark", 12, 12, "12 landmarks"),
    ],
)
def test_counts_in_words(kind: str, systems: int, points: int, said: str) -> None:
    assert describe_counts(kind, Counts(systems, points)) == said


@pytest.mark.parametrize("verb", ["fetch", "ingest"])
@pytest.mark.parametrize("words", [[], ["sparc", "--all"]])
def test_a_name_or_all(verb: str, words: list[str]) -> None:
    assert call(verb, *words).exit_code == ExitCode.USAGE


@pytest.fixture
def three(monkeypatch: pytest.MonkeyPatch) -> None:
    """Three datasets: one that works, one whose files are not there, and one whose files are wrong."""

    def ingest(recipe: Recipe, *, out: Path, **rest: Any) -> Path:
        if recipe.name == "absent":
            raise RawFilesMissing("the raw files are not to be found: a.csv is missing", where="data")
        if recipe.name == "wrong":
            raise FetchError("a.csv arrived with\nthe wrong checksum", where="https://example.org", found="sha256 0")
        return save_cube(synthetic_cube(KINDS["galaxy"]), out, overwrite=rest["overwrite"])

    def load(name: str) -> Recipe:
        return load_recipe("sparc").model_copy(update={"name": name})

    names = ["absent", "wrong", "works"]
    monkeypatch.setattr(recipes, "recipe_names", lambda: tuple(names))
    monkeypatch.setattr(recipes, "load_recipe", load)
    monkeypatch.setattr(recipes, "ingest", ingest)


@pytest.mark.slow
@pytest.mark.usefixtures("three")
def test_all_goes_on_after_what_fails(here: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = call("ingest", "--all", "--data", ".")
    assert shown.exit_code == ExitCode.REFUSED
    assert shown.stderr.splitlines() == [
        "1/3 absent",
        "absent: skipped: the raw files are not to be found: a.csv is missing; in data",
        "2/3 wrong",
        "wrong: failed: a.csv arrived with the wrong checksum; in https://example.org; found sha256 0",
        "3/3 works",
        "works: holds 6 galaxies, 19 points; the recipe expects 175 galaxies, 3,391 points",
    ]
    assert shown.stdout == "cubes/works.zarr: a synthetic galaxy cube; samples all, unflagged\n"
    monkeypatch.setattr(recipes, "recipe_names", lambda: ("absent", "works"))
    again = call("ingest", "--all", "--data", ".")
    assert again.exit_code == 0, "what is not there is no failure"
    assert again.stdout == "cubes/works.zarr: there already; --overwrite makes it again\n"
    other = call("ingest", "--all", "--data", ".", "--out", "elsewhere", "--overwrite")
    assert other.stdout.startswith("elsewhere/works.zarr: ")


def test_only_other_counts_than_the_recipe_expects_are_told(tmp_path: Path) -> None:
    path = save_cube(synthetic_cube(KINDS["galaxy"]), tmp_path / "a.zarr")
    counts, sparc = count_cube(path), load_recipe("sparc")
    for contents in (None, Contents(systems=counts.systems, points=counts.points)):
        assert unexpected_counts(sparc.model_copy(update={"contents": contents}), path) == ""
    fewer = Contents(systems=counts.systems, points=counts.points + 1)
    assert unexpected_counts(sparc.model_copy(update={"contents": fewer}), path) != ""


@pytest.mark.usefixtures("three")
def test_what_is_named_must_be_there(here: Path) -> None:
    shown = call("ingest", "absent", "--data", ".", "--out", "a.zarr")
    assert shown.exit_code == ExitCode.REFUSED
    assert "a.csv is missing" in shown.stderr


def test_all_takes_what_is_in_a_folder(here: Path) -> None:
    (here / "data").mkdir()
    shown = call("fetch", "--all", "--data", "data")
    assert shown.exit_code == 0
    assert re.search(r"^sparc: skipped: .*Rotmod_LTG\.zip is missing", shown.stderr, flags=re.MULTILINE)
    assert call("fetch", "sparc", "--data", "data").exit_code == ExitCode.REFUSED
